"""Rough pictures at once while a hand moves, exact ones when it rests.

A decoder of edits may answer roughly where it is asked within `drafting`; what it does to be faster
is its own affair. Outside nothing is left of it: the same edit decodes to the exact picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_drafting: ContextVar[bool] = ContextVar("drafting", default=False)
_GAIN = 0.85
"""A draft must take at most this share of the time, or it is not worth its errors."""
_ROUNDS = 5
_SECONDS = 0.5
"""After which no other round is begun."""


@contextmanager
def drafting() -> Iterator[None]:
    """Let decoders of edits answer roughly within this block, where that is faster.

    Of trained weights a draft is off by less than a level of 255 on average.
    """
    before = _drafting.set(True)
    try:
        yield
    finally:
        _drafting.reset(before)


def is_drafting() -> bool:
    """Return whether a draft is asked for."""
    return _drafting.get()


def gains_by_drafts(work: Callable[[], object]) -> bool:
    """Return whether a piece of work is clearly faster as a draft, found by timing both in turn."""
    work()
    with drafting():
        work()  # the first of each sets up
    began, exact, rough = time.perf_counter(), [], []
    while not exact or (len(exact) < _ROUNDS and time.perf_counter() - began < _SECONDS):
        exact.append(_took(work))
        with drafting():
            rough.append(_took(work))
    return min(rough) < _GAIN * min(exact)


def _took(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
