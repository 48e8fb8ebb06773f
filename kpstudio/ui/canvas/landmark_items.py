"""Annotated landmarks and those that were regressed from the particles, with the error's colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from kpstudio.session.landmarks import Point
from kpstudio.ui.canvas.mapping import Viewport

GOOD, BAD = 3.0, 15.0
"""Percent: errors up to the first are green, from the second on red."""

_RING = 6.0
_CROSS = 5.0
_HALO = QColor(0, 0, 0, 150)


def error_colour(percent: float) -> QColor:
    """Return the colour of an error: green, over yellow, to red; white where it is unknown."""
    if not math.isfinite(percent):
        return QColor(255, 255, 255)
    share = min(1.0, max(0.0, (percent - GOOD) / (BAD - GOOD)))
    return QColor.fromHsvF((1.0 - share) * 0.36, 0.75, 0.95)


def paint_landmarks(
    painter: QPainter,
    truth: Sequence[Point],
    told: Sequence[Point],
    errors: Sequence[float],
    viewport: Viewport,
    opacity: float,
) -> None:
    """Paint a ring where each landmark is annotated, a cross where it was told, a line between.

    Args:
        painter: On the canvas.
        truth: Annotated, unit coordinates; empty when unknown.
        told: Regressed.
        errors: Of each, percent; empty when unknown.
        viewport: Where the picture lies.
        opacity: Of the layer.
    """
    painter.setOpacity(opacity)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for index, place in enumerate(told):
        cross = QPointF(*viewport.to_view(place))
        ink = error_colour(errors[index] if index < len(errors) else math.nan)
        known = index < len(truth) and all(math.isfinite(value) for value in truth[index])
        for pen in (QPen(_HALO, 4.0), QPen(ink, 2.0)):
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            if known:
                ring = QPointF(*viewport.to_view(truth[index]))
                painter.drawLine(ring, cross)
                painter.drawEllipse(ring, _RING, _RING)
            for x, y in ((_CROSS, _CROSS), (_CROSS, -_CROSS)):
                arm = QPointF(x, y)
                painter.drawLine(cross - arm, cross + arm)
    painter.setOpacity(1.0)
