from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from kpcore.errors import DataError
from kpstudio.services.read_ahead import ReadAhead


class Reader:
    """Frames of 100 bytes; waits at a gate, and refuses some."""

    warnings = ()

    def __init__(self, broken: tuple[int, ...] = ()) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.broken = broken
        self.asked: list[int] = []
        self.closed = False

    def read(self, frame: int) -> np.ndarray:
        assert self.gate.wait(10)
        self.asked.append(frame)
        if frame in self.broken:
            raise DataError(f"frame {frame} is damaged")
        return np.full((10, 10), frame % 256, np.uint8)

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, limit: int = 10_000) -> None:
        self.posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self.read: list[tuple[int, int]] = []
        self.faults: list[tuple[int, str]] = []
        self.ahead = ReadAhead(
            self.posted.put,
            lambda key, frame, picture: self.read.append((key, frame)),
            lambda frame, text: self.faults.append((frame, text)),
            limit,
        )

    def wait(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not until():
            assert time.monotonic() < end
            try:
                self.posted.get(timeout=0.02)()
            except queue.Empty:
                continue


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.ahead.close(2.0)


def test_frames_are_read_in_the_order_of_need_and_told(bench: Bench):
    reader = Reader()
    bench.ahead.open(1, reader)  # type: ignore[arg-type]
    bench.ahead.want([5, 6, 7])
    bench.wait(lambda: len(bench.read) == 3)
    assert reader.asked == [5, 6, 7]
    assert bench.read == [(1, 5), (1, 6), (1, 7)]
    assert bench.ahead.is_ready(6)
    assert not bench.ahead.is_ready(8)
    assert bench.ahead.get(7)[0, 0] == 7  # type: ignore[index]


def test_what_is_no_longer_wanted_is_not_read(bench: Bench):
    reader = Reader()
    reader.gate.clear()
    bench.ahead.open(1, reader)  # type: ignore[arg-type]
    bench.ahead.want(range(100))
    time.sleep(0.02)
    bench.ahead.want([500])
    reader.gate.set()
    bench.wait(lambda: bench.ahead.is_ready(500))
    assert len(reader.asked) <= 2


def test_the_budget_holds_and_reading_ahead_stops_at_it():
    bench = Bench(limit=1_000)
    reader = Reader()
    bench.ahead.open(1, reader)  # type: ignore[arg-type]
    bench.ahead.want(range(50))
    bench.wait(lambda: len(reader.asked) >= 9)
    time.sleep(0.05)
    assert len(reader.asked) <= 11
    assert bench.ahead.nbytes <= 1_000
    assert bench.ahead.is_ready(0)
    bench.ahead.close(2.0)


def test_a_frame_that_cannot_be_read_is_told_once_and_holds_nothing_up(bench: Bench):
    bench.ahead.open(1, Reader(broken=(1,)))  # type: ignore[arg-type]
    bench.ahead.want([0, 1, 2])
    bench.wait(lambda: bench.ahead.is_ready(2))
    bench.wait(lambda: bool(bench.faults))
    assert bench.faults == [(1, "frame 1 is damaged")]
    assert bench.ahead.is_ready(1)
    assert bench.ahead.get(1) is None


def test_answers_of_another_clip_are_dropped(bench: Bench):
    first, second = Reader(), Reader()
    first.gate.clear()
    bench.ahead.open(1, first)  # type: ignore[arg-type]
    bench.ahead.want([3])
    time.sleep(0.02)
    bench.ahead.open(2, second)  # type: ignore[arg-type]
    bench.ahead.want([4])
    first.gate.set()
    bench.wait(lambda: (2, 4) in bench.read)
    assert bench.read == [(2, 4)]
    assert bench.ahead.get(3) is None
    assert first.closed


def test_another_thread_waits_for_a_frame_only_while_it_is_wanted(bench: Bench):
    reader = Reader()
    reader.gate.clear()
    bench.ahead.open(1, reader)  # type: ignore[arg-type]
    bench.ahead.want([3])
    got: list[object] = []
    threads = [
        threading.Thread(target=lambda f=f: got.append((f, bench.ahead.wait(f, 5.0) is not None)))
        for f in (3, 9)
    ]
    for thread in threads:
        thread.start()
    threads[1].join(1.0)
    assert got == [(9, False)]
    reader.gate.set()
    threads[0].join(5.0)
    assert got[1] == (3, True)


def test_closing_does_not_wait_for_a_slow_reader():
    bench = Bench()
    reader = Reader()
    reader.gate.clear()
    bench.ahead.open(1, reader)  # type: ignore[arg-type]
    bench.ahead.want([0])
    began = time.monotonic()
    bench.ahead.close(0.2)
    assert time.monotonic() - began < 1.5
    reader.gate.set()


def test_what_others_read_is_kept_while_there_is_room():
    bench = Bench(limit=300)
    reader = Reader()
    bench.ahead.open(1, reader)  # type: ignore[arg-type]
    for frame in range(10, 16):
        bench.ahead.offer(frame, np.full((10, 10), frame, np.uint8))
    assert bench.ahead.nbytes == 300
    assert [bench.ahead.is_ready(frame) for frame in (10, 12, 13)] == [True, True, False]
    bench.ahead.want([0])
    bench.wait(lambda: bench.ahead.is_ready(0))
    assert bench.ahead.nbytes <= 300
    assert bench.ahead.is_ready(10)
    bench.ahead.close(2.0)
