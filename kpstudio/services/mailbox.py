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
            if not self._closed:
                self._slots[kind] = request
                self._condition.notify()

    def discard(self, kind: str) -> None:
        """Take a request back that was not begun."""
        with self._condition:
            self._slots[kind] = None

    def is_waiting(self, kind: str) -> bool:
        """Return whether a request as urgent as `kind` or more waits, or everything is closed."""
        with self._condition:
            return self._has_as_urgent(kind)

    def rests(self, kind: str, seconds: float) -> bool:
        """Wait; return whether no request as urgent as `kind` or more came, and all is open."""
        with self._condition:
            return not self._condition.wait_for(lambda: self._has_as_urgent(kind), seconds)

    def _has_as_urgent(self, kind: str) -> bool:
        if self._closed:
            return True
        for name, request in self._slots.items():
            if request is not None:
                return True
            if name == kind:
                return False
        return False

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._closed

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for a request and return it, leaving its slot empty.

        Args:
            timeout_s: Longest wait; None waits until closed.

        Returns:
            None once closed, or when nothing came in time.
        """
        with self._condition:
            self._condition.wait_for(self._has_work, timeout_s)
            for kind, request in self._slots.items():
                if request is not None:
                    self._slots[kind] = None
                    return request
            return None

    def _has_work(self) -> bool:
        return self._closed or any(request is not None for request in self._slots.values())

    def close(self) -> None:
        """Forget all requests and let `take` return None."""
        with self._condition:
            self._closed = True
            self._slots = dict.fromkeys(self._slots)
            self._condition.notify_all()
