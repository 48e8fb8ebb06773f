from __future__ import annotations

import subprocess
import sys

import pytest

from kpcore.configuration import from_plain, to_plain
from kpcore.errors import DataError, InputError
from kpcore.geometry.framing import FramingRule


def test_crop_takes_the_middle_of_the_models_shape():
    assert FramingRule().resolve((288, 352), (128, 128)).box == (32, 0, 320, 288)
    assert FramingRule().resolve((400, 100), (64, 128)).box == (0, 175, 100, 225)


def test_stretch_takes_the_whole_picture():
    assert FramingRule("stretch").resolve((288, 352), (128, 128)).box == (0, 0, 352, 288)


def test_pad_reaches_beyond_the_picture_and_knows_what_is_visible():
    framing = FramingRule("pad").resolve((100, 200), (64, 64))
    assert framing.box == (0, -50, 200, 150)
    assert framing.visible == (0, 0, 200, 100)
    assert framing.box_size == (200, 200)


def test_a_box_is_cut_to_the_picture():
    framing = FramingRule("stretch", (61, 40, 291, 270)).resolve((288, 352), (128, 128))
    assert framing.box == (61, 40, 291, 270)
    assert FramingRule("stretch", (300, 200, 900, 900)).resolve((288, 352), (8, 8)).box == (
        300,
        200,
        352,
        288,
    )


def test_a_box_is_cropped_to_the_models_shape():
    assert FramingRule("crop", (10, 10, 110, 60)).resolve((288, 352), (8, 8)).box == (
        35,
        10,
        85,
        60,
    )


def test_a_box_outside_the_picture_is_refused():
    with pytest.raises(DataError, match=r"outside a picture of 100 x 50"):
        FramingRule("crop", (200, 0, 300, 50)).resolve((50, 100), (8, 8))


@pytest.mark.parametrize("box", [(5, 0, 5, 9), (0, 9, 9, 0)])
def test_an_empty_box_is_refused(box: tuple[float, float, float, float]):
    with pytest.raises(InputError, match="is empty"):
        FramingRule("crop", box)


def test_an_unknown_fit_is_refused():
    with pytest.raises(InputError, match="use crop, stretch or pad"):
        FramingRule("squash")  # type: ignore[arg-type]


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("source", [(1, 1), (288, 352), (1000, 31), (3, 4000)])
def test_there_and_back_is_the_same_place(fit: str, source: tuple[int, int]):
    framing = FramingRule(fit).resolve(source, (96, 128))  # type: ignore[arg-type]
    for point in ((-1.0, -1.0), (0.25, -0.75), (1.0, 1.0)):
        assert framing.to_model(*framing.to_source(*point)) == pytest.approx(point, abs=1e-9)


def test_the_models_edges_are_the_boxs_edges():
    framing = FramingRule().resolve((288, 352), (128, 128))
    x, y = framing.to_source(-1.0, 1.0)
    assert (x + 1) * 352 / 2 == pytest.approx(32)
    assert (y + 1) * 288 / 2 == pytest.approx(288)


def test_a_one_pixel_picture_can_be_framed():
    for fit in ("crop", "stretch", "pad"):
        framing = FramingRule(fit).resolve((1, 1), (64, 32))  # type: ignore[arg-type]
        assert min(framing.box_size) >= 1


def test_a_rule_survives_a_checkpoints_json():
    rule = FramingRule("pad", (1.0, 2.0, 30.0, 40.0))
    assert from_plain(FramingRule, to_plain(rule)) == rule


def test_framing_and_media_need_no_torch():
    code = (
        "import sys, kpcore.geometry.framing, kpcore.data.media; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
