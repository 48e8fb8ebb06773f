"""How many threads a piece of work runs fastest with, found by timing."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ROUNDS = 5
_GAIN = 0.85
"""More threads must take at most this share of the time."""


def cores_allowed() -> int:
    """Return how many cores this process may use."""
    able = getattr(os, "sched_getaffinity", None)
    return len(able(0)) if able else (os.cpu_count() or 1)


def choose_threads(work: Callable[[], object], spare: int = 0) -> int:
    """Set torch's threads to the number that runs `work` fastest, and return it.

    Args:
        work: It is timed when nothing else runs.
        spare: Cores that other work will need. Threads that wait for one which shares its core
            with a window take longer together than one thread alone.
    """
    import torch

    cores = max(1, cores_allowed() - spare)
    best, best_ms = 1, float("inf")
    threads = 1
    while threads <= cores:
        torch.set_num_threads(threads)
        took = _median_ms(work)
        if took < best_ms * (_GAIN if threads > 1 else 1.0):
            best, best_ms = threads, took
        threads *= 2
    torch.set_num_threads(best)
    return best


@contextmanager
def one_core_spared() -> Iterator[None]:
    """Work with one thread fewer than there are cores, so that what cannot wait has one."""
    import torch

    usual = torch.get_num_threads()
    spared = max(1, min(usual, cores_allowed() - 1))
    if spared == usual:
        yield
        return
    torch.set_num_threads(spared)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _median_ms(work: Callable[[], object]) -> float:
    work()
    times: list[float] = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000.0
