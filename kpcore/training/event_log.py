"""The one writer of a run's `events.jsonl`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from kpcore.errors import TrainingError
from kpcore.training.events import Event, to_line

_log = logging.getLogger(__name__)


class EventLog:
    """Appends events to a file that no other run writes at the same time.

    A full disk does not end a run: lines wait until they can be written.
    """

    def __init__(self, path: Path) -> None:
        """Open `path` for appending.

        Raises:
            TrainingError: The folder cannot be written, or another process has the run.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            broken = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._file = os.open(path, flags, 0o644)
        except OSError as error:
            raise TrainingError(
                f"cannot write '{path}': {error.strerror or error}; choose another --out"
            ) from error
        if not _lock(self._file):
            os.close(self._file)
            raise TrainingError(
                f"'{path.parent}' is being written by another 'kp train'; wait for it or stop it"
            )
        self._waiting = b"\n" if broken else b""

    def append(self, events: Iterable[Event]) -> None:
        """Write events, each as one line."""
        self._waiting += b"".join(to_line(event) for event in events)
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, self._waiting)
        except OSError as error:
            _log.warning("events wait for room on the disk: %s", error)
            return
        if written < len(self._waiting):
            os.truncate(self._file, size)
            return
        self._waiting = b""

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _lock(file: int) -> bool:
    """Return whether this process now owns the file; always true where locks are unknown."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
