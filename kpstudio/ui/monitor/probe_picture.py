"""A probe picture with its particles, as a run stored them; nothing here can be dragged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.ui.canvas.frame import paint_chip, paint_frame
from kpstudio.ui.canvas.palette import CanvasColours, colour_of


def image_of(pixels: NDArray[np.uint8]) -> QImage:
    """Return a picture (H, W, 3) as an image that owns its pixels."""
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels)
    return QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class ProbePicture(QWidget):
    """Shows one picture and dots where its particles are."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._image: QImage | None = None
        self._colours = CanvasColours()
        self._positions: NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self._presence: NDArray[np.float32] | None = None
        self.setMinimumSize(160, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(title)

    def show_picture(
        self,
        title: str,
        pixels: NDArray[np.uint8],
        positions: NDArray[np.float32] | None,
        presence: NDArray[np.float32] | None,
    ) -> None:
        """Show a picture (H, W, 3) with particles at unit positions (K, 2)."""
        self._title = title
        self._image = image_of(pixels)
        self._positions = np.zeros((0, 2), np.float32) if positions is None else positions
        self._presence = presence
        self.setAccessibleName(title)
        self.setAccessibleDescription(f"{len(self._positions)} particles")
        self.update()

    def set_colours(self, colours: CanvasColours) -> None:
        """Paint with the tokens of another theme."""
        self._colours = colours
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(320, 260)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint picture, particles and title."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(self._colours.canvas))
            if self._image is not None:
                box = self._box(self._image)
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(box, self._image)
                self._paint_particles(painter, box)
            paint_chip(painter, self._title, self.font(), self.width())
            paint_frame(painter, (self.width(), self.height()), self._colours, focused=False)

    def _box(self, image: QImage) -> QRectF:
        scale = min(self.width() / image.width(), self.height() / image.height())
        width, height = image.width() * scale, image.height() * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def _paint_particles(self, painter: QPainter, box: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, (x, y) in enumerate(self._positions):
            if not (np.isfinite(x) and np.isfinite(y)):
                continue
            sure = 1.0 if self._presence is None else float(self._presence[row])
            painter.setOpacity(0.25 + 0.75 * min(1.0, max(0.0, sure)))
            at = QPointF(
                box.left() + (float(x) + 1) / 2 * box.width(),
                box.top() + (float(y) + 1) / 2 * box.height(),
            )
            painter.setPen(QPen(QColor("white"), 1.5))
            painter.setBrush(QColor(colour_of(row)))
            painter.drawEllipse(at, 4.0, 4.0)
            painter.setPen(QPen(Qt.GlobalColor.white))
        painter.setOpacity(1.0)
