"""Curves under the timeline: error by frame, how two futures diverge, how several spread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from kpstudio.services.rolls import spread
from kpstudio.session.session import Session
from kpstudio.ui.prediction.futures import branch_of, colour_of_branch
from kpstudio.ui.theme import Tokens, mixed, scaled, tabular
from kpstudio.ui.timeline.axis import FrameAxis
from kpstudio.ui.timeline.strip import Strip

if TYPE_CHECKING:
    from kpstudio.services.prediction import Predictions
    from kpstudio.services.rolls import Roll

HEIGHT = 46
REST_MS = 60
LONG_REST_MS = 500
MANY = 2000
"""Curves of more points than this are read at leisure."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line.

    Attributes:
        label: In the legend.
        points: (frame, value), by frame.
        colour: #RRGGBB.
        dashed: Drawn with dashes.
        unit: Behind its value at the playhead.
        scale: Curves of one scale share their range.
    """

    label: str
    points: tuple[tuple[int, float], ...]
    colour: str
    dashed: bool = False
    unit: str = ""
    scale: str = ""

    def at(self, frame: int) -> float | None:
        """Return its value at a frame."""
        return next((value for place, value in self.points if place == frame), None)


class CurveStrip(Strip):
    """Draws curves over the frame axis, with a legend and the values at the playhead."""

    title = ""
    shown_changed = Signal()

    def __init__(
        self,
        session: Session,
        axis: FrameAxis,
        tokens: Tokens,
        predictions: Predictions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, axis, tokens, HEIGHT, parent)
        self.predictions = predictions
        self.curves: tuple[Curve, ...] = ()
        self.setAccessibleName(self.title)
        self.setFont(tabular(scaled(self.font(), 0.85)))
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self.read)
        predictions.changed.connect(self._soon)
        predictions.pictured.connect(self._soon)
        session.document_changed.connect(self._soon)
        session.view_changed.connect(self._soon)
        self._told_at = session.view.frame
        self.hide()

    def find_curves(self) -> tuple[Curve, ...]:
        """Return the curves now; none hides the strip."""
        return ()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self.read()

    def _soon(self, *_: object) -> None:
        if not self._rest.isActive():
            self._rest.start()

    def read(self) -> None:
        """Look at the futures again."""
        is_on = self.session.view.comparison.mode != "off"
        curves = self.find_curves() if is_on else ()
        frame = self.session.view.frame
        if curves != self.curves or frame != self._told_at:  # the legend tells values at a frame
            self.curves, self._told_at = curves, frame
            self.update()
        many = sum(len(curve.points) for curve in curves) > MANY
        self._rest.setInterval(LONG_REST_MS if many else REST_MS)
        shown = bool(curves)
        if shown != (not self.isHidden()):
            self.setVisible(shown)
            self.shown_changed.emit()
        self._describe()

    def _describe(self) -> None:
        frame = self.session.view.frame
        parts = [
            f"{curve.label}: {value:.2f} {curve.unit}".strip()
            for curve in self.curves
            if (value := curve.at(frame)) is not None
        ]
        self.setAccessibleDescription(f"Frame {frame + 1}: {'; '.join(parts) or 'no value'}")

    # -- painting --------------------------------------------------------------------------------
    def paint_frames(self, painter: QPainter) -> None:
        """Paint the ground, the curves, the legend."""
        area = self.area()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mixed(self.tokens.panel, self.tokens.raised, 0.6)))
        painter.drawRoundedRect(area, 4.0, 4.0)
        top = QFontMetricsF(self.font()).height() + 5.0
        ranges = self._ranges()
        for curve in self.curves:
            self._paint_curve(painter, curve, ranges[curve.scale], top)
        self._paint_legend(painter, area)
        self._paint_ends(painter, area, ranges)

    def _paint_ends(
        self, painter: QPainter, area: QRectF, ranges: dict[str, tuple[float, float]]
    ) -> None:
        """Paint the values at the top and the bottom of the first curve's scale."""
        if not self.curves:
            return
        curve = self.curves[0]
        low, high = ranges[curve.scale]
        painter.setPen(QColor(self.tokens.secondary))
        metrics = QFontMetricsF(self.font())
        for value, y in ((high, area.top() + 3 + metrics.ascent()), (low, area.bottom() - 4)):
            text = f"{value:.3g}{curve.unit}"
            at = QPointF(area.right() - 6 - metrics.horizontalAdvance(text), y)
            painter.drawText(at, text)

    def _ranges(self) -> dict[str, tuple[float, float]]:
        values: dict[str, list[float]] = {}
        for curve in self.curves:
            values.setdefault(curve.scale, []).extend(value for _, value in curve.points)
        return {scale: self.range_of(every) for scale, every in values.items()}

    def range_of(self, values: list[float]) -> tuple[float, float]:
        """Return the values at the bottom and the top of the strip."""
        return 0.0, max(0.1, max(values, default=1.0))

    def _paint_curve(
        self, painter: QPainter, curve: Curve, ends: tuple[float, float], top: float
    ) -> None:
        low, high = ends
        bottom = self.height() - 5.0
        line: list[QPointF] = []
        for frame, value in curve.points:
            share = (value - low) / max(1e-9, high - low)
            y = bottom + (top - bottom) * min(1.0, max(0.0, share))
            line.append(QPointF(self.axis.x_of(frame), y))
        pen = QPen(QColor(curve.colour), 1.4 if curve.dashed else 1.8)
        if curve.dashed:
            pen.setDashPattern([3.0, 3.0])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if len(line) == 1:
            painter.drawPoint(line[0])
        else:
            painter.drawPolyline(QPolygonF(line))

    def _paint_legend(self, painter: QPainter, area: QRectF) -> None:
        painter.setFont(self.font())
        metrics = QFontMetricsF(self.font())
        y = area.top() + 3.0
        x = area.left() + 8.0
        painter.setPen(QColor(self.tokens.secondary))
        painter.drawText(QPointF(x, y + metrics.ascent()), self.title)
        x += metrics.horizontalAdvance(self.title) + 14.0
        frame = self.session.view.frame
        middle = y + metrics.height() / 2
        for curve in self.curves:
            value = curve.at(frame)
            text = curve.label
            if value is not None:
                text += f" {value:.1f}{curve.unit}"
            pen = QPen(QColor(curve.colour), 2.0)
            if curve.dashed:
                pen.setDashPattern([2.0, 1.5])
            painter.setPen(pen)
            painter.drawLine(QPointF(x, middle), QPointF(x + 14.0, middle))
            painter.setPen(QColor(self.tokens.text))
            painter.drawText(QPointF(x + 18.0, y + metrics.ascent()), text)
            widest = f"{curve.label} 00.0{curve.unit}"
            x += 32.0 + max(metrics.horizontalAdvance(text), metrics.horizontalAdvance(widest))


class ErrorStrip(CurveStrip):
    """PSNR of each predicted frame to the video, beside that of keeping the last start frame."""

    title = "PSNR by frame"

    def find_curves(self) -> tuple[Curve, ...]:
        """Return the curves of the compared branches and of the copied frame."""
        curves: list[Curve] = []
        copied: Roll | None = None
        shown = self.session.view.comparison
        for key in dict.fromkeys((shown.second, shown.first)):
            branch, roll = branch_of(self.session.document, key), self.predictions.roll(key)
            if branch is None or roll is None or not roll.errors:
                continue
            copied = copied or roll
            points = _points(roll, roll.errors, branch.steps)
            curves.append(Curve(branch.name, points, colour_of_branch(branch), unit=" dB"))
        if copied is not None:
            points = _points(copied, copied.copies, copied.wanted)
            curves.append(Curve("last frame kept", points, self.tokens.secondary, True, " dB"))
        return tuple(curves)

    def range_of(self, values: list[float]) -> tuple[float, float]:
        """Return whole tens of decibels around the values, without what is nearly exact."""
        usual = [value for value in values if value < 60.0] or [30.0]
        return math.floor(min(usual) / 5) * 5.0, math.ceil(max(usual) / 5 + 0.2) * 5.0


class DivergenceStrip(CurveStrip):
    """How far two branches are from each other: their particles, and their pictures."""

    title = "Divergence"

    def __init__(
        self,
        session: Session,
        axis: FrameAxis,
        tokens: Tokens,
        predictions: Predictions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, axis, tokens, predictions, parent)
        predictions.pictured.connect(self._on_picture)

    def _on_picture(self, frame: int) -> None:
        """Measure while both pictures are held; long roll-outs outgrow their budget."""
        shown = self.session.view.comparison
        if shown.mode != "off":
            self.predictions.apart(shown.first, shown.second, frame)

    def find_curves(self) -> tuple[Curve, ...]:
        """Return the distance of particles in pixels and of pictures in grey levels."""
        shown, document = self.session.view.comparison, self.session.document
        first, second = branch_of(document, shown.first), branch_of(document, shown.second)
        if first is None or second is None or first is second:
            return ()
        frames = range(max(first.frame, second.frame), min(first.end, second.end) + 1)
        found = [(frame, self.predictions.apart(first.key, second.key, frame)) for frame in frames]
        particles = tuple(
            (f, apart.particles) for f, apart in found if apart and apart.particles is not None
        )
        pictures = tuple(
            (f, apart.picture) for f, apart in found if apart and apart.picture is not None
        )
        curves: list[Curve] = []
        if particles:
            colour = colour_of_branch(second)
            curves.append(Curve("mean particle distance", particles, colour, False, " px", "px"))
        if pictures:
            colour = self.tokens.secondary
            curves.append(Curve("picture difference", pictures, colour, True, " of 255", "grey"))
        return tuple(curves)


class SpreadStrip(CurveStrip):
    """How far several futures of a branch lie apart."""

    title = "Spread of futures"

    def find_curves(self) -> tuple[Curve, ...]:
        """Return the spread of the compared branches that have several futures."""
        document, shown = self.session.document, self.session.view.comparison
        model = document.model
        curves: list[Curve] = []
        for key in dict.fromkeys((shown.second, shown.first)):
            branch, roll = branch_of(document, key), self.predictions.roll(key)
            if branch is None or roll is None or branch.futures < 2 or model is None:
                continue
            size = model.capabilities.image_size
            points = tuple(
                (roll.frame + 1 + step, spread(known.positions, size))
                for step, known in enumerate(roll.steps[: branch.steps])
            )
            if points:
                label = f"{branch.name}, {branch.futures} futures"
                curves.append(Curve(label, points, colour_of_branch(branch), unit=" px"))
        return tuple(curves)


def _points(roll: Roll, values: dict[int, float], steps: int) -> tuple[tuple[int, float], ...]:
    return tuple((roll.frame + 1 + s, values[s]) for s in sorted(values) if s < steps)
