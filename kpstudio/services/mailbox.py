"""The one-slot, latest-wins mailbox between the UI thread and the worker.

One slot per kind of request: a newer request replaces one that was not begun, so that nothing
queues up behind a slow model and the last request is never lost.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds at most one request of each kind; the worker takes the most urgent kind first."""

    def __init__(self, kinds: Sequence[str]) -> None:
        """Make an empty mailbox.

        Args:
            kinds: Names of the slots, most urgent first.
        """
        self._slots: dict[str, T | None] = dict.fromkeys(kinds)
        self._condition = threading.Condition()
        self._closed = False

    def put(self, kind: str, request: T) -> None:
        """Leave a request, in place of one of its kind that was not taken yet; never waits long."""
        with self._condition:
            self._slots[kind] = request
            self._condition.notify()

    def discard(self, kind: str) -> None:
        """Take a request back that was not begun."""
        with self._condition:
            self._slots[kind] = None

    def take(self) -> T | None:
        """Wait for a request and return it, leaving its slot empty; None once closed."""
        with self._condition:
            while not self._closed:
                for kind, request in self._slots.items():
                    if request is not None:
                        self._slots[kind] = None
                        return request
                self._condition.wait()
            return None

    def close(self) -> None:
        """Forget all requests and let `take` return None."""
        with self._condition:
            self._closed = True
            self._slots = dict.fromkeys(self._slots)
            self._condition.notify_all()
