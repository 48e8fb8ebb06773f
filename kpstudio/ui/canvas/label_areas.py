"""Where the numbers of particles stand about their dots.

Plain numbers throughout: Qt's own rectangles cost ten times as much here, at every paint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from kpstudio.ui.canvas.mapping import Point

Area: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, in points."""

_CELL = 48.0
"""Points: farther apart, a dot and the numbers of two particles do not meet."""


def label_areas(
    places: Sequence[Point],
    sizes: Sequence[Point],
    dot: float,
    faint: Sequence[bool],
    fixed: Sequence[bool],
) -> list[Area]:
    """Return where each number belongs: at the dot's upper right, or at a corner that is freer.

    Dots and numbers of clearer particles are in a number's way, numbers twice as much.

    Args:
        places: Of the dots, the clearest particle last.
        sizes: Widths and heights of the numbers.
        dot: Radius of a dot.
        faint: Whether a particle is in nobody's way; its own number keeps its usual place.
        fixed: Whether a number keeps its usual place.
    """
    areas: list[Area] = [(0.0, 0.0, 0.0, 0.0)] * len(places)
    near = _neighbours(places, faint)
    for index in reversed(range(len(places))):
        corners = _corners(places[index], sizes[index], dot)
        if fixed[index] or faint[index] or not near[index]:
            areas[index] = corners[0]
            continue
        taken = [areas[other] for other in near[index] if other > index]
        dots = [_dot_area(places[other], dot) for other in near[index]]
        areas[index] = min(corners, key=lambda area: 2 * _met(area, taken) + _met(area, dots))
    return areas


def _corners(place: Point, size: Point, dot: float) -> tuple[Area, ...]:
    """Return where a number may stand about its dot, the usual place first."""
    (x, y), (width, height) = place, size
    right, left = x + dot * 0.7, x - dot * 0.7 - width
    above, below = y - dot * 0.6 - height, y + dot * 0.6
    corners = ((right, above), (left, above), (right, below), (left, below))
    return tuple((x, y, x + width, y + height) for x, y in corners)


def _dot_area(place: Point, dot: float) -> Area:
    return (place[0] - dot, place[1] - dot, place[0] + dot, place[1] + dot)


def _met(area: Area, others: Sequence[Area]) -> int:
    """Return how many of the others an area overlaps."""
    left, top, right, bottom = area
    return sum(x < right and left < to and y < bottom and top < end for x, y, to, end in others)


def _neighbours(places: Sequence[Point], faint: Sequence[bool]) -> list[list[int]]:
    """Return for each place the clear others whose dots or numbers may be in its number's way."""
    cells = [(x // _CELL, y // _CELL) for x, y in places]
    held: dict[Point, list[int]] = {}
    for index, cell in enumerate(cells):
        if not faint[index]:
            held.setdefault(cell, []).append(index)
    return [
        [other for near in _around(cell) for other in held.get(near, ()) if other != index]
        for index, cell in enumerate(cells)
    ]


def _around(cell: Point) -> Iterator[Point]:
    """Yield a cell and the eight about it."""
    for down in (-1.0, 0.0, 1.0):
        for across in (-1.0, 0.0, 1.0):
            yield cell[0] + across, cell[1] + down
