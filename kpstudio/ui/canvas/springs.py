"""Lines from parents to children, for models whose particles hang on each other."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.palette import colour_of

WIDTH = 1.6
_HALO = QColor(0, 0, 0, 110)


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
    halo, pen = QPen(_HALO, WIDTH + 1.4), QPen()
    for line in (halo, pen):
        line.setCapStyle(Qt.PenCapStyle.RoundCap)
    for parent, child in spring_lines(marks, parents):
        ends = QLineF(QPointF(*viewport.to_view(parent.at)), QPointF(*viewport.to_view(child.at)))
        reach = QRectF(ends.p1(), ends.p2()).normalized().adjusted(-WIDTH, -WIDTH, WIDTH, WIDTH)
        if part is not None and not part.intersects(reach.adjusted(-1.0, -1.0, 1.0, 1.0)):
            continue
        lively = parent.selected or child.selected or parent.hovered
        painter.setOpacity(opacity * min(parent.certainty, child.certainty))
        halo.setWidthF((WIDTH + 1.4) * (1.5 if lively else 1.0))
        painter.setPen(halo)
        painter.drawLine(ends)
        pen.setColor(QColor(colour_of(parent.hue)))
        pen.setWidthF(WIDTH * (1.5 if lively else 1.0))
        painter.setPen(pen)
        painter.drawLine(ends)
    painter.setOpacity(1.0)
