from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpcore.data import media
from kpcore.data.media import open_media
from kpcore.errors import DataError, InputError


def test_an_image(tmp_path: Path):
    path = tmp_path / "Bild ü.png"
    Image.new("L", (30, 20), 77).save(path)
    opened = open_media(path)
    assert (opened.kind, opened.count, opened.fps, opened.size) == ("image", 1, None, (20, 30))
    assert (opened.name, opened.path, opened.frame_name(0)) == (path.name, path, path.name)
    assert (opened.frame(0) == 77).all()
    assert "grey" in opened.notes[0]
    with pytest.raises(ValueError, match="read-only"):
        opened.frame(0)[0, 0] = 1


def test_a_video(short_video: Path, number_of: Callable[..., int]):
    opened = open_media(short_video)
    assert (opened.kind, opened.count, opened.fps, opened.size) == ("video", 40, 25.0, (96, 160))
    assert [number_of(opened.frame(i)) for i in (39, 0, 17)] == [39, 0, 17]
    assert opened.thumbnail(17, 40).shape == (24, 40, 3)
    opened.close()


def test_a_folder_is_one_row_of_frames(
    tmp_path: Path, short_video: Path, number_of: Callable[..., int]
):
    for i in (1, 2, 10):
        Image.new("RGB", (12, 30), (i, i, i)).save(tmp_path / f"a{i}.png")
    (tmp_path / "z").mkdir()
    shutil.copy(short_video, tmp_path / "z" / "film.mp4")
    opened = open_media(tmp_path)
    assert (opened.kind, opened.count, opened.fps, opened.size) == ("folder", 43, None, (30, 12))
    assert [int(opened.frame(i)[0, 0, 0]) for i in range(3)] == [1, 2, 10]
    assert number_of(opened.frame(3 + 25)) == 25
    assert (opened.frame_name(2), opened.frame_name(5)) == ("a10.png", "z/film.mp4")
    assert opened.thumbnail(0, 15).shape == (15, 6, 3)


def test_a_folder_of_videos_plays_at_their_rate_with_few_files_open(
    tmp_path: Path, short_video: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(media, "_OPEN_VIDEOS", 2)
    for i in range(5):
        shutil.copy(short_video, tmp_path / f"{i}.mp4")
    opened = media.ClipMedia(tmp_path)
    assert (opened.fps, opened.count) == (25.0, 200)
    assert np.array_equal(opened.frame(7), opened.frame(167))
    assert len(opened._readers) == 2


def test_frames_from_many_threads(short_video: Path, number_of: Callable[..., int]):
    opened = open_media(short_video)
    wrong: list[int] = []

    def read(seed: int) -> None:
        for i in np.random.default_rng(seed).integers(0, 40, 20).tolist():
            if number_of(opened.frame(i)) != i:
                wrong.append(i)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("index", [-1, 40])
def test_no_such_frame(short_video: Path, index: int):
    opened = open_media(short_video)
    with pytest.raises(InputError, match="frames 0 to 39"):
        opened.frame(index)
    with pytest.raises(InputError, match="frames 0 to 39"):
        opened.thumbnail(index, 10)


def test_what_cannot_be_opened(tmp_path: Path):
    with pytest.raises(DataError, match="there is no file or folder"):
        open_media(tmp_path / "none")
    (tmp_path / "a.png").write_bytes(b"junk")
    for path in (tmp_path / "a.png", tmp_path):
        with pytest.raises(DataError, match="is not an image"):
            open_media(path)


def test_media_again_has_decoders_of_its_own(short_video: Path, number_of: Callable[..., int]):
    with closing(open_media(short_video)) as first:
        twin = first.again(0)
        assert number_of(twin.frame(20)) == 20
        twin.close()
        assert number_of(first.frame(21)) == 21
        assert first.times[:2] == pytest.approx((0.0, 0.04))
        assert first.warnings == ()
