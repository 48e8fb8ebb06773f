"""What of a canvas must be painted again: where the picture differs, and round changed particles.

A drag at the rate of a fast mouse changes a twentieth of the view at each move; painting only that
leaves the processor to the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QRegion

from kpstudio.ui.canvas.ellipses import says_where
from kpstudio.ui.canvas.mapping import Point, Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.overlays import Bytes
from kpstudio.ui.canvas.particle_items import DOT_REACH, gives_way

_PIECES = 8
"""Rectangles that cover a slanting line."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is painted alike all over a view, and how large what is painted of a particle is.

    Attributes:
        viewport: Where the picture lies.
        glimpse: Side of the box of a selected particle, in points; 0 for none.
        ellipses: Whether ellipses are painted.
        parents: Row of each row's parent, when lines are painted to them; else empty.
        rest: Everything else that the painting depends on, to be compared.
    """

    viewport: Viewport
    glimpse: float
    ellipses: bool
    parents: tuple[int, ...]
    rest: tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a view shows.

    Attributes:
        ground: None when anything may differ from one paint to the next.
        pixels: Of the picture (H, W, 3).
        marks: The particles.
        labels: Where each mark's number is painted, when it does not give way.
    """

    ground: Ground | None
    pixels: Bytes | None
    marks: tuple[Mark, ...]
    labels: tuple[QRectF, ...]


def damage(before: Content | None, after: Content) -> QRegion | None:
    """Return what differs on the view, or None when it may be all of it."""
    ground = after.ground
    if before is None or ground is None or before.ground != ground:
        return None
    if before.pixels is None or after.pixels is None or before.pixels.shape != after.pixels.shape:
        return None
    region = QRegion()
    if before.pixels is not after.pixels:
        region += _pixels(before.pixels, after.pixels, ground.viewport)
    if before.marks != after.marks:
        old, new = _placed(before), _placed(after)
        for row in old.keys() | new.keys():
            if old.get(row) != new.get(row):
                for mark, label in filter(None, (old.get(row), new.get(row))):
                    for area in _areas(mark, label, ground):
                        region += _outward(area)
                for placed in (old, new):
                    for area in _springs(row, placed, ground):
                        region += _outward(area)
        _add_numbers(region, after)
    return region


def _placed(content: Content) -> Mapping[int, tuple[Mark, QRectF]]:
    pairs = zip(content.marks, content.labels, strict=True)
    return {mark.row: (mark, label) for mark, label in pairs}


def _pixels(before: Bytes, after: Bytes, viewport: Viewport) -> QRegion:
    """Return the rectangle of the view that holds every pixel that differs."""
    height, width = after.shape[:2]
    differs = (before != after).reshape(height, -1)
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return QRegion()
    seen = differs[rows[0] : rows[-1] + 1].any(axis=0)
    columns = np.flatnonzero(seen.reshape(width, -1).any(axis=1))
    # one more on each side: the painter interpolates between neighbours
    across = viewport.width / width
    down = viewport.height / height
    left, top = (int(columns[0]) - 1) * across, (int(rows[0]) - 1) * down
    right, bottom = (int(columns[-1]) + 2) * across, (int(rows[-1]) + 2) * down
    return QRegion(
        _outward(QRectF(viewport.left + left, viewport.top + top, right - left, bottom - top))
    )


def _areas(mark: Mark, label: QRectF, ground: Ground) -> Iterator[QRectF]:
    """Yield rectangles that hold all that is painted of a particle."""
    viewport = ground.viewport
    place = viewport.to_view(mark.at)
    yield label
    yield _square(place, DOT_REACH)
    if mark.selected and ground.glimpse:
        yield _square(place, ground.glimpse / 2 + 3.0)
    if ground.ellipses and mark.sigma is not None and mark.kept and says_where(mark):
        rx, ry = viewport.lengths(mark.sigma)
        rx, ry = 2 * rx + 3.0, 2 * ry + 3.0
        yield QRectF(place[0] - rx, place[1] - ry, 2 * rx, 2 * ry)
    if mark.home is not None:
        yield from _line(viewport.to_view(mark.home), place)


def _springs(
    row: int, placed: Mapping[int, tuple[Mark, QRectF]], ground: Ground
) -> Iterator[QRectF]:
    """Yield rectangles that hold the lines from a particle to its parent and its children."""
    if row not in placed or row >= len(ground.parents):
        return
    here = ground.viewport.to_view(placed[row][0].at)
    for other in placed:
        if other < len(ground.parents) and (
            ground.parents[other] == row or ground.parents[row] == other
        ):
            yield from _line(here, ground.viewport.to_view(placed[other][0].at))


def _line(start: Point, end: Point) -> Iterator[QRectF]:
    """Yield rectangles that cover a line and the ring at its start."""
    step = ((end[0] - start[0]) / _PIECES, (end[1] - start[1]) / _PIECES)
    for piece in range(_PIECES):
        corner = (start[0] + piece * step[0], start[1] + piece * step[1])
        yield QRectF(*corner, *step).normalized().adjusted(-8.0, -8.0, 8.0, 8.0)


def _add_numbers(region: QRegion, content: Content) -> None:
    """Add the numbers that give way to others where something changed, and to each other."""
    waiting = [
        _outward(label)
        for mark, label in zip(content.marks, content.labels, strict=True)
        if gives_way(mark)
    ]
    grown = True
    while grown and waiting:
        touched = [area for area in waiting if region.intersects(area)]
        waiting = [area for area in waiting if area not in touched]
        for area in touched:
            region += area
        grown = bool(touched)


def _square(middle: Point, reach: float) -> QRectF:
    return QRectF(middle[0] - reach, middle[1] - reach, 2 * reach, 2 * reach)


def _outward(area: QRectF) -> QRect:
    """Return whole points that hold an area and the soft edges of what is painted in it."""
    return area.adjusted(-1.0, -1.0, 1.0, 1.0).toAlignedRect()
