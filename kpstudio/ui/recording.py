"""Recording the large canvas to a video while working."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QStandardPaths, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices

from kpcore.errors import KpError

if TYPE_CHECKING:
    from kpstudio.services.recorder import Recorder
    from kpstudio.ui.main_window import MainWindow

LONGEST_PX = 1280


class Recording(QObject):
    """Starts and ends recordings, and feeds them frames at their rate."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._recorder: Recorder | None = None
        self._size: tuple[int, int] | None = None
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._take)

    @property
    def is_on(self) -> bool:
        """Whether a recording is under way."""
        return self._recorder is not None

    def folder(self) -> Path:
        """Return where recordings go."""
        chosen = self._window.settings.settings.record_folder
        if chosen:
            return Path(chosen)
        where = QStandardPaths.StandardLocation.MoviesLocation
        return Path(QStandardPaths.writableLocation(where) or Path.home()) / "Keypoint Studio"

    def show_folder(self) -> None:
        """Open the folder in the system's file browser."""
        folder = self.folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._window.session.notify(
                f"The folder '{folder}' cannot be made ({error.strerror}); choose another in the "
                f"preferences",
                "error",
            )
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._window.session.notify(f"Recordings are in '{folder}'")

    def toggle(self) -> None:
        """Begin or end."""
        if self.is_on:
            self.stop()
        else:
            name = f"keypoint-studio-{time.strftime('%Y%m%d-%H%M%S')}.mp4"
            self.start(self.folder() / name)

    def start(self, path: Path) -> None:
        """Begin to record to a file."""
        from kpstudio.services.recorder import Recorder

        fps = self._window.settings.settings.record_fps
        try:
            self._recorder = Recorder(path, fps)
        except KpError as error:
            self._window.session.notify(str(error), "error")
            return
        canvas = self._window.canvas
        self._size = even_size(canvas.width(), canvas.height())
        self._timer.start(round(1000 / fps))
        self._window.status.set_recording(time.monotonic())
        self._take()

    def stop(self) -> None:
        """End the recording and say where it is."""
        recorder, self._recorder = self._recorder, None
        self._timer.stop()
        self._window.status.set_recording(None)
        if recorder is None:
            return
        try:
            made = recorder.stop()
        except KpError as error:
            self._window.session.notify(str(error), "error")
            return
        lost = f", {made.dropped} frames dropped" if made.dropped else ""
        self._window.session.notify(
            f"Recorded {made.seconds:.1f} s to '{made.path}' ({size_of(made.bytes)}{lost})"
        )

    def _take(self) -> None:
        if self._recorder is None:
            return
        if self._recorder.error is not None:
            self.stop()
            self._window.refresh_actions()
            return
        self._recorder.add(np.asarray(self._window.canvas.grab_frame(self._size)))


def size_of(count: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def even_size(width: int, height: int) -> tuple[int, int]:
    """Return a size for a video: even, and not longer than `LONGEST_PX`."""
    scale = min(1.0, LONGEST_PX / max(width, height, 1))
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)
