"""The ruler: time, what is encoded, which frames were edited, and the A-B loop."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPolygonF
from PySide6.QtWidgets import QToolTip, QWidget

from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.ui.theme import Tokens, scaled, tabular
from kpstudio.ui.timeline.axis import FrameAxis
from kpstudio.ui.timeline.player import Player
from kpstudio.ui.timeline.strip import Strip

HEIGHT = 30
LINE = 3.0
"""Height of the line of encoded frames."""
_APART = 78.0
"""Least distance of two labels, in points."""
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000)


class Ruler(Strip):
    """Press and drag to scrub; Shift and drag to mark an A-B loop."""

    def __init__(
        self,
        session: Session,
        axis: FrameAxis,
        player: Player,
        tokens: Tokens,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, axis, tokens, HEIGHT, parent)
        self._player = player
        self._from: int | None = None
        self._edited: object = None
        self.setAccessibleName("Ruler of frames")
        self.setFont(tabular(scaled(self.font(), 0.8)))
        player.changed.connect(self.update)
        session.document_changed.connect(self._on_document)
        session.frame_received.connect(self._on_frame)

    def _on_document(self, document: Document) -> None:
        if document.edited is not self._edited:
            self._edited = document.edited
            self.update()

    def _on_frame(self, frame: int) -> None:
        left, right = self.axis.cell(frame)
        self.update(int(left) - 1, HEIGHT - 4, int(right - left) + 3, 4)

    # -- painting --------------------------------------------------------------------------------
    def paint_frames(self, painter: QPainter) -> None:
        """Paint the A-B loop, ticks with labels, the line of encoded frames, marks of edits."""
        self._paint_loop(painter)
        self._paint_ticks(painter)
        self._paint_encoded(painter)
        self._paint_edited(painter)

    def _paint_loop(self, painter: QPainter) -> None:
        playback = self._player.playback
        if playback.mark_a is None:
            return
        left = self.axis.cell(playback.mark_a)[0]
        last = playback.mark_b
        colour = QColor(self.tokens.accent)
        if last is not None:
            right = self.axis.cell(last)[1]
            shade = QColor(colour)
            shade.setAlphaF(0.2)
            painter.fillRect(QRectF(left, 0, right - left, self.height() - LINE), shade)
        painter.setPen(Qt.PenStyle.NoPen)
        for x, name, side in (
            (left, "A", 1), (None if last is None else self.axis.cell(last)[1], "B", -1),
        ):  # fmt: skip
            if x is None:
                continue
            painter.fillRect(QRectF(x - 0.75, 0, 1.5, self.height() - LINE), colour)
            flag = QRectF(x if side > 0 else x - 12, 0, 12, 12)
            painter.fillRect(flag, colour)
            painter.setPen(QColor(self.tokens.on_accent))
            painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, name)
            painter.setPen(Qt.PenStyle.NoPen)

    def _paint_ticks(self, painter: QPainter) -> None:
        low = self.height() - LINE - 2
        line, text = QColor(self.tokens.line), QColor(self.tokens.secondary)
        metrics = painter.fontMetrics()
        for frame, label in self._labels():
            x = self.axis.x_of(frame)
            if x < 0:
                continue
            painter.fillRect(QRectF(x - 0.5, low - 6, 1, 6), line)
            painter.setPen(text)
            area = QRectF(x + 4, 0, metrics.horizontalAdvance(label) + 2, low)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, label)

    def _labels(self) -> Iterator[tuple[float, str]]:
        """Yield places in frames and what stands there."""
        playback, axis = self._player.playback, self.axis
        frames = axis.visible_frames
        media = self.session.document.media
        if media is None or not frames:
            return
        apart = _APART / max(1e-6, axis.px_per_frame)
        if media.fps is None:
            step = next((s for s in _STEPS if s >= apart), _STEPS[-1])
            for frame in range(frames[0] // step * step, frames[-1] + 1, step):
                yield max(0, frame), str(frame + 1)
            return
        step_s = next((s for s in _STEPS_S if s * playback.rate >= apart), _STEPS_S[-1])
        second = math.floor(playback.time_of(frames[0]) / step_s) * step_s
        end = playback.time_of(frames[-1])
        while second <= end:
            at = second * playback.rate if media.is_even else playback.frame_at(second)
            yield at, short_time(second, step_s)
            second += step_s

    def _paint_encoded(self, painter: QPainter) -> None:
        axis, document = self.axis, self.session.document
        area = self.area()
        top = self.height() - LINE
        track = QRectF(area.left(), top, area.width(), LINE)
        painter.fillRect(track, QColor(self.tokens.line))
        if document.model is None:
            return
        colour = QColor(self.tokens.good)
        for first, last in runs(document.encoded, axis.visible_frames):
            left, right = axis.cell(first)[0], axis.cell(last)[1]
            left, right = max(area.left(), left), min(area.right(), right)
            painter.fillRect(QRectF(left, top, max(1.0, right - left), LINE), colour)
        if axis.count > axis.media_count:
            left = max(area.left(), axis.cell(axis.media_count)[0])
            shade = QColor(self.tokens.warning)
            painter.fillRect(QRectF(left, top, max(0.0, area.right() - left), LINE), shade)

    def _paint_edited(self, painter: QPainter) -> None:
        painter.setPen(QColor(self.tokens.panel))
        painter.setBrush(QColor(self.tokens.warning))
        y, half = self.height() - LINE - 5, 4.5
        for frame in self.session.document.edited_frames:
            x = self.axis.x_of(frame)
            if -half <= x <= self.width() + half:
                corners = ((x, y - half), (x + half, y), (x, y + half), (x - half, y))
                painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))

    # -- mouse -----------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there; with Shift, begin an A-B loop."""
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if shift and event.button() == Qt.MouseButton.LeftButton:
            self._from = self.axis.frame_at(event.position().x())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub, or drag the end of the loop."""
        if self._from is None:
            super().mouseMoveEvent(event)
            return
        to = self.axis.frame_at(event.position().x())
        if to != self._from:
            self._player.playback.set_marks(self._from, to)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the drag; Shift with a click clears the loop."""
        if self._from is not None:
            if self.axis.frame_at(event.position().x()) == self._from:
                self._player.playback.clear_marks()
            self._from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the whole clip."""
        self.axis.show_all()

    def event(self, event: QEvent) -> bool:
        """Tell what is under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QHelpEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._tip(event.pos().x()), self)
            return True
        return super().event(event)

    def _tip(self, x: float) -> str:
        frame, document = self.axis.frame_at(x), self.session.document
        parts = [f"Frame {frame + 1}"]
        if frame >= self.axis.media_count:
            parts.append("beyond the video")
        elif document.model is not None:
            parts.append("encoded" if frame in document.encoded else "not encoded yet")
        if frame in document.edited_frames:
            parts.append("edited")
        hint = "Drag: scrub · Shift+drag: A-B loop · wheel: zoom · double click: whole clip"
        return f"{' · '.join(parts)}\n{hint}"


def runs(held: Container[object], frames: range) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each unbroken run of `frames` that are in `held`."""
    first = None
    for frame in frames:
        if frame in held:
            first = frame if first is None else first
        elif first is not None:
            yield first, frame - 1
            first = None
    if first is not None:
        yield first, frames[-1]


def short_time(second: float, step: float) -> str:
    """Return a time for a label: minutes and seconds, tenths where labels are close."""
    minutes, rest = divmod(round(second, 2), 60)
    text = f"{rest:04.1f}" if step < 1 else f"{rest:02.0f}"
    return f"{int(minutes)}:{text}"
