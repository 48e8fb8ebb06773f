"""Where each particle came from over the last frames, fading with age.

A trail goes through the places at which particles were encoded; edits have marks of their own. It
follows the matches between frames, never the numbers: where a particle was lost its trail ends,
even when another one has its number now.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from kpstudio.ui.canvas.mapping import Point, Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.palette import colour_of

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.document import Document
    from kpstudio.session.session import Session

WIDTH = 2.8
BANDS = 4
"""Steps in which a trail fades."""
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
        viewport: Viewport,
        opacity: float,
    ) -> None:
        """Paint the trails that lead to the particles of a frame.

        Args:
            painter: On the canvas.
            marks: Particles of the frame.
            frame: The one the picture shows.
            viewport: Where the picture lies.
            opacity: Of the layer.
        """
        length = self._session.view.trail_frames
        if not self._session.document.encoded.tracks.links_before(frame):
            return
        rows = [mark.row for mark in marks if mark.kept]
        trails = self.trails(frame, rows, length)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        halo, pen = QPen(QColor(0, 0, 0, 110), WIDTH + 1.8), QPen()
        for each in (halo, pen):
            each.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        for mark in marks:
            trail = trails.get(mark.row, [])
            if len(trail) < 2:
                continue
            places = [QPointF(*viewport.to_view(point)) for point in trail]
            painter.setOpacity(opacity * mark.certainty * 0.5)
            painter.setPen(halo)
            painter.drawPolyline(QPolygonF(places))
            pen.setColor(QColor(colour_of(mark.hue)))
            share = max(1, -(-length // BANDS))
            for band, first in enumerate(range(0, len(places) - 1, share)):
                strength = 1.0 - band / BANDS
                painter.setOpacity(opacity * mark.certainty * strength)
                pen.setWidthF(WIDTH * (0.6 + 0.4 * strength))
                painter.setPen(pen)
                painter.drawPolyline(QPolygonF(places[first : first + share + 1]))
        painter.setOpacity(1.0)

    def trails(self, frame: int, rows: list[int], length: int) -> dict[int, list[Point]]:
        """Return where the particles at `rows` were, by row, unit coordinates, newest first.

        Args:
            frame: Where they are at `rows`.
            rows: Of its particles.
            length: How many frames back.
        """
        document = self._session.document
        tracks = document.encoded.tracks
        now = self._places(document, frame)
        trails = {row: [now[row]] for row in rows if row < len(now)}
        at = {row: row for row in trails}
        for back in range(length):
            before = self._places(document, frame - back - 1)
            links = tracks.links_before(frame - back)
            at = {row: links[here] for row, here in at.items() if here in links}
            if not at or not before:
                break
            for row, there in at.items():
                trails[row].append(before[there])
        return trails

    def _places(self, document: Document, frame: int) -> list[Point]:
        latents = document.original(frame)
        if latents is None:
            return []
        kept = self._points.get(frame)
        if kept is None or kept[0] is not latents:
            kept = (latents, [(x, y) for x, y in latents.rows("position")])
            self._points[frame] = kept
            while len(self._points) > _KEPT:
                self._points.popitem(last=False)
        return kept[1]
