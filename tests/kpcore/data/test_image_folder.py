from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from kpcore.configuration import from_plain
from kpcore.data import frame_cache, image_folder
from kpcore.data.image_folder import FrameSource
from kpcore.data.resample import apply_framing
from kpcore.data.video import Video
from kpcore.errors import DataError, InputError
from kpcore.geometry.framing import FramingRule

Make = Callable[..., Path]


@pytest.fixture
def three_videos(tmp_path: Path, make_video: Make) -> Path:
    """Three clips of 10 frames, numbered 0, 100 and 200 up."""
    folder = tmp_path / "vidéos 道路"
    folder.mkdir()
    for i in range(3):
        make_video(folder / f"clip {i}.mp4", 10, first=100 * i)
    return folder


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """30 pictures of one shade each, 1 to 30, of various sizes."""
    folder = tmp_path / "stills"
    folder.mkdir()
    for i in range(1, 31):
        Image.new("RGB", (10 + i, 20), (i, i, i)).save(folder / f"frame{i}.png")
    return folder


def shades(source: FrameSource) -> list[int]:
    return source.images(range(len(source)))[:, 0, 3, 3].tolist()


@pytest.mark.parametrize("plan", ["disk", "memory", "on demand"])
def test_frames_are_the_videos_framed(tmp_path: Path, three_videos: Path, plan: str):
    source = FrameSource(
        three_videos,
        (64, 64),
        held_out=0,
        cache=tmp_path / "cache" if plan == "disk" else None,
        memory_bytes=0 if plan != "memory" else 10**9,
    )
    assert bool(source._rows) == (plan != "on demand")
    assert len(source) == 30
    order = [29, 0, 15, 15, 3]
    batch = source.images(order)
    assert batch.dtype == torch.uint8
    assert batch.shape == (5, 3, 64, 64)
    for row, index in zip(batch, order, strict=True):
        with Video(three_videos / f"clip {index // 10}.mp4") as video:
            framing = FramingRule().resolve(video.size, (64, 64))
            expected = apply_framing(framing, video.frame(index % 10))
        assert (row.permute(1, 2, 0).numpy() == expected).all()


def test_train_and_held_out_share_no_clip(three_videos: Path):
    train = FrameSource(three_videos, (32, 32), held_out=1)
    held = FrameSource(three_videos, (32, 32), held_out=1, split="held-out")
    assert (len(train), len(held)) == (20, 10)
    assert train.description.held_out == held.description.held_out
    names = train.description.held_out
    assert len(names) == 1
    number = int(names[0].split()[1][0])
    whole = FrameSource(three_videos, (32, 32), held_out=0)
    assert torch.equal(held.images(range(10)), whole.images(range(10 * number, 10 * number + 10)))


def test_a_folder_of_stills_is_one_clip_in_natural_order(stills: Path):
    train = FrameSource(stills, (16, 16), held_out=0.2)
    held = FrameSource(stills, (16, 16), held_out=0.2, split="held-out")
    assert shades(train) == list(range(1, 25))
    assert shades(held) == list(range(25, 31))


def test_stride(stills: Path, short_video: Path, number_of: Callable[..., int]):
    assert shades(FrameSource(stills, (16, 16), held_out=0, stride=7)) == [1, 8, 15, 22, 29]
    source = FrameSource(
        short_video, (96, 160), held_out=0, stride=15, framing=FramingRule("stretch")
    )
    assert [number_of(i.permute(1, 2, 0).numpy()) for i in source.images(range(3))] == [0, 15, 30]


def test_a_second_start_reads_only_the_cache(
    tmp_path: Path, three_videos: Path, monkeypatch: pytest.MonkeyPatch
):
    first = FrameSource(three_videos, (32, 32), cache=tmp_path / "cache")

    def refuse(*_: object) -> Any:
        raise AssertionError("decoded again")

    monkeypatch.setattr(FrameSource, "_bring", refuse)
    second = FrameSource(three_videos, (32, 32), cache=tmp_path / "cache")
    everything = range(len(first))
    assert torch.equal(first.images(everything), second.images(everything))


def test_a_changed_file_is_read_anew(tmp_path: Path, stills: Path):
    FrameSource(stills, (16, 16), held_out=0, cache=tmp_path / "cache")
    Image.new("RGB", (12, 20), (250, 250, 250)).save(stills / "frame1.png")
    assert shades(FrameSource(stills, (16, 16), held_out=0, cache=tmp_path / "cache"))[0] == 250


def test_a_full_disk_falls_back_to_memory(
    tmp_path: Path, stills: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(frame_cache.os, "replace", refuse)
    source = FrameSource(stills, (16, 16), held_out=0, cache=tmp_path / "cache")
    assert shades(source) == list(range(1, 31))
    assert not list((tmp_path / "cache").iterdir())


def test_progress_reaches_the_whole(tmp_path: Path, three_videos: Path):
    for _ in range(2):
        seen: list[int] = []
        totals: set[int] = set()

        def report(done: int, total: int, seen: list[int] = seen, totals: set[int] = totals):
            seen.append(done)
            totals.add(total)

        cache = tmp_path / "cache"
        FrameSource(three_videos, (32, 32), held_out=1, cache=cache, progress=report)
        assert (seen[-1], totals) == (20, {20})
        assert seen == sorted(seen)


def test_an_interruption_while_loading_comes_through(stills: Path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FrameSource(stills, (16, 16), progress=stop)


def test_the_description_gives_the_framing_back(stills: Path):
    rule = FramingRule("pad", (1, 2, 9, 12))
    described = FrameSource(stills, (16, 16), framing=rule, stride=2).description
    assert from_plain(FramingRule, described.framing) == rule
    assert described.options["stride"] == 2
    assert described.images == 13


def test_many_videos_on_demand_keep_few_files_open(
    tmp_path: Path, short_video: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(image_folder, "_OPEN_VIDEOS", 2)
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(5):
        shutil.copy(short_video, folder / f"{i}.mp4")
    source = FrameSource(folder, (16, 16), held_out=0, memory_bytes=0)
    batch = source.images([0, 40, 80, 120, 160, 0])
    assert len(source._readers) == 2
    assert all(torch.equal(row, batch[0]) for row in batch)


# -- bad input ----------------------------------------------------------------------------------
def test_a_damaged_file_is_named(three_videos: Path):
    (three_videos / "clip 9.mp4").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"'clip 9\.mp4' is not a video"):
        FrameSource(three_videos, (16, 16))


def test_a_damaged_picture_is_named(stills: Path):
    data = (stills / "frame7.png").read_bytes()
    (stills / "frame7.png").write_bytes(data[:-30])
    with pytest.raises(DataError, match=r"frame7\.png"):
        FrameSource(stills, (16, 16))


def test_an_index_out_of_range(stills: Path):
    source = FrameSource(stills, (16, 16), held_out=0)
    for index in (-1, 30):
        with pytest.raises(InputError, match="there are images 0 to 29"):
            source.images([index])


def test_a_stride_below_one(stills: Path):
    with pytest.raises(InputError, match="the stride is 0"):
        FrameSource(stills, (16, 16), stride=0)


def test_a_box_outside_the_pictures(stills: Path):
    with pytest.raises(DataError, match="outside a picture of 11 x 20"):
        FrameSource(stills, (16, 16), framing=FramingRule(box=(500, 0, 600, 20)))


def test_real_traffic_where_it_is_at_hand(tmp_path: Path, make_video: Make):
    """The road camera's clips beside the repository, or made-up clips: frames differ, sizes fit."""
    real = Path(__file__).resolve().parents[4] / "shared" / "data" / "traffic_jamcam"
    folder = tmp_path / "clips"
    folder.mkdir()
    for i, path in enumerate(sorted(real.glob("*.mp4"))[:2]):
        shutil.copy(path, folder / f"{i}.mp4")
    if not any(folder.iterdir()):
        for i in range(2):
            make_video(folder / f"{i}.mp4", 258, first=i)
    source = FrameSource(folder, (128, 128), held_out=1, split="held-out")
    assert 258 <= len(source) <= 281
    ends = source.images([0, len(source) - 1]).float()
    assert (ends[0] - ends[1]).abs().mean() > 1
