from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpcore.data.video import Video
from kpcore.data.video_writer import VideoWriter
from kpcore.errors import DataError, InputError


def shade(number: int, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    return np.full((*size, 3), 20 * number, np.uint8)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "folder/a.mov"])
def test_frames_come_back_in_order(tmp_path: Path, name: str):
    path = tmp_path / name
    with VideoWriter(path, (32, 48), 12.5) as writer:
        for number in range(10):
            writer.write(shade(number))
        assert not path.exists(), "not before it is complete"
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with Video(path) as video:
        assert len(video) == 10
        assert video.size == (32, 48)
        assert video.fps == pytest.approx(12.5)
        for number in range(10):
            assert abs(int(video.frame(number).mean()) - 20 * number) <= 2


def test_odd_sizes_get_a_column_more(tmp_path: Path):
    with VideoWriter(tmp_path / "a.mp4", (33, 47), 10) as writer:
        writer.write(shade(5, (33, 47)))
    with Video(tmp_path / "a.mp4") as video:
        assert video.size == (34, 48)


def test_an_error_leaves_what_was_there_before(tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")

    def broken() -> None:
        with VideoWriter(path, (32, 48), 10) as writer:
            writer.write(shade(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    with VideoWriter(path, (32, 48), 10) as writer:
        writer.write(shade(1))
        writer.discard()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"does not end in \.mp4, \.mov or \.mkv"):
        VideoWriter(tmp_path / "a.gif", (32, 48), 10)
    with pytest.raises(InputError, match="0 frames per second"):
        VideoWriter(tmp_path / "a.mp4", (32, 48), 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="choose a folder that can be written"):
        VideoWriter(tmp_path / "file" / "a.mp4", (32, 48), 10)
    with (
        pytest.raises(InputError, match="does not fit a video of 48 x 32"),
        VideoWriter(tmp_path / "a.mp4", (32, 48), 10) as writer,
    ):
        writer.write(shade(1, (32, 32)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
