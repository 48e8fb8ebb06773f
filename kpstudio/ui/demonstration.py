"""Plays a scripted drag in the real window and records it, with a cursor drawn where a hand is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from kpcore.errors import KpError
from kpstudio.services.scripted import Step, duration_s, script
from kpstudio.session.edits import MoveParticles

if TYPE_CHECKING:
    from kpstudio.services.recorder import Recorder
    from kpstudio.ui.main_window import MainWindow

FPS = 30
WAIT_S = 120.0
LINGER_MS = 400
"""Before the screenshot, so that tables and thumbnails are there too."""

SETTLE_S = 3.0
"""How long the exact picture of a step may keep the film waiting."""


class Demonstration(QObject):
    """Waits for the demo's particles, plays the script frame by frame, and ends the application.

    The film's time is not the clock's: every frame waits for the exact picture of its particles,
    so that a slow machine makes the same film.
    """

    def __init__(
        self,
        window: MainWindow,
        film: Path | None,
        screenshot: Path | None,
        done: Callable[[str], None],
    ) -> None:
        """Begin to wait.

        Args:
            window: Of the studio, shown.
            film: Where the film goes, ending in .mp4; None plays nothing.
            screenshot: Where a picture of the window goes at the end.
            done: Called once with what went wrong, or "".
        """
        super().__init__(window)
        self._window, self._film, self._screenshot = window, film, screenshot
        self._done = done
        self._recorder: Recorder | None = None
        self._steps: list[Step] = []
        self._next = self._frame = 0
        self._end_s = 0.0
        self._cursor: tuple[float, float] | None = None
        self._pressed = False
        self._began = self._asked = time.monotonic()
        self._problem = ""
        window.engine.makes_drafts = False
        self._image = QImage()
        window.session.noticed.connect(self._on_notice)
        self._timer = QTimer(self, interval=5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _on_notice(self, notice: object) -> None:
        if getattr(notice, "level", "") == "error":
            self._problem = getattr(notice, "text", "")

    def _tick(self) -> None:
        try:
            self._go_on()
        except KpError as error:
            self._finish(str(error))

    def _go_on(self) -> None:
        session = self._window.session
        if not self._steps and self._recorder is None:
            if self._problem:
                self._finish(self._problem)
            elif session.latents is not None and self._is_settled():
                self._start()
            elif time.monotonic() - self._began > WAIT_S:
                self._finish(f"no picture came within {WAIT_S:.0f} s")
            return
        if not self._is_settled() and time.monotonic() - self._asked < SETTLE_S:
            return
        self._take()
        self._frame += 1
        now = self._frame / FPS
        while self._next < len(self._steps) and self._steps[self._next].time_s <= now:
            self._play(self._steps[self._next])
            self._next += 1
        self._asked = time.monotonic()
        if now > self._end_s:
            self._finish("")

    def _is_settled(self) -> bool:
        """Return whether the exact picture of the present particles is there."""
        session = self._window.session
        picture = session.picture("edited")
        if picture is None or picture.tier != "exact":
            return False
        return picture.revision >= session.revision

    def _start(self) -> None:
        from kpstudio.services.recorder import Recorder

        session = self._window.session
        latents = session.latents
        if latents is None:
            return
        if self._film is None:
            self._finish("")
            return
        self._steps = script(latents, session.view.frame, FPS)
        self._end_s = duration_s(self._steps) + 0.5
        self._recorder = Recorder(self._film, FPS, live=False)

    def _play(self, step: Step) -> None:
        edit = step.edit
        if step.action == "select" and step.rows:
            self._cursor = self._place_of(step.rows[0])
            self._pressed = False
        elif step.action == "preview":
            self._pressed = True
            if isinstance(edit, MoveParticles):
                self._cursor = (edit.to[0][0], edit.to[0][1])
        else:
            self._pressed = False
        step.play(self._window.session)

    def _place_of(self, row: int) -> tuple[float, float] | None:
        latents = self._window.session.latents
        position = latents.rows("position") if latents is not None else None
        if position is None:
            return None
        x, y = position[row]
        return float(x), float(y)

    # -- frames ----------------------------------------------------------------------------------
    def _take(self) -> None:
        if self._recorder is None:
            return
        if self._recorder.error is not None:
            raise self._recorder.error
        self._recorder.add(self._pixels())

    def _pixels(self) -> np.ndarray:
        window = self._window
        if self._image.size() != window.size():
            self._image = QImage(window.size(), QImage.Format.Format_RGB32)
        window.render(self._image)
        if self._cursor is not None:
            self._draw_cursor()
        height, width = self._image.height(), self._image.width()
        return np.frombuffer(self._image.constBits(), np.uint8).reshape(height, width, 4)

    def _draw_cursor(self) -> None:
        canvas = self._window.compare.main
        if self._cursor is None:
            return
        at = canvas.mapTo(self._window, QPointF(*canvas.viewport.to_view(self._cursor)))
        painter = QPainter(self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._pressed:
            painter.setPen(QPen(QColor(255, 255, 255, 200), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(at), 20, 20)
        arrow = [(0, 0), (0, 17), (4.2, 13.2), (7, 19.5), (9.6, 18.3), (6.8, 12.2), (12.4, 12.2)]
        shape = QPolygonF([QPointF(at) + QPointF(x, y) for x, y in arrow])
        painter.setPen(QPen(QColor("#000000"), 1.2))
        painter.setBrush(QColor("#ffffff"))
        painter.drawPolygon(shape)
        painter.end()

    def _finish(self, problem: str) -> None:
        self._timer.stop()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            try:
                recorder.stop()
            except KpError as error:
                problem = problem or str(error)
        if problem or self._screenshot is None:
            self._done(problem)
        else:
            QTimer.singleShot(LINGER_MS, self, self._save_screenshot)

    def _save_screenshot(self) -> None:
        path = self._screenshot
        problem = ""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not self._window.screenshot().save(str(path), "PNG"):
                problem = f"'{path}' cannot be written; choose a folder that can be written"
        self._done(problem)
