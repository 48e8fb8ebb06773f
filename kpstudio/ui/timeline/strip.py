"""What lies along the frame axis: a widget that paints by frame and is scrubbed by the mouse."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.session.session import Session
from kpstudio.ui.theme import Tokens
from kpstudio.ui.timeline.axis import MARGIN, FrameAxis


class Strip(QWidget):
    """Base of everything along the axis; paints the playhead over what its children paint.

    A press goes to the frame under the mouse, a drag scrubs, the wheel zooms about the mouse and
    Shift with the wheel moves along. Children override `paint_frames`, and `scrub` where a press
    means something else.
    """

    def __init__(
        self,
        session: Session,
        axis: FrameAxis,
        tokens: Tokens,
        height: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.axis, self.tokens = session, axis, tokens
        self._shown = session.view.frame
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        axis.changed.connect(self.update)
        session.view_changed.connect(self._on_view)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self.tokens = tokens
        self.update()

    def scrub(self, x: float) -> None:
        """Go to the frame under x."""
        self.session.update_view(frame=self.axis.frame_at(x))

    def paint_frames(self, painter: QPainter) -> None:
        """Paint what the strip shows of `axis.visible_frames`."""

    # -- the playhead ----------------------------------------------------------------------------
    def _on_view(self, view: object) -> None:
        frame = self.session.view.frame
        if frame != self._shown:
            for changed in (self._shown, frame):
                x = self.axis.x_of(changed)
                half = max(8.0, self.axis.px_per_frame / 2 + 2)
                self.update(int(x - half), 0, int(2 * half) + 1, self.height())
            self._shown = frame

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the frames, then the playhead."""
        with QPainter(self) as painter:
            painter.setClipRect(event.rect())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self.paint_frames(painter)
            x = self.axis.x_of(self.session.view.frame)
            if -1 <= x <= self.width() + 1:
                painter.fillRect(
                    QRectF(x - 0.75, 0, 1.5, self.height()), QColor(self.tokens.accent)
                )

    def area(self) -> QRectF:
        """Return the part of the strip that belongs to frames."""
        return QRectF(self.rect()).adjusted(MARGIN, 0, -MARGIN, 0)

    # -- mouse -----------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame under the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.scrub(event.position().x())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.scrub(event.position().x())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the mouse; with Shift, or sideways, move along."""
        turn = event.angleDelta()
        sideways = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        along = turn.x() or (turn.y() if sideways else 0)
        if along:
            first, last = self.axis.visible
            self.axis.pan(-along / 120.0 * 0.1 * (last - first))
        elif turn.y():
            self.axis.zoom(1.25 ** (turn.y() / 120.0), event.position().x())
        event.accept()
