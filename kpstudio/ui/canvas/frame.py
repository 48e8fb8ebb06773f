"""What a canvas wears around its picture: title chip, border, focus ring, rubber band, sentence."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap

from kpstudio.ui.canvas.palette import CanvasColours

RADIUS = 7.0
TITLE_HEIGHT = 30
"""Down to here, in points, the mouse is over the title."""


def paint_chip(painter: QPainter, text: str, font: QFont, width: float | None = None) -> None:
    """Paint the canvas's title in its corner, readable over any picture.

    Args:
        painter: On the canvas.
        text: Shortened in its middle where it does not fit.
        font: Of the canvas.
        width: Of the canvas; None when the text fits anyway.
    """
    ratio = painter.device().devicePixelRatio()
    painter.drawPixmap(QPointF(8.0, 8.0), _chip_picture(text, font.toString(), width, ratio))


@lru_cache(maxsize=64)
def _chip_picture(text: str, font_key: str, width: float | None, ratio: float) -> QPixmap:
    """Return a title chip, drawn once for each font, width and screen."""
    font = QFont()
    font.fromString(font_key)
    font.setPointSizeF(max(8.0, font.pointSizeF() * 0.95))
    metrics = QFontMetricsF(font)
    if width is not None:
        if metrics.horizontalAdvance(text) > width - 30.0:
            text = text.replace("econstruction", "econ.")
        text = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width - 30.0)
    box = QRectF(0.0, 0.0, metrics.horizontalAdvance(text) + 14.0, metrics.height() + 5.0)
    picture = QPixmap(math.ceil(box.width() * ratio), math.ceil(box.height() * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(10, 11, 14, 190))
    painter.drawRoundedRect(box, 4.0, 4.0)
    painter.setFont(font)
    painter.setPen(QColor(235, 238, 243))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    return picture


def paint_frame(
    painter: QPainter, view: tuple[float, float], colours: CanvasColours, *, focused: bool
) -> None:
    """Round the canvas's corners and paint its border, as a ring while it has the focus."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.window))
    painter.drawPath(_corners(*view))
    width = 2.0 if focused else 1.0
    painter.setPen(QPen(QColor(colours.accent if focused else colours.line), width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    half = width / 2
    box = QRectF(half, half, view[0] - width, view[1] - width)
    painter.drawRoundedRect(box, RADIUS - half, RADIUS - half)


def paint_band(painter: QPainter, band: QRectF, colours: CanvasColours) -> None:
    """Paint the rubber band."""
    fill = QColor(colours.accent)
    fill.setAlphaF(0.14)
    painter.setBrush(fill)
    painter.setPen(QPen(QColor(colours.accent), 1.0))
    painter.drawRect(band)


def paint_sentence(
    painter: QPainter,
    view: tuple[float, float],
    text: str,
    colours: CanvasColours,
    *,
    small: bool,
) -> None:
    """Paint the sentence of an empty canvas in its middle; small ones stay quiet."""
    if small or not text:
        return
    box = QRectF(32.0, 32.0, view[0] - 64.0, view[1] - 64.0)
    painter.setPen(QColor(colours.secondary))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)


@lru_cache(maxsize=32)
def _corners(width: float, height: float) -> QPainterPath:
    """Return what lies outside the rounded corners, as four small pieces."""
    path = QPainterPath()
    for x, y, turn_x, turn_y in (
        (0.0, 0.0, 1, 1),
        (width, 0.0, -1, 1),
        (width, height, -1, -1),
        (0.0, height, 1, -1),
    ):
        path.moveTo(QPointF(x, y))
        path.lineTo(QPointF(x + turn_x * RADIUS, y))
        path.quadTo(
            QPointF(x + turn_x * RADIUS * 0.29, y + turn_y * RADIUS * 0.29),
            QPointF(x, y + turn_y * RADIUS),
        )
        path.closeSubpath()
    return path
