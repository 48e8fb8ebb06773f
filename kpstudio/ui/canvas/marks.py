"""What there is to draw and to hit of each particle, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from kpstudio.session.duplicate_edits import OFF

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.session import Session

Point = tuple[float, float]
Place = Literal["edited", "encoded"]

SEEN = 2
"""Prominence of a particle that is seen or selected."""
FAINTEST = 0.35
MOVED = 1e-6


@dataclass(frozen=True, slots=True)
class Mark:
    """One particle.

    Attributes:
        row: Of the latents.
        identity: Its number; shown from 1.
        at: Unit coordinates.
        home: Where it was encoded, when it has been moved from there; None otherwise, and for one
            that was off and has been turned on, as a copy is.
        sigma: Standard deviation of its position along x and y; None when the model gives none.
        certainty: How clearly to draw it, 0.35..1: absent and unsure particles fade.
        kept: Whether the top-K filter leaves it.
        selected: Whether it is selected.
        hovered: Whether the mouse is over it.
        presence: 0..1; None when all particles of the model are present.
        matched: Its number was carried over from neighbouring frames.
        kind: The prototype it belongs to; None where the model has none.
        name: What the user calls that prototype; empty when nothing.
    """

    row: int
    identity: int
    at: Point
    home: Point | None = None
    sigma: Point | None = None
    certainty: float = 1.0
    kept: bool = True
    selected: bool = False
    hovered: bool = False
    presence: float | None = None
    matched: bool = False
    kind: int | None = None
    name: str = ""

    @property
    def hue(self) -> int:
        """The number that its colour and shape stand for: its prototype's, or else its own."""
        return self.identity if self.kind is None else self.kind

    @property
    def prominence(self) -> int:
        """What a hand means first: 2 seen or selected, 1 off, 0 left out by the top-K filter."""
        seen = self.selected or self.presence is None or self.presence > 0.5
        return (SEEN if seen else 1) if self.kept else 0

    @property
    def label(self) -> str:
        """What is written beside it."""
        return f"{self.identity + 1} {self.name}" if self.name else str(self.identity + 1)

    @property
    def words(self) -> str:
        """One line with its numbers."""
        name = f"Particle {self.identity + 1}"
        if self.matched:
            name += f" (matched over frames; row {self.row + 1} here)"
        if self.kind is not None:
            name += f", {self.name or f'prototype {self.kind + 1}'}"
        parts = [name, f"x {self.at[0]:.3f}", f"y {self.at[1]:.3f}"]
        if self.sigma is not None:
            parts.append(f"σ {math.sqrt(self.sigma[0] * self.sigma[1]):.3f}")  # noqa: RUF001
        if self.presence is not None:
            parts.append(f"presence {self.presence:.2f}")
        if not self.kept:
            parts.append("left out by the top-K filter")
        return " · ".join(parts)


class MarkReader:
    """Makes the marks of a session's particles; keeps what a drag does not change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._spread_of: tuple[object, object, int] | None = None
        self._sigmas: list[Point] | None = None
        self._certainty: list[float] = []
        self._presence: list[float] | None = None

    def read(self, place: Place, frame: int | None = None) -> tuple[Mark, ...]:
        """Return the marks of a frame, in the order in which they are painted.

        Args:
            place: Where to show the particles: after edits, or as encoded.
            frame: Of the picture that they lie on; None for the shown one.
        """
        document, view = self._session.document, self._session.view
        frame = view.frame if frame is None else frame
        original = document.original(frame)
        latents = original if place == "encoded" else document.latents(frame)
        if latents is None:
            return ()
        self._read_spread(latents)
        positions = _points(latents)
        homes, known = positions, frozenset[int]()
        if original is not None and original is not latents:
            homes = _points(original)
            known = _with_a_home(original.rows("presence"), latents.count)
        kept = document.kept(frame)
        numbers = self._session.scene.numbers(frame)
        matched = self._session.scene.is_matched(frame)
        selection = self._session.scene.selection_at(frame)
        kinds, names = latents.rows("prototype"), document.prototype_names
        there = document.found(latents.count)
        levels, level = latents.topology.level, view.level
        marks = [
            Mark(
                row,
                numbers[row],
                at,
                homes[row] if row in known and math.dist(at, homes[row]) > MOVED else None,
                self._sigmas[row] if self._sigmas else None,
                self._certainty[row],
                row in kept,
                row in selection,
                row == view.hovered,
                self._presence[row] if self._presence else None,
                matched,
                kinds[row] if kinds else None,
                names.get(kinds[row], "") if kinds and names else "",
            )
            for row, at in enumerate(positions)
            if row < there and (level is None or levels[row] == level)
        ]
        marks.sort(key=lambda mark: (mark.selected, mark.kept, mark.certainty))
        return tuple(marks)

    def _read_spread(self, latents: Latents) -> None:
        of, now = self._spread_of, (latents.position_log_var, latents.presence, latents.count)
        if of and of[0] is now[0] and of[1] is now[1] and of[2] == now[2]:
            return
        self._spread_of = now
        self._sigmas = _sigmas(latents)
        presence = latents.rows("presence")
        self._presence = presence
        self._certainty = _certainty(latents.count, self._sigmas, presence)


def nearest_mark(
    marks: Iterable[Mark], places: Sequence[Point], at: Point, reach: float
) -> Mark | None:
    """Return the mark nearest to `at`, or None when all are farther than `reach`.

    Of two at one place the one painted later, and so on top, wins.

    Args:
        marks: In painting order.
        places: Where each mark is on the view, in points.
        at: Place on the view, in points.
        reach: Greatest distance, in points.
    """
    best, found = reach, None
    for mark, place in zip(marks, places, strict=True):
        distance = math.dist(place, at)
        if distance <= best:
            best, found = distance, mark
    return found


def _with_a_home(was: Sequence[float] | None, count: int) -> frozenset[int]:
    """Return the rows that were encoded at a place; not those that came on since, as copies do."""
    return frozenset(row for row in range(count) if was is None or was[row] >= OFF)


def _points(latents: Latents) -> list[Point]:
    return [(x, y) for x, y in latents.rows("position")]


def _sigmas(latents: Latents) -> list[Point] | None:
    spread = latents.rows("position_log_var")
    if spread is None:
        return None
    # exp is held so that an untrained model's wild variances stay finite
    return [(math.exp(min(20.0, x) / 2), math.exp(min(20.0, y) / 2)) for x, y in spread]


def _certainty(count: int, sigmas: list[Point] | None, presence: list[float] | None) -> list[float]:
    """Return how clearly to draw each particle.

    A particle twice as spread as the usual one begins to fade; so does one below full presence.
    """
    certainty = [1.0] * count
    if sigmas:
        spreads = [math.hypot(*sigma) for sigma in sigmas]
        usual = median(spreads)
        certainty = [min(1.0, 2.0 * usual / max(spread, 1e-9)) for spread in spreads]
    if presence is not None:
        certainty = [
            value * min(1.0, max(0.0, here))
            for value, here in zip(certainty, presence, strict=True)
        ]
    return [max(FAINTEST, value) for value in certainty]
