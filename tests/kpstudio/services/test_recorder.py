from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpcore.data.video import Video
from kpcore.errors import DataError, InputError
from kpstudio.services import recorder as recorder_module
from kpstudio.services.recorder import Recorder


def frame(value: int, size: tuple[int, int] = (48, 64), channels: int = 4) -> np.ndarray:
    return np.full((*size, channels), value, np.uint8)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_frames_become_an_mp4(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "öut.mp4"
    recorder = Recorder(path, fps=10, live=False)
    blue = frame(0)
    blue[..., 0] = 255  # BGRA
    for picture in [blue] * 5 + [frame(255)] * 5:
        assert recorder.add(picture)
    done = recorder.stop()
    assert (done.frames, done.dropped, done.seconds) == (10, 0, 1.0)
    assert done.bytes == path.stat().st_size
    with Video(path) as video:
        assert len(video) == 10
        assert video.frame(0)[20, 20, 2] > 230
        assert video.frame(0)[20, 20, 0] < 30
        assert video.frame(9).min() > 230
    assert list(path.parent.iterdir()) == [path]


def test_odd_sizes_and_resized_windows_are_taken(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "odd.mp4", live=False)
    recorder.add(frame(9, (47, 63)))
    recorder.add(frame(9, (100, 31)))
    recorder.stop()
    with Video(tmp_path / "odd.mp4") as video:
        assert video.size == (46, 62)
        assert len(video) == 2


def test_places_without_a_frame_repeat_the_one_before(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path / "live", fps=10, clock=clock)
    assert recorder.add(frame(10))
    assert not recorder.add(frame(11))  # too early: still the first tenth of a second
    clock.now += 0.3
    assert recorder.add(frame(20))
    clock.now += 0.2
    assert recorder.recording.seconds == pytest.approx(0.5)
    done = recorder.stop()
    assert done.frames == 5
    values = []
    for file in sorted((tmp_path / "live").iterdir()):
        with Image.open(file) as image:
            values.append(np.asarray(image)[0, 0, 0])
    assert values == [10, 10, 10, 20, 20]


def test_a_slow_writer_drops_and_counts_but_never_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    class SlowSink:
        def write(self, _: np.ndarray) -> None:
            assert gate.wait(30)

        def finish(self) -> None:
            (tmp_path / "slow.mp4").touch()

        def abort(self) -> None: ...

    monkeypatch.setattr(recorder_module, "sink_for", lambda *_: SlowSink())
    clock = Clock()
    recorder = Recorder(tmp_path / "slow.mp4", fps=10, clock=clock)
    taken = 0
    for _ in range(40):
        taken += recorder.add(frame(1))
        clock.now += 0.1
    dropped = recorder.recording.dropped
    assert taken + dropped == 40
    assert dropped > 20
    gate.set()
    done = recorder.stop()
    assert done.dropped == dropped
    assert done.frames == 40  # dropped ones are filled by the ones before


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / "full", live=False)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    recorder.add(frame(1))
    with pytest.raises(DataError, match="No space left on device"):
        recorder.stop()
    assert recorder.error is not None
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_cannot_write_is_a_sentence(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "gone" / "a.mp4", live=False)
    (tmp_path / "gone").rmdir()
    for _ in range(50):
        recorder.add(frame(1))
    with pytest.raises(DataError, match=r"a\.mp4|recording"):
        recorder.stop()


def test_a_disk_that_fills_up_while_encoding_is_a_sentence(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    recorder = Recorder(tmp_path / "a.mp4", live=False)
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 4), np.uint8)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        for index in range(60):
            recorder.add(np.roll(noise, index, axis=0))
        with pytest.raises(DataError, match="choose a folder with room"):
            recorder.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, previous)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DataError, match="cannot record"):
        Recorder(blocked / "a.mp4")


def test_an_older_recording_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_text("old")
    recorder = Recorder(path, live=False)
    with pytest.raises(DataError, match="nothing was recorded"):
        recorder.stop()
    assert path.read_text() == "old"
    recorder = Recorder(path, fps=20, live=False)
    for value in (0, 120, 255):
        recorder.add(frame(value, channels=3))
    recorder.stop()
    with Image.open(path) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.mp4 or \.gif"):
        Recorder(tmp_path / "a.avi")
