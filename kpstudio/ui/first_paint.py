"""Tells when a window was painted for the first time, so that nothing heavy comes before it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

UNSEEN_MS = 2000
"""A window that is never painted, e.g. started minimised, is not waited for longer than this."""


class FirstPaint(QObject):
    """Calls a function once, right after the window's first paint; of several, the newest first."""

    def __init__(self, window: QWidget, then: Callable[[], None]) -> None:
        """Begin to watch.

        Args:
            window: Not shown yet.
            then: Called on the event loop.
        """
        super().__init__(window)
        self._window = window
        self._then: Callable[[], None] | None = then
        window.installEventFilter(self)
        QTimer.singleShot(UNSEEN_MS, self, self._call)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for the paint; what follows runs when it is done."""
        if event.type() == QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            QTimer.singleShot(0, self, self._call)
        return False

    def _call(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()
