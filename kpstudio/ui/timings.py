"""Writes when things were on the screen, for the benchmarks.

With the environment variable KPSTUDIO_TIMINGS naming a file, one JSON object per line is appended:
{"event": "window_shown" | "picture_shown" | "preview_painted" | "draft_painted" | "exact_painted",
"t": seconds of the monotonic clock, "revision": of the particles, "torch": whether its import had
begun when the window was shown}. Without it nothing is written.
"""

from __future__ import annotations

import json
import os
import sys
import time
from io import TextIOWrapper
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from kpstudio.session.pictures import Picture
from kpstudio.ui.compare import CompareView
from kpstudio.ui.first_paint import FirstPaint

VARIABLE = "KPSTUDIO_TIMINGS"


class PaintTimings(QObject):
    """Watches the window and the large canvas."""

    def __init__(self, window: QWidget, compare: CompareView, path: Path) -> None:
        super().__init__(window)
        self._file: TextIOWrapper = path.open("a", encoding="utf-8", buffering=1)
        self._last: tuple[int, str] = (-1, "")
        self._pictured = False
        FirstPaint(window, self._on_shown)
        compare.canvas("edited").painted.connect(self._on_painted)

    @classmethod
    def when_asked(cls, window: QWidget, compare: CompareView) -> PaintTimings | None:
        """Return the watcher when the environment asks for one."""
        name = os.environ.get(VARIABLE)
        return cls(window, compare, Path(name)) if name else None

    def _on_shown(self) -> None:
        self.write("window_shown", torch="torch" in sys.modules)

    def write(self, event: str, **more: object) -> None:
        """Append one line."""
        line = json.dumps({"event": event, "t": time.monotonic(), **more})
        self._file.write(f"{line}\n")

    def _on_painted(self, picture: object) -> None:
        if not isinstance(picture, Picture):
            return
        if not self._pictured:
            self._pictured = True
            self.write("picture_shown", revision=picture.revision)
        mark = (picture.revision, picture.tier)
        if mark != self._last:
            self._last = mark
            self.write(f"{picture.tier}_painted", revision=picture.revision)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
