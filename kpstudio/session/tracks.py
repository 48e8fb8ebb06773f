"""Which particle of a frame is which of the next, and the numbers that follow from it.

Whoever can compare particles (a service) hands over links between neighbouring frames, in any
order; numbers spread along them from the first frame that was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """How the particles of a frame continue in the next.

    Attributes:
        rows: Row of the next frame for each row of this one; -1 where there is none.
        matched: Whether that is a match; otherwise the row only inherits the number, so that a
            particle that is absent for a while gets its number back.
    """

    rows: tuple[int, ...]
    matched: tuple[bool, ...]


class Tracks:
    """The links of one clip; the numbers of a frame are a permutation of its rows.

    A number that a lost particle leaves is taken by a new one, so that a model of K particles needs
    K numbers however long the clip is.
    """

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._numbers: dict[int, tuple[int, ...]] = {}
        self._back: dict[int, dict[int, int]] = {}

    def begin(self, frame: int, numbers: tuple[int, ...]) -> None:
        """Number the particles of a frame, unless another was numbered before."""
        if not self._numbers:
            self._numbers[frame] = numbers
            self._spread(frame)

    def link(self, frame: int, link: Link) -> None:
        """Take how the particles of `frame` continue in the next one."""
        self._links[frame] = link
        self._back[frame + 1] = {
            after: row for row, after in enumerate(link.rows) if after >= 0 and link.matched[row]
        }
        if frame in self._numbers:
            self._spread(frame)
        elif frame + 1 in self._numbers:
            self._spread(frame + 1)

    def numbers(self, frame: int) -> tuple[int, ...] | None:
        """Return the number of each row, from 0; None while the frame is not linked."""
        return self._numbers.get(frame)

    def is_linked(self, frame: int) -> bool:
        """Return whether a frame is matched with the one before or after it."""
        return frame in self._links or frame - 1 in self._links

    def before(self, frame: int, row: int) -> int | None:
        """Return the row that a particle had one frame earlier, or None when none matches."""
        return self.links_before(frame).get(row)

    def links_before(self, frame: int) -> Mapping[int, int]:
        """Return, for each row of a frame that matches one of the frame before, that row."""
        return self._back.get(frame, {})

    def _spread(self, frame: int) -> None:
        """Number the frames that hang together with `frame`."""
        at = frame
        while at in self._links and at + 1 not in self._numbers:
            self._numbers[at + 1] = _forward(self._numbers[at], self._links[at].rows)
            at += 1
        at = frame
        while at - 1 in self._links and at - 1 not in self._numbers:
            self._numbers[at - 1] = _backward(self._numbers[at], self._links[at - 1].rows)
            at -= 1


def _forward(numbers: tuple[int, ...], rows: tuple[int, ...]) -> tuple[int, ...]:
    inherited = {after: numbers[row] for row, after in enumerate(rows) if after >= 0}
    return _filled(inherited, len(rows))


def _backward(numbers: tuple[int, ...], rows: tuple[int, ...]) -> tuple[int, ...]:
    inherited = {row: numbers[after] for row, after in enumerate(rows) if 0 <= after < len(numbers)}
    return _filled(inherited, len(rows))


def _filled(inherited: dict[int, int], count: int) -> tuple[int, ...]:
    """Return a number for every row; those that inherit none take the lowest that are free."""
    count = max(count, 1 + max(inherited, default=-1))
    taken = set(inherited.values())
    free = iter([number for number in range(count + len(taken)) if number not in taken])
    return tuple(inherited[row] if row in inherited else next(free) for row in range(count))
