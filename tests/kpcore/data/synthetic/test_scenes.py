from __future__ import annotations

import numpy as np
import pytest

from kpcore.data.synthetic import SCENES
from kpcore.data.synthetic.drawing import Body, Patch, paint
from kpcore.data.synthetic.motion import collided, reflected
from kpcore.data.synthetic.multi_dsprites import COLOURS, LARGEST, MultiDSprites
from kpcore.data.synthetic.traffic import Traffic

NAMES = sorted(SCENES)
LEAPING = {"tabletop-rearranged"}
"""Clips whose frames share their things and not their places."""


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_is_a_function_of_seed_and_index(name: str) -> None:
    source = SCENES[name]
    first, again = source.sample(3, 5, 40), source.sample(3, 5, 40)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.position, again.position)
    assert not np.array_equal(source.sample(4, 7, 40).image, source.sample(3, 7, 40).image)
    assert first.image.dtype == np.float32
    assert first.image.min() >= 0.0
    assert first.image.max() <= 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_begins_with_its_sample_and_goes_on_smoothly(name: str) -> None:
    source = SCENES[name]
    clip, still = source.clip(1, 11, 48, 8), source.sample(1, 11, 48)
    first = clip.frame(0)
    assert np.array_equal(first.image, still.image)
    assert np.array_equal(first.identity, still.identity)
    assert np.allclose(first.position, still.position, atol=1e-6)
    assert np.array_equal(first.mask, still.mask)
    shown = (clip.visible[1:] > 0) & (clip.visible[:-1] > 0)
    step = np.abs(np.diff(clip.position, axis=0)).max(axis=-1)
    assert (step[shown].max(initial=0.0) < 0.2) != (name in LEAPING)
    if len(clip.identity):
        assert step[shown].max() > 0.0


@pytest.mark.parametrize("name", NAMES)
def test_masks_lie_where_positions_say(name: str) -> None:
    checked = 0
    for index in range(8):
        scene = SCENES[name].sample(0, index, 96)
        assert not (scene.mask.sum(axis=0) > 1).any()
        for place, mask, visible in zip(scene.position, scene.mask, scene.visible, strict=True):
            if visible < 0.97:
                continue
            rows, columns = np.nonzero(mask)
            middle = np.asarray([columns.min() + columns.max(), rows.min() + rows.max()]) / 2 + 0.5
            assert np.abs((place + 1) * 48 - middle).max() < 4.0
            checked += 1
    assert checked > 4


def test_nearer_bodies_cover_and_edges_cut() -> None:
    ground = np.zeros((3, 20, 20), dtype=np.float32)
    square = Patch("box", (0.2, 0.2), (1.0, 0.0, 0.0))
    front = Patch("box", (0.2, 0.2), (0.0, 1.0, 0.0))
    picture, mask, visible = paint(
        ground,
        [Body((square,), (0.5, 0.5)), Body((front,), (0.7, 0.5)), Body((square,), (0.0, 0.2))],
    )
    assert visible.tolist() == pytest.approx([0.5, 1.0, 0.5])
    assert picture[:, 10, 14].tolist() == [0.0, 1.0, 0.0]
    assert picture[:, 10, 7].tolist() == [1.0, 0.0, 0.0]
    assert mask[0, 10].nonzero()[0].tolist() == [6, 7, 8, 9]


def test_a_turned_and_scaled_body_keeps_its_area() -> None:
    ground = np.zeros((3, 200, 200), dtype=np.float32)
    patches = (Patch("ellipse", (1.0, 0.5), (1.0, 1.0, 1.0)),)
    for angle in (0.0, 0.7, 2.0):
        _, mask, _ = paint(ground, [Body(patches, (0.5, 0.5), angle, 0.3)])
        assert mask.sum() / 200**2 == pytest.approx(np.pi * 0.3 * 0.15, rel=0.01)


def test_the_same_scene_at_another_size_has_the_same_truth() -> None:
    small, large = Traffic().sample(0, 1, 64), Traffic().sample(0, 1, 192)
    common = np.intersect1d(small.identity, large.identity)
    assert len(common) >= len(large.identity) - 1
    for number in common:
        a = small.position[small.identity == number]
        assert np.allclose(a, large.position[large.identity == number], atol=1e-6)
    blocks = large.image.reshape(3, 64, 3, 64, 3).mean(axis=(2, 4))
    assert np.abs(blocks - small.image).mean() < 0.01


def test_multi_dsprites_follow_the_paper() -> None:
    counts = set()
    for index in range(60):
        scene = MultiDSprites().sample(0, index, 64)
        counts.add(len(scene.position))
        pixels = (scene.position + 1.0) * 32.0 - 0.5
        assert np.allclose(pixels, pixels.round(), atol=1e-4)
        for mask in scene.mask:
            rows, columns = np.nonzero(mask)
            side = max(np.ptp(rows), np.ptp(columns)) + 1
            assert side <= LARGEST * 64 + 1
            colours = np.unique(scene.image[:, mask].round(2), axis=1)
            assert any(np.all(colours == np.asarray(c)[:, None], axis=0).any() for c in COLOURS)
    assert counts == {0, 1, 2, 3}
    seven = MultiDSprites(least=7, most=7)
    assert {len(seven.sample(0, index, 64).position) for index in range(60)} == {7}


def test_traffic_enters_and_leaves() -> None:
    clip = Traffic().clip(0, 0, 32, 120)
    shown = clip.visible > 0
    assert (shown.any(axis=0) & ~shown.all(axis=0)).sum() >= 3
    assert clip.image.shape == (120, 3, 32, 32)


def test_reflection_keeps_points_inside() -> None:
    start, velocity = np.asarray([[0.5, 0.2]]), np.asarray([[0.07, -0.03]])
    places = reflected(start, velocity, np.asarray([0.1]), 100)
    assert np.allclose(places[0], start)
    assert places.min() >= 0.1 - 1e-9
    assert places.max() <= 0.9 + 1e-9


def test_collisions_keep_momentum_and_energy() -> None:
    start = np.asarray([[0.3, 0.5], [0.7, 0.5]])
    velocity = np.asarray([[0.02, 0.0], [-0.01, 0.0]])
    radius = np.asarray([0.1, 0.05])
    places = collided(start, velocity, radius, 16)
    after = places[-1] - places[-2]
    mass = radius[:, None] ** 2
    assert np.allclose((after * mass).sum(axis=0), (velocity * mass).sum(axis=0), atol=1e-9)
    assert (after**2 * mass).sum() == pytest.approx((velocity**2 * mass).sum())
    assert after[0, 0] < velocity[0, 0]
