from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpcore.data import frame_cache
from kpcore.data.clips import Clip
from kpcore.geometry.framing import FramingRule

ROWS = np.random.default_rng(0).integers(0, 255, (4, 3, 5, 6)).astype(np.uint8)


def test_rows_come_back_from_the_disk(tmp_path: Path):
    file = tmp_path / "a.npy"
    kept = frame_cache.keep(file, iter(ROWS), ROWS.shape)
    assert isinstance(kept, np.memmap)
    assert (kept == ROWS).all()
    again = frame_cache.recall(file, ROWS.shape)
    assert again is not None
    assert (again == ROWS).all()


@pytest.mark.parametrize("content", [b"", b"junk", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_counts_as_absent(tmp_path: Path, content: bytes):
    file = tmp_path / "a.npy"
    file.write_bytes(content)
    assert frame_cache.recall(file, ROWS.shape) is None


def test_a_file_of_another_shape_or_cut_short_counts_as_absent(tmp_path: Path):
    file = tmp_path / "a.npy"
    frame_cache.keep(file, iter(ROWS), ROWS.shape)
    assert frame_cache.recall(file, (5, 3, 5, 6)) is None
    file.write_bytes(file.read_bytes()[:-1])
    assert frame_cache.recall(file, ROWS.shape) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
):
    def refuse(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(
        os if code == errno.ENOSPC else tempfile,
        "replace" if code == errno.ENOSPC else "NamedTemporaryFile",
        refuse,
    )
    assert frame_cache.keep(tmp_path / "a.npy", iter(ROWS), ROWS.shape) is None
    assert not list(tmp_path.iterdir())


def test_an_interrupted_clip_leaves_nothing(tmp_path: Path):
    def rows() -> Any:
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        frame_cache.keep(tmp_path / "a.npy", rows(), ROWS.shape)
    assert not list(tmp_path.iterdir())


def test_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frame_cache, "LIMIT_BYTES", 1300)
    for age, name in enumerate(("c", "a", "b")):
        file = tmp_path / f"{name}.npy"
        frame_cache.keep(file, iter(ROWS), ROWS.shape)
        os.utime(file, (age, age))
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["a", "b"]


def test_every_cause_of_other_pixels_changes_the_name(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1234")
    os.utime(path, (1, 1))
    clip, rule = Clip("a.mp4", (path,), "video"), FramingRule()
    names = {
        frame_cache.cache_name(clip, rule, (8, 8), 1),
        frame_cache.cache_name(clip, FramingRule("pad"), (8, 8), 1),
        frame_cache.cache_name(clip, rule, (8, 9), 1),
        frame_cache.cache_name(clip, rule, (8, 8), 2),
    }
    assert frame_cache.cache_name(clip, rule, (8, 8), 1) in names
    os.utime(path, (2, 2))
    names.add(frame_cache.cache_name(clip, rule, (8, 8), 1))
    path.write_bytes(b"12345")
    os.utime(path, (2, 2))
    names.add(frame_cache.cache_name(clip, rule, (8, 8), 1))
    assert len(names) == 6


def test_room_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert frame_cache.has_room(tmp_path / "new", 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    assert not frame_cache.has_room(tmp_path, 10)
    (tmp_path / "file").write_text("in the way")
    assert not frame_cache.has_room(tmp_path / "file" / "below", 10)
