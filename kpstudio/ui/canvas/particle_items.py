"""All particles of a canvas painted as one batch: dots, numbers, trails, glimpse boxes.

Everything is drawn in points of the view, never of the picture, so that zoom does not fatten it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPolygonF,
)

from kpstudio.ui.canvas.label_areas import label_areas
from kpstudio.ui.canvas.mapping import Point, Viewport
from kpstudio.ui.canvas.marks import Mark, nearest_mark
from kpstudio.ui.canvas.palette import Shape, colour_of, shape_of

REACH = 14.0
"""How near to a particle's middle, in points, a click picks it."""

DOT_REACH = 26.0
"""All of a marker lies within this many points of its middle, whatever its state."""

_DOT = 6.5
_SMALL_DOT = 3.5
_FAINT = 0.22
_CLEAR = 0.6
_KEPT_BOX = 600
"""Device pixels of the largest glimpse box that is kept as a picture."""
_HALO = QColor(0, 0, 0, 110)
_WHITE = QColor(255, 255, 255)


class ParticleOverlay:
    """Paints marks and says which one is under the mouse."""

    def __init__(
        self,
        marks: Sequence[Mark],
        viewport: Viewport,
        *,
        small: bool = False,
        part: QRectF | None = None,
    ) -> None:
        """Place the marks.

        Args:
            marks: In painting order.
            viewport: Where the picture lies.
            small: Paint small dots and no numbers.
            part: Of the view, to be painted; None for all of it.
        """
        self.marks = tuple(marks)
        self.part = part
        self._viewport = viewport
        self._small = small
        self._places = [viewport.to_view(mark.at) for mark in self.marks]

    def hit(self, at: Point) -> Mark | None:
        """Return the particle under a place of the view, preferring those that are seen."""
        for level in (2, 1, 0):
            chosen = [i for i, mark in enumerate(self.marks) if mark.prominence == level]
            marks = [self.marks[index] for index in chosen]
            found = nearest_mark(marks, [self._places[index] for index in chosen], at, REACH)
            if found is not None:
                return found
        return None

    def inside(self, band: QRectF) -> frozenset[int]:
        """Return the rows whose middle lies inside a rectangle of the view."""
        return frozenset(
            mark.row
            for mark, place in zip(self.marks, self._places, strict=True)
            if band.contains(QPointF(*place))
        )

    def paint_particles(self, painter: QPainter, opacity: float, glimpse_px: int) -> None:
        """Paint where particles came from, the boxes of the selected ones, and the dots."""
        pairs = list(zip(self.marks, self._places, strict=True))
        if not self._small:
            for mark, place in pairs:
                if mark.home is not None:
                    painter.setOpacity(opacity * _clarity(mark))
                    _paint_trail(painter, self._viewport.to_view(mark.home), place)
            painter.setOpacity(opacity)
            side = glimpse_px * self._viewport.scale
            for mark, place in pairs:
                if mark.selected and side:
                    _paint_box(painter, place, side)
        for mark, place in pairs:
            if self._is_asked(*place, DOT_REACH):
                painter.setOpacity(opacity * _clarity(mark))
                self._paint_dot(painter, mark, place)
        painter.setOpacity(1.0)

    def paint_labels(self, painter: QPainter, opacity: float, font: QFont) -> None:
        """Paint the number of each particle beside its dot.

        The number of a faint particle gives way to those of clearer ones until the mouse is
        over it.
        """
        if self._small:
            return
        name, ratio = font.toString(), painter.device().devicePixelRatio()
        taken: list[QRectF] = []
        areas = self.label_areas(font, ratio)
        for mark, area in zip(reversed(self.marks), reversed(areas), strict=True):
            if gives_way(mark) and any(area.intersects(other) for other in taken):
                continue
            taken.append(area)
            if self.part is not None and not self.part.intersects(area):
                continue
            painter.setOpacity(opacity * _clarity(mark))
            corner = on_grid((area.x(), area.y()), ratio)
            painter.drawPixmap(corner, number_picture(mark.label, name, ratio))
        painter.setOpacity(1.0)

    def label_areas(self, font: QFont, ratio: float) -> tuple[QRectF, ...]:
        """Return where the number of each mark belongs; empty rectangles on a small canvas.

        It is at the dot's upper right, or at another corner where fewer dots and numbers of
        clearer particles are in its way. Of those that are selected or give way it stays.
        """
        if self._small:
            return tuple(QRectF() for _ in self.marks)
        name = font.toString()
        sizes = [_number_size(mark.label, name, ratio) for mark in self.marks]
        faint = [gives_way(mark) for mark in self.marks]
        fixed = [mark.selected for mark in self.marks]
        areas = label_areas(self._places, sizes, _DOT, faint, fixed)
        return tuple(QRectF(x, y, right - x, below - y) for x, y, right, below in areas)

    def _is_asked(self, x: float, y: float, reach: float) -> bool:
        """Return whether what is painted within `reach` of a place is in the part to be painted."""
        part = self.part
        if part is None:
            return True
        return (
            part.left() - reach < x < part.right() + reach
            and part.top() - reach < y < part.bottom() + reach
        )

    def _paint_dot(self, painter: QPainter, mark: Mark, place: Point) -> None:
        ratio = painter.device().devicePixelRatio()
        state = self._small, mark.selected, mark.hovered
        dot = dot_picture(mark.hue, *state, ratio)
        half = dot.deviceIndependentSize().width() / 2
        painter.drawPixmap(on_grid((place[0] - half, place[1] - half), ratio), dot)


@lru_cache(maxsize=512)
def dot_picture(identity: int, small: bool, selected: bool, hovered: bool, ratio: float) -> QPixmap:
    """Return a particle's marker with its rim and halo, drawn once for each screen."""
    radius, rim = (_SMALL_DOT, 1.2) if small else (_DOT, 2.2)
    if selected:
        radius += 0.5 if small else 1.0
        rim += 0.6 if small else 1.3
    half = math.ceil(1.5 * (radius + rim + 4.5)) + 1
    picture = QPixmap(math.ceil(2 * half * ratio), math.ceil(2 * half * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    middle = picture.deviceIndependentSize().width() / 2
    place, shape = (middle, middle), shape_of(identity)
    if hovered:
        _fill(painter, "circle", place, radius + rim + 4.5, QColor(255, 255, 255, 70))
    _fill(painter, shape, place, radius + rim + 1.0, _HALO)
    _fill(painter, shape, place, radius + rim, _WHITE)
    _fill(painter, shape, place, radius, QColor(colour_of(identity)))
    painter.end()
    return picture


def on_grid(corner: Point, ratio: float) -> QPointF:
    """Return the nearest corner on whole device pixels, where a kept picture stays crisp."""
    return QPointF(round(corner[0] * ratio) / ratio, round(corner[1] * ratio) / ratio)


def gives_way(mark: Mark) -> bool:
    """Return whether a particle's number is left out where it would lie on another's."""
    return _clarity(mark) < _CLEAR and not mark.hovered


def _clarity(mark: Mark) -> float:
    return mark.certainty if mark.kept else _FAINT


def _paint_trail(painter: QPainter, home: Point, place: Point) -> None:
    """Paint a ring where a particle was encoded and a dashed line from there."""
    ring, middle = 4.0, QPointF(*home)
    distance = math.dist(home, place)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(_HALO, 4.2), QPen(_WHITE, 2.2)):
        painter.setPen(pen)
        painter.drawEllipse(middle, ring, ring)
        if distance > ring:
            start = ring / distance
            edge = QPointF(
                home[0] + (place[0] - home[0]) * start, home[1] + (place[1] - home[1]) * start
            )
            painter.setPen(_dashed(pen))
            painter.drawLine(edge, QPointF(*place))


def _paint_box(painter: QPainter, place: Point, side: float) -> None:
    ratio = painter.device().devicePixelRatio()
    if side * ratio > _KEPT_BOX:
        _draw_box(painter, QRectF(place[0] - side / 2, place[1] - side / 2, side, side))
        return
    picture = box_picture(round(side), ratio)
    half = picture.deviceIndependentSize().width() / 2
    painter.drawPixmap(on_grid((place[0] - half, place[1] - half), ratio), picture)


@lru_cache(maxsize=16)
def box_picture(side: int, ratio: float) -> QPixmap:
    """Return a dashed square of `side` points, drawn once: dashes are slow to paint."""
    margin = 2
    whole = side + 2 * margin
    picture = QPixmap(math.ceil(whole * ratio), math.ceil(whole * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _draw_box(painter, QRectF(margin, margin, side, side))
    painter.end()
    return picture


def _draw_box(painter: QPainter, box: QRectF) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(_HALO, 3.6), QPen(_WHITE, 1.7)):
        painter.setPen(_dashed(pen))
        painter.drawRect(box)


def _dashed(pen: QPen) -> QPen:
    """Return the pen with dashes of the same length in points whatever its width."""
    pen = QPen(pen)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([5.0 / pen.widthF(), 4.0 / pen.widthF()])
    return pen


def _fill(painter: QPainter, shape: Shape, place: Point, radius: float, colour: QColor) -> None:
    painter.setBrush(colour)
    middle = QPointF(*place)
    if shape == "circle":
        painter.drawEllipse(middle, radius, radius)
    else:
        painter.drawPolygon(_outline(shape, radius).translated(middle))


@lru_cache(maxsize=256)
def _outline(shape: Shape, radius: float) -> QPolygonF:
    """Return the corners of a marker of about the same area as a circle of `radius`."""
    if shape == "cross":
        long, short = 1.25 * radius, 0.55 * radius
        corners = [
            (-short, -long), (short, -long), (short, -short), (long, -short),
            (long, short), (short, short), (short, long), (-short, long),
            (-short, short), (-long, short), (-long, -short), (-short, -short),
        ]  # fmt: skip
        return QPolygonF([QPointF(x, y) for x, y in corners])
    count, turn, stretch = {
        "square": (4, 45.0, 1.25),
        "diamond": (4, 0.0, 1.3),
        "triangle": (3, -90.0, 1.45),
        "hexagon": (6, 0.0, 1.1),
    }[shape]
    angles = [math.radians(turn + 360.0 * corner / count) for corner in range(count)]
    reach = radius * stretch
    return QPolygonF([QPointF(reach * math.cos(a), reach * math.sin(a)) for a in angles])


@lru_cache(maxsize=512)
def _number_size(text: str, font_key: str, ratio: float) -> Point:
    size = number_picture(text, font_key, ratio).deviceIndependentSize()
    return size.width(), size.height()


@lru_cache(maxsize=512)
def number_picture(text: str, font_key: str, ratio: float) -> QPixmap:
    """Return a white number or name with a dark halo, drawn once for each font and screen."""
    font = QFont()
    font.fromString(font_key)
    font.setBold(True)
    path = QPainterPath()
    metrics = QFontMetricsF(font)
    margin = 2.5
    path.addText(QPointF(margin, margin + metrics.ascent()), font, text)
    width = metrics.horizontalAdvance(text) + 2 * margin
    height = metrics.height() + 2 * margin
    picture = QPixmap(math.ceil(width * ratio), math.ceil(height * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    halo = QPen(QColor(0, 0, 0, 215), 3.4)
    halo.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(path, halo)
    painter.fillPath(path, _WHITE)
    painter.end()
    return picture
