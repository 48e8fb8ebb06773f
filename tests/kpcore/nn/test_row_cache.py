from __future__ import annotations

import torch

from kpcore.drafting import drafting, is_drafting
from kpcore.nn.row_cache import RowCache


class Counted:
    """Doubles rows and remembers how many it was given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        self.given.append(rows.shape[1])
        return rows * 2.0


def test_only_new_rows_are_decoded_each_by_itself():
    decode = Counted()
    cache = RowCache(decode)
    rows = torch.rand(1, 4, 3)
    assert torch.equal(cache(rows), rows * 2)
    assert decode.given == [1, 1, 1, 1]
    changed = rows.clone()
    changed[0, 2] = 5.0
    assert torch.equal(cache(changed), changed * 2)
    assert torch.equal(cache(rows[:, [3, 0]]), rows[:, [3, 0]] * 2)
    assert decode.given == [1] * 5


def test_rows_of_several_images_and_of_none():
    decode = Counted()
    cache = RowCache(decode)
    assert cache(torch.rand(2, 3, 4)).shape == (2, 3, 4)
    assert cache(torch.rand(1, 0, 4)).shape == (1, 0, 4)
    assert decode.given == [3, 0]


def test_a_draft_is_never_taken_for_the_exact_result():
    cache = RowCache(lambda rows: rows * (3.0 if is_drafting() else 2.0))
    rows = torch.rand(1, 2, 3)
    with drafting():
        assert torch.equal(cache(rows), rows * 3)
    assert torch.equal(cache(rows), rows * 2)
    with drafting():
        assert torch.equal(cache(rows), rows * 2)  # what is there already is better


def test_what_is_kept_is_bounded():
    decode = Counted()
    cache = RowCache(decode)
    for value in range(400):
        cache(torch.full((1, 1, 2), float(value)))
    cache(torch.full((1, 1, 2), 399.0))
    assert len(decode.given) == 400
    cache(torch.full((1, 1, 2), 0.0))
    assert len(decode.given) == 401
