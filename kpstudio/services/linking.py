"""Finds how particles continue from frame to frame, by assignment, beside the encoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kpstudio.session.tracks import Link

if TYPE_CHECKING:
    from kpcore.latents import Latents


class Linker:
    """Remembers the particles of a clip and links neighbouring frames as they come, in any order.

    Called by the worker thread only.
    """

    def __init__(self, file_of: Callable[[int], str], ordered: bool = False) -> None:
        """Begin with another clip.

        Args:
            file_of: The file of a frame; frames of two files never continue each other.
            ordered: The model's particles keep their rows, so that there is nothing to match.
        """
        self._file_of = file_of
        self._ordered = ordered
        self._known: dict[int, Latents] = {}

    def add(self, frame: int, latents: Latents) -> dict[int, Link]:
        """Return the links that a frame's particles make possible, by the earlier frame."""
        if frame in self._known:
            return {}
        self._known[frame] = latents
        found: dict[int, Link] = {}
        for first in (frame - 1, frame):
            before, after = self._known.get(first), self._known.get(first + 1)
            if before is None or after is None:
                continue
            if self._file_of(first) == self._file_of(first + 1):
                found[first] = _in_order(before) if self._ordered else link(before, after)
        return found


def _in_order(latents: Latents) -> Link:
    return Link(tuple(range(latents.count)), (True,) * latents.count)


def link(before: Latents, after: Latents) -> Link:
    """Return how the particles of a frame continue in the next.

    Present particles are matched first. What is left, absent in one of the frames, is paired
    likewise, so that a particle that flickers keeps its number; what is left then, in order.
    """
    from kpcore.tracking import match

    rows = [-1] * before.count
    matched = [False] * before.count
    for row, other in match(before, after).pairs:
        rows[row], matched[row] = other, True
    if before.presence is not None or after.presence is not None:
        taken = set(rows)
        for row, other in match(before, after, present=0.0).pairs:
            if rows[row] < 0 and other not in taken:
                rows[row] = other
                taken.add(other)
    free = iter([other for other in range(after.count) if other not in set(rows)])
    rows = [next(free, -1) if other < 0 else other for other in rows]
    return Link(tuple(rows), tuple(matched))
