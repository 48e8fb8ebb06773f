"""Lines from parents to children, for models whose particles hang on each other."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.palette import colour_of

WIDTH = 2.2
_CORE_AT, _LIVELY_CORE = (-0.7, 0.0, 0.7), (-1.2, -0.4, 0.4, 1.2)
_HALO_AT, _LIVELY_HALO = (-1.6, 1.6), (-2.2, 2.2)
"""Close enough that slanting lines, which are thinner across, leave nothing between them."""
_HALO = QColor(24, 24, 28)
"""Not transparent: a line that is blended with what it lies on takes twelve times as long."""


def spring_lines(marks: Sequence[Mark], parents: Sequence[int]) -> list[tuple[Mark, Mark]]:
    """Return (parent, child) of every connection whose two ends are shown.

    Args:
        marks: The particles.
        parents: Row of each row's parent; -1 for none.
    """
    shown = {mark.row: mark for mark in marks if mark.kept}
    return [
        (shown[parents[mark.row]], mark)
        for mark in shown.values()
        if mark.row < len(parents) and parents[mark.row] in shown
    ]


def paint_springs(
    painter: QPainter,
    marks: Sequence[Mark],
    parents: Sequence[int],
    viewport: Viewport,
    opacity: float,
    part: QRectF | None = None,
) -> None:
    """Paint a line from each parent to each of its children, in the parent's colour.

    Args:
        painter: On the canvas.
        marks: The particles.
        parents: Row of each row's parent; -1 for none.
        viewport: Where the picture lies.
        opacity: Of the layer; lines of unsure particles are fainter.
        part: Of the view, to be painted; None for all of it.
    """
    pen = QPen()
    for parent, child in spring_lines(marks, parents):
        ends = QLineF(QPointF(*viewport.to_view(parent.at)), QPointF(*viewport.to_view(child.at)))
        reach = QRectF(ends.p1(), ends.p2()).normalized().adjusted(-WIDTH, -WIDTH, WIDTH, WIDTH)
        if part is not None and not part.intersects(reach.adjusted(-1.0, -1.0, 1.0, 1.0)):
            continue
        lively = parent.selected or child.selected or parent.hovered
        painter.setOpacity(opacity * min(parent.certainty, child.certainty))
        pen.setColor(_HALO)
        painter.setPen(pen)
        painter.drawLines(_strands(ends, _LIVELY_HALO if lively else _HALO_AT))
        pen.setColor(QColor(colour_of(parent.hue)))
        painter.setPen(pen)
        painter.drawLines(_strands(ends, _LIVELY_CORE if lively else _CORE_AT))
    painter.setOpacity(1.0)


def _strands(line: QLineF, places: Sequence[float]) -> list[QLineF]:
    """Return lines beside a line, by their distances to it.

    Lines one point wide are painted in a tenth of the time of wider ones, which are filled shapes.
    """
    length = max(line.length(), 1e-6)
    across = QPointF(-line.dy() / length, line.dx() / length)
    return [line.translated(across * place) for place in places]
