"""Where the particles of a future go: one line per particle and future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from kpstudio.services.rolls import Roll
from kpstudio.session.session import Session
from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.palette import colour_of

_STILL = 0.004
"""Particles that go less far than this, in unit coordinates, leave no trail."""
_SHADE = QColor(0, 0, 0, 90)


@dataclass(frozen=True, slots=True, eq=False)
class Trails:
    """The ways of all particles of one future.

    Attributes:
        places: (T, N, K, 2) in unit coordinates, from the last start frame on.
        frame: The last start frame.
        numbers: Shown number of each particle, and key of its colour.
        present: Rows that are worth a trail.
    """

    places: NDArray[np.float32]
    frame: int
    numbers: tuple[int, ...]
    present: tuple[int, ...]

    @classmethod
    def of(cls, session: Session, roll: Roll) -> Trails:
        """Return the trails of a roll-out as far as it is known."""
        places = roll.trail()
        first = roll.start.particles[-1]
        numbers = session.scene.numbers(roll.frame)
        if len(numbers) != first.count:
            numbers = first.topology.identity
        presence = first.rows("presence")
        reach = np.ptp(places[:, 0], axis=0).max(axis=-1) if len(places) > 1 else np.zeros(0)
        present = [
            row
            for row in range(len(reach))
            if reach[row] > _STILL and (presence is None or float(presence[row]) > 0.5)
        ]
        return cls(places, roll.frame, numbers, tuple(present))

    def paint(
        self,
        painter: QPainter,
        viewport: Viewport,
        frame: int,
        selected: frozenset[int],
        opacity: float,
        *,
        dashed: bool = False,
    ) -> None:
        """Paint the way so far strong and the way to go faint.

        Args:
            painter: On the view.
            viewport: Where the picture lies.
            frame: The shown frame.
            selected: Rows that stand out; with any, the others step back.
            opacity: 0..1.
            dashed: For the future that the other one is compared with.
        """
        upto = min(len(self.places), max(1, frame - self.frame + 1))
        at = frame <= self.frame
        painter.save()
        painter.setClipRect(
            QRectF(viewport.left, viewport.top, viewport.width, viewport.height),
            Qt.ClipOperation.IntersectClip,
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, half = viewport.to_view((0.0, 0.0)), viewport.lengths((1.0, 1.0))
        across = middle[0] + half[0] * self.places[..., 0]
        down = middle[1] + half[1] * self.places[..., 1]
        for row in self.present:
            chosen = not selected or row in selected
            colour = QColor(colour_of(self.numbers[row]))
            strength = opacity * (1.0 if chosen else 0.3)
            for future in range(self.places.shape[1] - 1, -1, -1):
                way = zip(
                    across[:, future, row].tolist(), down[:, future, row].tolist(), strict=True
                )
                line = [QPointF(x, y) for x, y in way]
                likeliest = future == 0
                width = 2.0 if likeliest else 1.0
                faint = strength * (0.9 if likeliest and at else 0.5 if likeliest else 0.3)
                self._stroke(painter, line, colour, width, faint, dashed=dashed)
                if likeliest and upto > 1:
                    gone = QPolygonF(line[:upto])
                    self._stroke(painter, gone, _SHADE, width + 1.6, strength, dashed=dashed)
                    self._stroke(painter, gone, colour, width, strength, dashed=dashed)
        painter.restore()

    @staticmethod
    def _stroke(
        painter: QPainter,
        line: list[QPointF] | QPolygonF,
        colour: QColor,
        width: float,
        opacity: float,
        *,
        dashed: bool,
    ) -> None:
        pen = QPen(colour, width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        if dashed:
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            pen.setDashPattern([4.0 / width, 3.0 / width])
        painter.setOpacity(opacity)
        painter.setPen(pen)
        painter.drawPolyline(line)


class TrailReader:
    """Keeps the trails of the futures last asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: dict[str, tuple[int, tuple[int, ...], Trails]] = {}

    def read(self, roll: Roll) -> Trails:
        """Return the trails of a roll-out."""
        numbers = self._session.scene.numbers(roll.frame)
        kept = self._kept.get(roll.name)
        if kept is None or kept[:2] != (len(roll.steps), numbers):
            if len(self._kept) > 8:
                self._kept.clear()
            kept = len(roll.steps), numbers, Trails.of(self._session, roll)
            self._kept[roll.name] = kept
        return kept[2]
