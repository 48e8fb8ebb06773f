from __future__ import annotations

import numpy as np
import pytest

from kpcore.data.resample import apply_framing, resize, undo_framing
from kpcore.errors import ShapeError
from kpcore.geometry.framing import FramingRule


def spot(height: int, width: int, x: int, y: int, side: int = 9) -> np.ndarray:
    """A black picture with a white square of odd `side` centred on pixel (x, y)."""
    picture = np.zeros((height, width, 3), np.uint8)
    half = side // 2
    picture[y - half : y + half + 1, x - half : x + half + 1] = 255
    return picture


def centre(picture: np.ndarray) -> tuple[float, float]:
    """Centre of brightness in unit coordinates."""
    weight = picture.mean(axis=2)
    height, width = weight.shape
    x = (weight.sum(0) * (2 * np.arange(width) + 1) / width).sum() / weight.sum() - 1
    y = (weight.sum(1) * (2 * np.arange(height) + 1) / height).sum() / weight.sum() - 1
    return float(x), float(y)


def test_shrinking_takes_area_means():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :2] = [[[0] * 3, [100] * 3], [[100] * 3, [200] * 3]]
    assert resize(picture, (2, 2))[..., 0].tolist() == [[100, 0], [0, 0]]


def test_one_axis_may_shrink_while_the_other_grows():
    picture = np.full((8, 2, 3), 77, np.uint8)
    assert resize(picture, (2, 8)).shape == (2, 8, 3)
    assert (resize(picture, (2, 8)) == 77).all()


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("size", [(64, 64), (300, 400), (50, 90)])
def test_pixels_land_where_the_framing_says(fit: str, size: tuple[int, int]):
    source = spot(210, 301, 170, 90)
    framing = FramingRule(fit).resolve((210, 301), size)  # type: ignore[arg-type]
    expected = framing.to_model(*centre(source))
    assert centre(apply_framing(framing, source)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_undoing_puts_an_edit_where_it_belongs(fit: str):
    """Only the framed part changes, and a mark made in the model's picture lands in place."""
    original = np.zeros((210, 301, 3), np.uint8)
    original[:, :10] = 60
    framing = FramingRule(fit).resolve((210, 301), (64, 64))  # type: ignore[arg-type]
    edited = spot(64, 64, 40, 22)
    whole = undo_framing(framing, edited, original)
    assert whole.shape == original.shape
    outside = np.ones((210, 301), bool)
    left, top, right, bottom = framing.visible
    outside[top:bottom, left:right] = False
    assert (whole[outside] == original[outside]).all()
    whole[outside] = 0
    assert centre(whole) == pytest.approx(framing.to_source(*centre(edited)), abs=0.01)


def test_padding_is_black_and_is_lost_again():
    source = np.full((20, 40, 3), 200, np.uint8)
    framing = FramingRule("pad").resolve((20, 40), (40, 40))
    view = apply_framing(framing, source)
    assert (view[:9] == 0).all()
    assert (view[10:30] == 200).all()
    assert (undo_framing(framing, view, source)[2:18] == 200).all()


def test_one_pixel_and_a_thin_strip_fill_the_model():
    for shape in ((1, 1, 3), (1, 500, 3), (500, 1, 3)):
        picture = np.full(shape, 90, np.uint8)
        for fit in ("crop", "stretch"):
            framing = FramingRule(fit).resolve(shape[:2], (32, 48))  # type: ignore[arg-type]
            assert (apply_framing(framing, picture) == 90).all()


def test_a_picture_of_another_size_is_refused():
    framing = FramingRule().resolve((20, 40), (16, 16))
    with pytest.raises(ShapeError, match=r"is 30 x 20 pixels; this framing is for 40 x 20"):
        apply_framing(framing, np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(ShapeError, match="model picture"):
        undo_framing(framing, np.zeros((8, 8, 3), np.uint8), np.zeros((20, 40, 3), np.uint8))
