"""Where each particle came from over the last frames, fading with age.

A trail follows the matches between frames, never the numbers: where a particle was lost its trail
ends, even when another one has its number now.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from kpstudio.ui.canvas.mapping import Point, Viewport
from kpstudio.ui.canvas.marks import Mark, Place
from kpstudio.ui.canvas.palette import colour_of

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.session import Session

WIDTH = 2.2
_FAINTEST = 0.12
_KEPT = 256


class TrailLayer:
    """Paints the trails of one canvas; positions of the last frames are kept as plain numbers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._points: OrderedDict[int, tuple[Latents, list[Point]]] = OrderedDict()

    def paint(
        self,
        painter: QPainter,
        marks: tuple[Mark, ...],
        frame: int,
        place: Place,
        viewport: Viewport,
        opacity: float,
    ) -> None:
        """Paint the trails that lead to the particles of a frame.

        Args:
            painter: On the canvas.
            marks: Particles of the frame.
            frame: The one the picture shows.
            place: Particles after edits, or as encoded.
            viewport: Where the picture lies.
            opacity: Of the layer.
        """
        length = self._session.view.trail_frames
        halo, pen = QPen(QColor(0, 0, 0, 120), WIDTH + 1.6), QPen()
        for colour in (halo, pen):
            colour.setCapStyle(Qt.PenCapStyle.FlatCap)
        for mark in marks:
            trail = self.trail(frame, mark.row, length, place) if mark.kept else []
            if len(trail) < 2:
                continue
            places = [QPointF(*viewport.to_view(point)) for point in trail]
            ink = QColor(colour_of(mark.identity))
            for age in range(len(places) - 1, 0, -1):
                strength = 1.0 - (age - 1) / length
                line = QLineF(places[age], places[age - 1])
                painter.setOpacity(opacity * mark.certainty * max(_FAINTEST, strength))
                painter.setPen(halo)
                painter.drawLine(line)
                pen.setColor(ink)
                pen.setWidthF(WIDTH * (0.5 + 0.5 * strength))
                painter.setPen(pen)
                painter.drawLine(line)
        painter.setOpacity(1.0)

    def trail(self, frame: int, row: int, length: int, place: Place) -> list[Point]:
        """Return where a particle was, unit coordinates, newest first; at least where it is."""
        tracks = self._session.document.encoded.tracks
        points: list[Point] = []
        at: int | None = row
        while at is not None and len(points) <= length:
            places = self._places(frame, place)
            if at >= len(places):
                break
            points.append(places[at])
            at = tracks.before(frame, at)
            frame -= 1
        return points

    def _places(self, frame: int, place: Place) -> list[Point]:
        document = self._session.document
        latents = document.original(frame) if place == "encoded" else document.latents(frame)
        if latents is None:
            return []
        kept = self._points.get(frame)
        if kept is None or kept[0] is not latents:
            values: Any = latents.rows("position")
            kept = (latents, [(float(x), float(y)) for x, y in values])
            self._points[frame] = kept
            while len(self._points) > _KEPT:
                self._points.popitem(last=False)
        return kept[1]
