"""Zoom and pan shared by all canvases of a window."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from kpstudio.ui.canvas.mapping import Framing, Point


class LinkedViews(QObject):
    """Holds the one framing that all canvases show."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._framing = Framing()

    @property
    def framing(self) -> Framing:
        """What all canvases show."""
        return self._framing

    def show(self, framing: Framing) -> None:
        """Show another part of the scene in every canvas."""
        framing = framing.held()
        if framing != self._framing:
            self._framing = framing
            self.changed.emit()

    def fit(self) -> None:
        """Show the whole picture."""
        self.show(Framing())

    def frame(self, points: Sequence[Point], margin: Point) -> None:
        """Show the part of the scene that holds `points`, with room around them.

        Args:
            points: Unit coordinates; the whole picture is shown when there are none.
            margin: Unit distance kept free around them along x and y.
        """
        if not points:
            self.fit()
            return
        low = [min(point[axis] for point in points) - margin[axis] for axis in (0, 1)]
        high = [max(point[axis] for point in points) + margin[axis] for axis in (0, 1)]
        centre = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
        extent = max(high[0] - low[0], high[1] - low[1], 0.02)
        self.show(Framing(centre, 2.0 / extent))
