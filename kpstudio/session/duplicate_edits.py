"""The edit that adds particles: copies of others, put into rows that show nothing.

A model has a fixed number of rows. Free are those that are off, and those that the top-K filter
leaves out, down to the spare ones that a family finds beyond the number of its training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from kpcore.errors import CapabilityError, InputError

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities
    from kpstudio.session.document import Document

Point: TypeAlias = tuple[float, float]

OFF = 0.05
"""A particle less present than this shows nothing that would be missed."""
STEP = 0.4
"""How far from the original a copy lies, in unit coordinates: a fifth of the picture's side."""
EDGE = 0.9
"""Copies lie within this of the picture's middle, in unit coordinates."""
LOOKS = ("feature", "feature_log_var", "presence", "prototype", "position_log_var")
"""What a copy has of its original: all but its place."""


@dataclass(frozen=True, slots=True)
class DuplicateParticles:
    """Make rows that show nothing look like others.

    Attributes:
        frame: Of the media.
        rows: Which particles.
        into: The row that each copy takes.
        to: Where each copy lies, in unit coordinates.
        keep: The top-K filter afterwards, wide enough to show the copies; None for its usual count.
    """

    kind: ClassVar[str] = "duplicate"
    frame: int
    rows: tuple[int, ...]
    into: tuple[int, ...]
    to: tuple[Point, ...]
    keep: int | None = None

    @property
    def label(self) -> str:
        """What the history shows."""
        rows = self.rows
        return (
            f"Duplicate {f'particle {rows[0] + 1}' if len(rows) == 1 else f'{len(rows)} particles'}"
        )

    def apply(self, document: Document) -> Document:
        """Return the document after the edit.

        Raises:
            InputError: The frame is not encoded.
        """
        latents = document.latents(self.frame)
        if latents is None:
            raise InputError(f"frame {self.frame + 1} has no particles yet")
        for name in LOOKS:
            values = latents.rows(name)
            if values is not None:
                latents = latents.with_rows(name, self.into, [values[row] for row in self.rows])
        latents = latents.with_rows("position", self.into, self.to)
        return replace(document.with_edited(self.frame, latents), keep=self.keep)


def may_drop(can: Capabilities) -> bool:
    """Return whether a model decodes without some of its particles."""
    return can.presence != "none" or not can.fixed_count


def why_not(document: Document, frame: int, chosen: Iterable[int]) -> str:
    """Return why particles cannot be duplicated, in one sentence; empty when they can."""
    can = document.model.capabilities if document.model else None
    if can is None or document.latents(frame) is None:
        return "Open a checkpoint and a picture first"
    if not may_drop(can):
        return "This model decodes all of its particles together, so none can be added"
    if not can.movable or can.features == 0:
        return "The particles of this model cannot be put elsewhere with their looks"
    if not _shown(document, frame, chosen):
        return "Select a particle that is turned on first"
    return ""


def duplicated(document: Document, frame: int, chosen: Iterable[int]) -> DuplicateParticles:
    """Return the edit that duplicates particles, each beside its original.

    All go the same way: to the right and down, or where there is more room.

    Args:
        document: What is open.
        frame: Of the media.
        chosen: Rows of the particles; those that show nothing are left out.

    Raises:
        CapabilityError: The model cannot, or too few rows are free.
    """
    why = why_not(document, frame, chosen)
    latents = document.latents(frame)
    if why or latents is None:
        raise CapabilityError(why)
    rows = _shown(document, frame, chosen)
    order, count = document.ranking(frame), len(document.kept(frame))
    presence = latents.rows("presence")
    off = [row for row in order[:count] if presence is not None and presence[row] < OFF]
    into = (*off, *order[count:])[: len(rows)]
    if len(into) < len(rows):
        how = "turn others off (Delete)" if presence is not None else "lower 'Keep top' (K)"
        free = f"only {len(into)} of" if into else "none of"
        raise CapabilityError(
            f"a copy takes a free one of the model's {latents.count} particles, and {free} them "
            f"{'are' if len(into) > 1 else 'is'} free; {how} first"
        )
    reach = max(count, *(order.index(row) + 1 for row in into))
    wider = None if reach == document.usual(latents.count) else reach
    position = latents.rows("position")
    return DuplicateParticles(
        frame,
        rows,
        into,
        _beside(
            [position[row] for row in rows],
            [position[row] for row in _shown(document, frame, range(latents.count))],
        ),
        document.keep if reach == count else wider,
    )


def _shown(document: Document, frame: int, chosen: Iterable[int]) -> tuple[int, ...]:
    """Return the rows among `chosen` that show something, in order."""
    latents, kept = document.latents(frame), document.kept(frame)
    presence = latents.rows("presence") if latents is not None else None
    return tuple(
        row for row in sorted(chosen) if row in kept and (presence is None or presence[row] >= OFF)
    )


def _beside(at: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> tuple[Point, ...]:
    """Return places beside `at`, the same way from each and as far from `others` as that goes."""

    def places(turn: int) -> tuple[Point, ...]:
        angle = math.pi / 4 * (1 + turn)
        across, down = STEP * math.cos(angle), STEP * math.sin(angle)
        return tuple((_inside(x + across), _inside(y + down)) for x, y in at)

    def room(places: tuple[Point, ...]) -> float:
        nearest = min(math.dist(place, other) for place in places for other in others)
        return round(nearest, 6)

    return max((places(turn) for turn in range(8)), key=room)


def _inside(value: float) -> float:
    return min(EDGE, max(-EDGE, value))
