"""A particle's glimpse over a checkerboard, so that its transparency shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.ui.theme import GRID, Tokens


class GlimpseView(QWidget):
    """Shows RGBA pixels."""

    def __init__(self, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tokens = tokens
        self._image = QImage()
        self.setAccessibleName("Glimpse of the particle")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return a fixed size on the grid."""
        return QSize(9 * GRID, 9 * GRID)

    def show_pixels(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show (S, S, 4) RGBA bytes, or nothing."""
        if pixels is None:
            self._image = QImage()
        else:
            held = np.ascontiguousarray(pixels)
            side, width = held.shape[:2]
            view = QImage(held.data, width, side, 4 * width, QImage.Format.Format_RGBA8888)
            self._image = view.copy()
        self.update()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self._tokens = tokens
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the board and the glimpse."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            shape = QPainterPath()
            shape.addRoundedRect(area, 6, 6)
            painter.setClipPath(shape)
            painter.setBrushOrigin(QPointF(0, 0))
            painter.fillRect(area, QBrush(_board(self._tokens)))
            if not self._image.isNull():
                painter.drawImage(area, self._image)
            painter.setClipping(False)
            painter.setPen(QColor(self._tokens.line))
            painter.drawPath(shape)


def _board(tokens: Tokens) -> QPixmap:
    side = GRID
    tile = QPixmap(2 * side, 2 * side)
    tile.fill(QColor("#3a3f49" if tokens.dark else "#ffffff"))
    painter = QPainter(tile)
    other = QColor("#2a2e36" if tokens.dark else "#dfe2e7")
    painter.setPen(Qt.PenStyle.NoPen)
    painter.fillRect(0, 0, side, side, other)
    painter.fillRect(side, side, side, side, other)
    painter.end()
    return tile
