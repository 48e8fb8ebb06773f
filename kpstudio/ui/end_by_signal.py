"""Ctrl-C and a polite kill close the window."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier


class EndBySignal(QObject):
    """Lets Ctrl-C and a polite kill close the window, though Qt's loop runs no Python."""

    def __init__(self, parent: QObject, end: Callable[[], None]) -> None:
        super().__init__(parent)
        self._end = end
        self._here, self._there = socket.socketpair()
        for side in (self._here, self._there):
            side.setblocking(False)
        self._notifier = QSocketNotifier(self._here.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_signal)
        self._old: dict[int, object] = {}
        if threading.current_thread() is not threading.main_thread():
            return
        self._wakeup = signal.set_wakeup_fd(self._there.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._old[number] = signal.signal(number, self._nothing)

    @staticmethod
    def _nothing(number: int, frame: FrameType | None) -> None:
        """Python only writes the wake-up byte."""

    def _on_signal(self) -> None:
        try:
            self._here.recv(64)
        except BlockingIOError:
            return
        self._end()

    def close(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        if self._old:
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._old.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
        for side in (self._here, self._there):
            side.close()
