"""What the sets of TUSK's experiments are said to hold."""

from __future__ import annotations

import numpy as np
import pytest

from kpcore.data.synthetic.mnist_hard import MnistHard
from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.data.synthetic.shaded_shapes import ShadedShapes
from kpcore.data.synthetic.tetrominoes import COLOURS, SHAPES, Tetrominoes


def test_there_are_nineteen_tetrominoes_of_four_squares():
    assert len({name for name, _ in SHAPES}) == 19
    assert all(shape.sum() == 4 for _, shape in SHAPES)
    count = {letter: sum(name[0] == letter for name, _ in SHAPES) for letter in "IOSZTLJ"}
    assert count == {"I": 2, "O": 1, "S": 2, "Z": 2, "T": 4, "L": 4, "J": 4}


def test_a_picture_has_three_whole_pieces_in_the_colours_that_it_says():
    for index in range(20):
        scene = Tetrominoes().sample(0, index, 35)
        assert scene.mask.sum((1, 2)).tolist() == [100, 100, 100]
        for mask, said in zip(scene.mask, scene.attributes, strict=True):
            colours = scene.image[:, mask]
            assert (colours == np.array(COLOURS[said["colour"]])[:, None]).all()
        assert (scene.image[:, ~scene.mask.any(0)] == 0.0).all()


def test_enlarged_pixels_are_repeated():
    small, large = (Tetrominoes().sample(2, 3, size).image for size in (35, 70))
    np.testing.assert_array_equal(large, small.repeat(2, 1).repeat(2, 2))


@pytest.fixture
def hard() -> MnistHard:
    """Digits that are squares whose brightness tells their row."""
    digits = np.zeros((60, 28, 28), np.uint8)
    digits[:, 4:24, 4:24] = (100 + 2 * np.arange(60))[:, None, None]
    return MnistHard(digits, (np.arange(60) % 10).astype(np.uint8))


def test_nine_digits_fill_boxes_of_twenty_pixels_where_positions_say(hard: MnistHard):
    scene = hard.sample(0, 0, 80)
    assert scene.position.shape == (9, 2)
    assert len(scene.attributes) == 9
    assert (np.abs(scene.position) <= 0.75).all()
    for mask, place, visible in zip(scene.mask, scene.position, scene.visible, strict=True):
        if visible == 1.0:
            assert mask.sum() == 400
            rows, columns = np.nonzero(mask)
            middle = np.array([columns.mean(), rows.mean()]) + 0.5
            assert np.abs(middle - (place + 1.0) * 40.0).max() <= 0.5


def test_digits_are_seventeen_pixels_apart(hard: MnistHard):
    for index in range(10):
        place = hard.sample(0, index, 80).position * 40.0
        gap = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) + 100.0 * np.eye(9)
        assert gap.min() >= 17.0 - 1e-3


def test_held_out_pictures_show_digits_that_training_never_sees(hard: MnistHard):
    def shown(seed: int) -> set[int]:
        grey = [hard.sample(seed, index, 80).image[0] for index in range(20)]
        return {round((float(v) * 255.0 - 100.0) / 2.0) for g in grey for v in np.unique(g[g > 0])}

    assert max(shown(0)) < 50 <= min(shown(HELD_OUT_SEED))


def test_a_third_of_each_shaded_shape_shows():
    for index in range(8):
        scene = ShadedShapes(7, 10).sample(0, index, 48)
        assert scene.visible.min() > 0.33
        assert scene.attributes[0].keys() == {"shape", "colour", "size", "material"}
        assert (np.diff(scene.position[:, 1]) >= 0).all(), "farther things come first"
