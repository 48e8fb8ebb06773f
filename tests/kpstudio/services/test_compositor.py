from __future__ import annotations

import numpy as np
import pytest
import torch

from kpcore.api import Layers
from kpcore.latents import Latents, Topology
from kpstudio.services.compositor import Compositor

COUNT, SIDE, SIZE = 6, 9, (40, 56)


def make_layers(rule: str, scale: float = 1.0) -> Layers:
    torch.manual_seed(3)
    return Layers(torch.rand(1, COUNT, 4, SIDE, SIDE), torch.rand(1, 3, *SIZE), rule, scale)  # type: ignore[arg-type]


def make_latents(seed: int, presence: bool = True) -> Latents:
    torch.manual_seed(seed)
    return Latents(
        torch.rand(1, COUNT, 2) * 2 - 1,
        Topology.flat(COUNT),
        presence=torch.rand(1, COUNT) if presence else None,
    )


@pytest.mark.parametrize("rule", ["remainder", "over"])
@pytest.mark.parametrize("scale", [1.0, 0.97])
@pytest.mark.parametrize("presence", [True, False])
def test_equals_the_layers_own_composite_while_particles_move(
    rule: str, scale: float, presence: bool
) -> None:
    layers = make_layers(rule, scale)
    compositor = Compositor(layers, tuple(range(COUNT)))
    latents = make_latents(0, presence)
    rng = np.random.default_rng(0)
    for _ in range(30):
        row, to = int(rng.integers(COUNT)), rng.uniform(-1, 1, 2).tolist()
        latents = latents.with_rows("position", (row,), (to,))
        want = layers.composite(latents)[0].numpy()
        np.testing.assert_allclose(compositor.compose(latents), want, atol=1e-5)


@pytest.mark.parametrize("corner", [(-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
def test_glimpses_are_cut_at_the_edges(corner: tuple[float, float]) -> None:
    layers = make_layers("remainder")
    latents = make_latents(1).with_rows("position", (0, 1), (corner, corner))
    compositor = Compositor(layers, tuple(range(COUNT)))
    want = layers.composite(latents)[0].numpy()
    np.testing.assert_allclose(compositor.compose(latents), want, atol=1e-5)


def test_only_moved_particles_are_placed_again() -> None:
    compositor = Compositor(make_layers("remainder"), tuple(range(COUNT)))
    latents = make_latents(0)
    compositor.compose(latents)
    before = dict(compositor._placed)
    compositor.compose(latents.with_rows("position", (2,), ((0.1, 0.2),)))
    changed = [row for row in before if compositor._placed[row] is not before[row]]
    assert changed == [2]


def test_particles_left_out_of_the_latents_are_left_out_of_the_picture() -> None:
    layers, latents = make_layers("remainder"), make_latents(0)
    compositor = Compositor(layers, tuple(range(COUNT)))
    kept = [0, 3, 4]
    fewer = Layers(layers.patches[:, kept], layers.background, layers.rule)
    want = fewer.composite(latents.select(kept))[0].numpy()
    np.testing.assert_allclose(compositor.compose(latents.select(kept)), want, atol=1e-5)


def test_a_position_that_is_no_number_leaves_the_rest_alone() -> None:
    layers, latents = make_layers("remainder"), make_latents(0)
    compositor = Compositor(layers, tuple(range(COUNT)))
    broken = latents.with_rows("position", (1,), ((float("nan"), 0.0),))
    rest = [0, 2, 3, 4, 5]
    want = compositor.compose(latents.select(rest))
    np.testing.assert_array_equal(compositor.compose(broken), want)


def test_masks_and_glimpses_come_in_the_order_of_the_encoding() -> None:
    layers, latents = make_layers("over"), make_latents(0)
    kept = [4, 1]
    chosen = Layers(layers.patches[:, kept], layers.background, "over")
    compositor = Compositor(chosen, tuple(kept))
    masks = compositor.masks(latents, tuple(range(COUNT)))
    assert masks.shape == (COUNT, *SIZE)
    assert [row for row in range(COUNT) if masks[row].any()] == [1, 4]
    glimpses = compositor.glimpses(tuple(range(COUNT)))
    want = layers.patches[0, 4].permute(1, 2, 0).mul(255).round().byte().numpy()
    np.testing.assert_array_equal(glimpses[4], want)
    assert not glimpses[0].any()


@pytest.mark.parametrize("rule", ["remainder", "over", "sum"])
def test_pictures_made_of_what_changed_equal_pictures_made_anew(rule: str) -> None:
    layers = make_layers(rule)
    compositor = Compositor(layers, tuple(range(COUNT)))
    latents = make_latents(2)
    rng = np.random.default_rng(1)
    for step in range(60):
        rows = tuple(rng.choice(COUNT, size=rng.integers(1, 3), replace=False).tolist())
        if step % 5 == 4:
            latents = latents.with_rows("presence", rows, rng.uniform(0, 1, len(rows)).tolist())
        else:
            places = rng.uniform(-1.2, 1.2, (len(rows), 2)).tolist()
            latents = latents.with_rows("position", rows, places)
        kept = sorted(rng.choice(COUNT, size=4, replace=False)) if step % 7 == 6 else range(COUNT)
        shown = latents.select([int(row) for row in kept])
        want = Compositor(layers, tuple(range(COUNT))).pixels(shown)
        np.testing.assert_array_equal(compositor.pixels(shown), want)


def test_goes_on_from_the_models_own_picture() -> None:
    layers, latents = make_layers("over"), make_latents(0)
    compositor = Compositor(layers, tuple(range(COUNT)))
    known = np.full((*SIZE, 3), 7, np.uint8)
    compositor.begin(latents, known)
    np.testing.assert_array_equal(compositor.pixels(latents), known)
    moved = compositor.pixels(latents.with_rows("presence", (0,), (0.0,)))
    assert 0 < (moved != known).any(-1).sum() <= (SIDE + 3) ** 2


def test_glimpses_that_are_the_same_stay_placed_over_a_new_background() -> None:
    layers, latents = make_layers("over"), make_latents(0)
    before = Compositor(layers, tuple(range(COUNT)))
    before.pixels(latents)
    fresh = Layers(layers.patches.clone(), layers.background * 0.5, layers.rule)
    after = Compositor(fresh, tuple(range(COUNT)), before)
    want = Compositor(fresh, tuple(range(COUNT))).pixels(latents)
    np.testing.assert_array_equal(after.pixels(latents), want)
    assert all(after._placed[row] is before._placed[row] for row in range(COUNT))
    other = Layers(layers.patches * 0.5, layers.background, layers.rule)
    want = Compositor(other, tuple(range(COUNT))).pixels(latents)
    np.testing.assert_array_equal(
        Compositor(other, tuple(range(COUNT)), before).pixels(latents), want
    )
