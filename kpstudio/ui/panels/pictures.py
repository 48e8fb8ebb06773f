"""From bytes to what Qt paints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPixmap


def pixmap_of(pixels: NDArray[np.uint8]) -> QPixmap:
    """Return RGB bytes (H, W, 3) as a pixmap of its own."""
    held = np.ascontiguousarray(pixels)
    height, width = held.shape[:2]
    return QPixmap.fromImage(
        QImage(held.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    )


def covered(pixmap: QPixmap, size: QSize, ratio: float, radius: float = 4.0) -> QPixmap:
    """Return a pixmap that fills `size` points with rounded corners; what juts out is cut."""
    target = QPixmap(size * ratio)
    target.fill(Qt.GlobalColor.transparent)
    painter = QPainter(target)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    area = QRectF(0, 0, target.width(), target.height())
    shape = QPainterPath()
    shape.addRoundedRect(area, radius * ratio, radius * ratio)
    painter.setClipPath(shape)
    scale = max(area.width() / max(1, pixmap.width()), area.height() / max(1, pixmap.height()))
    width, height = pixmap.width() * scale, pixmap.height() * scale
    place = QRectF((area.width() - width) / 2, (area.height() - height) / 2, width, height)
    painter.drawPixmap(place, pixmap, QRectF(pixmap.rect()))
    painter.end()
    target.setDevicePixelRatio(ratio)
    return target


def placeholder(size: QSize, ratio: float, colour: str, radius: float = 4.0) -> QPixmap:
    """Return a plain tile that stands for a picture still to come."""
    target = QPixmap(size * ratio)
    target.fill(Qt.GlobalColor.transparent)
    painter = QPainter(target)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(QRectF(target.rect()), radius * ratio, radius * ratio)
    painter.end()
    target.setDevicePixelRatio(ratio)
    return target
