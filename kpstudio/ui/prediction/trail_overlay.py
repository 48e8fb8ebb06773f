"""The futures' trails over the hand's canvas: they bend while a particle is dragged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from kpstudio.session.session import Session
from kpstudio.ui.canvas.image_view import Canvas
from kpstudio.ui.prediction.trails import TrailReader

if TYPE_CHECKING:
    from kpstudio.services.prediction import Predictions
    from kpstudio.services.rolls import Roll


class TrailOverlay(QWidget):
    """Draws the trails once and keeps them as a picture, since every move of a drag repaints."""

    def __init__(
        self, session: Session, predictions: Predictions, canvas: Canvas, trails: TrailReader
    ) -> None:
        super().__init__(canvas)
        self._session, self._predictions = session, predictions
        self._canvas, self._trails = canvas, trails
        self._kept: tuple[tuple[object, ...], QPixmap] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        canvas.installEventFilter(self)
        canvas.links.changed.connect(self.refresh)
        session.view_changed.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Repaint when the trails would look different."""
        if self.isVisible() and (self._kept is None or self._kept[0] != self._look()):
            self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay as large as the canvas."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._canvas.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the trails."""
        look = self._look()
        if self._kept is None or self._kept[0] != look:
            self._kept = look, self._drawn()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._kept[1])
        painter.end()

    def _rolls(self) -> list[tuple[Roll, bool]]:
        """Return what is drawn: dashed what is compared with, drawn through what is edited."""
        view = self._session.view
        if not view.layer("trails").visible or view.overlays_hidden:
            return []
        shown = view.comparison
        rolls = [
            (self._predictions.trailing(key), dashed)
            for key, dashed in ((shown.first, True), (shown.second, False))
        ]
        return [
            (roll, dashed)
            for roll, dashed in rolls
            if roll is not None and roll.frame - 1 <= view.frame <= roll.frame
        ]

    def _look(self) -> tuple[object, ...]:
        """Return everything that the drawing depends on."""
        scene, view = self._session.scene, self._session.view
        rolls = self._rolls()
        return (
            tuple((roll.name, len(roll.steps), scene.numbers(roll.frame)) for roll, _ in rolls),
            self._canvas.viewport,
            view.frame,
            view.selection,
            view.layer("trails"),
            self.size(),
            self.devicePixelRatioF(),
        )

    def _drawn(self) -> QPixmap:
        session, view, ratio = self._session, self._session.view, self.devicePixelRatioF()
        picture = QPixmap(math.ceil(self.width() * ratio), math.ceil(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        for roll, dashed in self._rolls():
            self._trails.read(roll).paint(
                painter,
                self._canvas.viewport,
                view.frame,
                session.scene.selection_at(roll.frame),
                view.layer("trails").opacity * (0.7 if dashed else 1.0),
                dashed=dashed,
            )
        painter.end()
        return picture
