"""The posterior of each position, as ellipses at one and two standard deviations.

Large ellipses are the dearest thing on a canvas. Those that stay where they are during a drag are
painted once, into one picture of the view; the selected ones, which may move, are laid over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.palette import colour_of
from kpstudio.ui.canvas.particle_items import on_grid

ANYWHERE = 0.5
"""A position whose standard deviation is beyond this along both axes has two of them span the
picture: it says nothing of where the particle is, so no ellipse is painted; the dot fades."""

_LARGEST_KEPT = 300.0
"""Moving ellipses beyond this, in points, are painted afresh rather than kept as pictures."""


class EllipseLayer:
    """Paints the ellipses of one canvas."""

    def __init__(self) -> None:
        self._key: object = None
        self._picture = QPixmap()

    def paint(
        self,
        painter: QPainter,
        marks: Sequence[Mark],
        viewport: Viewport,
        view: tuple[float, float],
        opacity: float,
        *,
        live: bool = False,
    ) -> None:
        """Paint the ellipses of the particles that are decoded.

        Args:
            painter: On a surface of `view` points.
            marks: The particles, in painting order.
            viewport: Where the picture lies.
            view: (width, height) in points.
            opacity: Of the layer.
            live: All of them move, as while frames play; then none is kept.
        """
        shown = [mark for mark in marks if mark.kept and says_where(mark)]
        still = [mark for mark in shown if not mark.selected]
        painter.setOpacity(opacity)
        if live:
            for mark in still:
                painter.setOpacity(opacity * mark.certainty)
                rx, ry = viewport.lengths(mark.sigma or (0.0, 0.0))
                middle = QPointF(*viewport.to_view(mark.at))
                _paint_ellipse(painter, middle, rx, ry, colour_of(mark.hue))
        elif still:
            ratio = painter.device().devicePixelRatio()
            painter.drawPixmap(QPointF(0.0, 0.0), self._still(still, viewport, view, ratio))
        for mark in shown:
            if mark.selected:
                painter.setOpacity(opacity * mark.certainty)
                _paint_moving(painter, mark, viewport)
        painter.setOpacity(1.0)

    def _still(
        self, marks: Sequence[Mark], viewport: Viewport, view: tuple[float, float], ratio: float
    ) -> QPixmap:
        facts = tuple((mark.hue, mark.at, mark.sigma, mark.certainty) for mark in marks)
        key = (facts, viewport, view, ratio)
        if key == self._key:
            return self._picture
        self._key = key
        size = math.ceil(view[0] * ratio), math.ceil(view[1] * ratio)
        if (self._picture.width(), self._picture.height()) != size:
            self._picture = QPixmap(*size)
        self._picture.setDevicePixelRatio(ratio)
        self._picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for mark in marks:
            painter.setOpacity(mark.certainty)
            rx, ry = viewport.lengths(mark.sigma or (0.0, 0.0))
            middle = QPointF(*viewport.to_view(mark.at))
            _paint_ellipse(painter, middle, rx, ry, colour_of(mark.hue))
        painter.end()
        return self._picture


def says_where(mark: Mark) -> bool:
    """Return whether a particle's ellipse would be smaller than the picture."""
    return mark.sigma is not None and min(mark.sigma) <= ANYWHERE


def _paint_moving(painter: QPainter, mark: Mark, viewport: Viewport) -> None:
    rx, ry = viewport.lengths(mark.sigma or (0.0, 0.0))
    x, y = viewport.to_view(mark.at)
    colour = colour_of(mark.hue)
    if max(rx, ry) > _LARGEST_KEPT:
        _paint_ellipse(painter, QPointF(x, y), rx, ry, colour)
        return
    ratio = painter.device().devicePixelRatio()
    picture = _ellipse_picture(colour, round(2 * rx) / 2, round(2 * ry) / 2, ratio)
    size = picture.deviceIndependentSize()
    painter.drawPixmap(on_grid((x - size.width() / 2, y - size.height() / 2), ratio), picture)


def _paint_ellipse(painter: QPainter, middle: QPointF, rx: float, ry: float, colour: str) -> None:
    fill = QColor(colour)
    painter.setPen(QPen(fill, 1.5))
    fill.setAlphaF(0.1)
    painter.setBrush(fill)
    painter.drawEllipse(middle, 2 * rx, 2 * ry)
    painter.drawEllipse(middle, rx, ry)


@lru_cache(maxsize=96)
def _ellipse_picture(colour: str, rx: float, ry: float, ratio: float) -> QPixmap:
    """Return the ellipses at one and two standard deviations, painted once for each size."""
    width, height = math.ceil(4 * rx * ratio) + 4, math.ceil(4 * ry * ratio) + 4
    picture = QPixmap(width, height)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_ellipse(painter, QPointF(width / ratio / 2, height / ratio / 2), rx, ry, colour)
    painter.end()
    return picture
