from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

from kpcore.api import Window
from kpcore.data.catalog import open_source
from kpcore.data.image_folder import FrameSource
from kpcore.data.procedural_clips import SceneClips
from kpcore.data.synthetic import SCENES
from kpcore.errors import DataError, InputError

Make = Callable[..., Path]
Read = Callable[[ndarray], int]


@pytest.fixture
def clips(tmp_path: Path, make_video: Make) -> Path:
    """Clips of 10, 3 and 12 frames, numbered 0, 100 and 200 up."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for i, frames in enumerate((10, 3, 12)):
        make_video(folder / f"clip {i}.mp4", frames, first=100 * i)
    return folder


def source(path: Path, window: Window, **options: object) -> FrameSource:
    return FrameSource(path, (96, 160), window=window, **{"held_out": 0, **options})  # type: ignore[arg-type]


def numbers(read: Read, pictures: torch.Tensor) -> list[int]:
    return [read(each.permute(1, 2, 0).numpy()) for each in pictures.flatten(0, -4)]


def test_windows_hold_successive_frames_of_one_clip(clips: Path, number_of: Read):
    data = source(clips, Window(frames=3, stride=2))
    assert len(data) == 6 + 8, "the clip of 3 frames is too short for 5"
    found = data.windows(range(len(data)))
    assert found.shape == (14, 3, 3, 96, 160)
    rows = np.array(numbers(number_of, found)).reshape(14, 3)
    starts = [*range(6), *range(200, 208)]
    assert rows.tolist() == [[first, first + 2, first + 4] for first in starts]
    assert torch.equal(data.images([3, 13]), found[[3, 13], 0])


def test_windows_do_not_cross_into_what_is_held_out(clips: Path, number_of: Read):
    one = clips / "clip 2.mp4"
    train = source(one, Window(frames=3), held_out=4)
    held = source(one, Window(frames=3), held_out=4, split="held-out")
    assert max(numbers(number_of, train.windows(range(len(train))))) == 207
    assert sorted({*numbers(number_of, held.windows(range(len(held))))}) == [208, 209, 210, 211]


def test_the_stride_of_the_data_comes_first(clips: Path, number_of: Read):
    data = source(clips / "clip 0.mp4", Window(frames=2), stride=3)
    assert numbers(number_of, data.windows([0, 1])) == [0, 3, 3, 6]


def test_references_are_other_frames_nearby(clips: Path, number_of: Read):
    data = source(clips, Window(reference_within=2))
    everything = range(len(data))
    at = numbers(number_of, data.images(everything))
    gaps = set()
    for step in range(8):
        references = data.references(everything, (0, step))
        assert references is not None
        assert torch.equal(references, data.references(everything, (0, step)))  # type: ignore[arg-type]
        gaps |= {b - a for a, b in zip(at, numbers(number_of, references), strict=True)}
    assert gaps == {-2, -1, 1, 2}


def test_stills_have_no_reference_but_are_a_clip(tmp_path: Path):
    for i in range(4):
        Image.new("RGB", (9, 9), (i, i, i)).save(tmp_path / f"{i}.png")
    data = FrameSource(tmp_path, (8, 8), held_out=0, window=Window(reference_within=3))
    assert data.references([0], (0, 0)) is None
    data = FrameSource(tmp_path, (8, 8), held_out=0, window=Window(frames=2))
    assert data.windows([1])[0, :, 0, 0, 0].tolist() == [1, 2]


def test_a_single_picture_is_too_short_a_clip(tmp_path: Path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"3 successive frames.*longest clip.*has 1.*longer videos"):
        open_source(str(tmp_path / "a.png"), (8, 8), held_out=0, window=Window(frames=3))


@pytest.mark.parametrize("pool", [0, 70])
@pytest.mark.parametrize("split", ["train", "held-out"])
def test_scenes_in_motion(pool: int, split: str):
    window = Window(frames=3, stride=2, reference_within=4)
    make = lambda: open_source("bouncing", (16, 16), split=split, pool=pool, window=window)  # type: ignore[arg-type]  # noqa: E731
    data = make()
    assert isinstance(data, SceneClips)
    assert data.window == window
    chosen = [0, 7, 65, len(data) - 1]
    found = data.windows(chosen)
    assert found.shape == (4, 3, 3, 16, 16)
    assert torch.equal(found, make().windows(chosen)), "a pure function of the index"
    assert torch.equal(found[:, 0], data.images(chosen))
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[:, 0], found[:, 2]), "they move"
    references = data.references(chosen, (1, 2))
    assert references is not None
    assert not any(torch.equal(a, b) for a, b in zip(references, found[:, 0], strict=True))


def test_windows_of_scenes_are_parts_of_their_clips():
    data = SceneClips("bouncing", (16, 16), Window(frames=2, stride=3), pool=70, seed=5)
    assert len(data) == 3 * 29
    clip = SCENES["bouncing"].clip(5, 1, 16, 32).image
    want = torch.from_numpy((clip * 255.0).round().astype(np.uint8))
    assert torch.equal(data.windows([1 + 3 * 4])[0], want[[4, 7]])


def test_an_endless_source_of_scenes_keeps_few_clips(monkeypatch: pytest.MonkeyPatch):
    data = SceneClips("bouncing", (8, 8), Window(frames=2), cache_bytes=0)
    drawn: list[int] = []
    draw = data._draw
    monkeypatch.setattr(data, "_draw", lambda number: drawn.append(number) or draw(number))
    for first in range(0, 64 * 20, 64):
        data.images(range(first, first + 64))
    assert len(data._clips) == 64
    assert len(drawn) == len(set(drawn)), "no clip is drawn twice"
    assert len(drawn) <= 64 * 3


def test_impossible_windows_are_refused():
    with pytest.raises(InputError, match="at least 1, 1 and 0"):
        Window(frames=0)
