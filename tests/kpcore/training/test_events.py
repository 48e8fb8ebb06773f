from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kpcore.errors import TrainingError
from kpcore.training.event_log import EventLog
from kpcore.training.events import (
    CheckpointWritten,
    Event,
    Failed,
    Finished,
    Metrics,
    Resumed,
    Snapshot,
    Started,
    Stopped,
    Validation,
    Warned,
    from_line,
    read_events,
    read_pictures,
    read_record,
    to_line,
)

ALL: list[Event] = [
    Started(10, "cpu", 5),
    Resumed(4, 10),
    Metrics(5, 0.5, "all", 1.5, {"mse": 1.0}, {"psnr_db": 20.0}, 1e-3, 12.0),
    Validation(5, 1.25, 21.0, {"mse": 1.25}, 8),
    Snapshot(5, "snapshots/a.npz", "snapshots/a.safetensors"),
    CheckpointWritten(5, "checkpoints/a.safetensors", best=True),
    Warned(6, "snapshot left out"),
    Finished(10, "model.safetensors", 2.0),
    Stopped(6, "stopped by Ctrl-C"),
    Failed(6, "größer als erwartet"),
]


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_events_go_through_a_line(event: Event):
    line = to_line(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_line(line) == event


def test_numbers_that_are_not_finite_are_left_out():
    event = from_line(to_line(Metrics(1, 0.0, "all", 2.0, {"a": float("nan"), "b": 1.0})))
    assert isinstance(event, Metrics)
    assert event.terms == {"b": 1.0}


def test_reader_waits_for_the_rest_of_a_line(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    first, second = to_line(ALL[0]), to_line(ALL[2])
    path.write_bytes(first + second[:20])
    events, offset = read_events(path)
    assert events == [ALL[0]]
    assert read_events(path, offset) == ([], offset)
    path.write_bytes(first + second)
    events, offset = read_events(path, offset)
    assert events == [ALL[2]]
    assert offset == len(first + second)


def test_reader_passes_over_damaged_and_later_lines(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    damaged = b'{"event": "step", "st\n[1]\n\xff\xfe\n{"event": "teleported"}\n\n'
    path.write_bytes(to_line(ALL[0]) + damaged + to_line(ALL[3]))
    assert read_events(path)[0] == [ALL[0], ALL[3]]


def test_reader_of_nothing_and_of_a_file_that_shrank(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    assert read_events(path) == ([], 0)
    path.write_bytes(to_line(ALL[0]))
    assert read_events(path, 10_000)[0] == [ALL[0]]


def test_log_begins_on_a_fresh_line_after_a_crash(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(to_line(ALL[0]) + b'{"event": "step"')
    log = EventLog(path)
    log.append([ALL[1]])
    log.close()
    assert read_events(path)[0] == ALL[:2]


def test_log_waits_for_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    write = os.write

    def full(file: int, block: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def half(file: int, block: bytes) -> int:
        return write(file, block[: len(block) // 2])

    for trouble in (full, half):
        monkeypatch.setattr(os, "write", trouble)
        log.append([ALL[0]])
        assert read_events(path)[0] == []
    monkeypatch.setattr(os, "write", write)
    log.append([ALL[2]])
    log.close()
    assert read_events(path)[0] == [ALL[0], ALL[0], ALL[2]]


def test_two_writers_are_refused(tmp_path: Path):
    pytest.importorskip("fcntl")
    log = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(TrainingError, match="another 'kp train'"):
        EventLog(tmp_path / "events.jsonl")
    log.close()
    EventLog(tmp_path / "events.jsonl").close()


def test_what_is_not_a_run_is_said(tmp_path: Path):
    with pytest.raises(TrainingError, match="not a run directory"):
        read_record(tmp_path)
    (tmp_path / "config.json").write_text('{"family": "toy"')
    with pytest.raises(TrainingError, match="damaged"):
        read_record(tmp_path)


def test_probe_pictures_that_are_gone_are_said(tmp_path: Path):
    snapshot = Snapshot(1, "snapshots/step.npz", "snapshots/step.safetensors")
    with pytest.raises(TrainingError, match="step 1"):
        read_pictures(tmp_path, snapshot)


def test_reading_a_run_needs_no_torch():
    code = "import sys, kpcore.training.events; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
