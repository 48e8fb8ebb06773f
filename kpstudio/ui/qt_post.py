"""The one queued hop from a worker thread to the UI thread."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal


class QtPost(QObject):
    """Call it from any thread with a function; the UI thread runs it soon, in order."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        """Must be made on the UI thread."""
        super().__init__(parent)
        self._open = True
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def __call__(self, function: Callable[[], None]) -> None:
        """Have the UI thread run `function`."""
        if self._open:
            self._posted.emit(function)

    def close(self) -> None:
        """Run nothing any more."""
        self._open = False

    def _run(self, function: Callable[[], None]) -> None:
        if self._open:
            function()
