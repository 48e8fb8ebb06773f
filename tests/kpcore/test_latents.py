from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from kpcore.errors import ShapeError
from kpcore.latents import Latents, Topology


def make(batch: int = 2, count: int = 3) -> Latents:
    draw = torch.Generator().manual_seed(batch)
    return Latents(
        torch.rand(batch, count, 2, generator=draw),
        Topology.flat(count),
        feature=torch.rand(batch, count, 4, generator=draw),
        presence=torch.rand(batch, count, generator=draw),
        background=torch.rand(batch, 5, generator=draw),
    )


def test_values_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        make().position = torch.zeros(1)  # type: ignore[misc]


def test_select_takes_rows_and_leaves_the_background() -> None:
    whole = make()
    part = whole.select([2, 0])
    assert torch.equal(part.position, whole.position[:, [2, 0]])
    assert torch.equal(part.presence, whole.presence[:, [2, 0]])
    assert torch.equal(part.background, whole.background)
    assert part.topology.identity == (2, 0)


def test_lost_parents_become_none() -> None:
    tree = Topology((0, 1, 1), (-1, 0, 0), (0, 1, 2))
    assert tree.select([1, 0]).parent == (1, -1)
    assert tree.select([2]).parent == (-1,)


def test_with_rows_shares_what_it_does_not_change() -> None:
    old = make(1)
    new = old.with_rows("position", [1], [(0.5, -0.5)])
    assert new.rows("position")[1] == [0.5, -0.5]
    assert new.feature is old.feature
    assert old.rows("position")[1] != [0.5, -0.5]


def test_with_rows_refuses_wrong_sizes_and_absent_fields() -> None:
    with pytest.raises(ShapeError, match="shape"):
        make(1).with_rows("position", [0, 1], [(0.0, 0.0)])
    with pytest.raises(ShapeError, match="no prototype"):
        make(1).with_rows("prototype", [0], [1])


def test_stack_and_image_are_inverse() -> None:
    whole = make(3)
    again = Latents.stack([whole.image(i) for i in range(3)])
    assert again.equals(whole)
    assert not again.equals(make(2).image(0))


@pytest.mark.parametrize(
    ("field", "shape"), [("presence", (2, 4)), ("feature", (3, 3, 4)), ("background", (3, 5))]
)
def test_disagreeing_shapes_are_refused(field: str, shape: tuple[int, ...]) -> None:
    # jaxtyping's own check may speak first; both name the field.
    with pytest.raises(Exception, match=field):
        Latents(torch.zeros(2, 3, 2), Topology.flat(3), **{field: torch.zeros(shape)})


def test_nothing_may_be_selected() -> None:
    none = make().select([])
    assert none.count == 0
    assert len(none.topology) == 0


def test_named_tells_what_the_family_has() -> None:
    value = make()
    named = value.named()
    assert list(named) == ["position", "feature", "presence", "background"]
    assert named["feature"] is value.feature
