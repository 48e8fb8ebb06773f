"""A demonstration as a list of edits with their times: drag, switch off, undo.

What `kpstudio --scripted-drag` plays. A pure function of the particles, so that the same scene
gives the same film.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from kpcore.errors import InputError
from kpstudio.session.document import rank
from kpstudio.session.edits import Edit, MoveParticles, SetPresence
from kpstudio.session.session import Session

if TYPE_CHECKING:
    from kpcore.latents import Latents

Action: TypeAlias = Literal["select", "preview", "commit", "undo"]

_DRAG_S = 1.6
_PAUSE_S = 0.5
_INSIDE = 0.8
"""Objects are dragged within this part of the picture."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a hand does.

    Attributes:
        time_s: When, from the start.
        action: What.
        edit: For "preview".
        rows: For "select".
    """

    time_s: float
    action: Action
    edit: Edit | None = None
    rows: tuple[int, ...] = ()

    def play(self, session: Session) -> None:
        """Do it."""
        if self.action == "select":
            session.update_view(selection=frozenset(self.rows))
        elif self.action == "preview" and self.edit is not None:
            session.preview(self.edit)
        elif self.action == "commit":
            session.commit()
        elif self.action == "undo":
            session.undo()


def script(latents: Latents, frame: int = 0, fps: int = 60) -> list[Step]:
    """Return a drag session over the surest particles.

    Up to three particles are dragged on curved ways, one is switched off and on again by undo, and
    one drag is undone.

    Args:
        latents: Of the shown frame.
        frame: Its number.
        fps: Moves per second while dragging.

    Raises:
        InputError: There is no particle to drag.
    """
    chosen = _actors(latents)
    if not chosen:
        raise InputError("no particle is present in this picture; choose another sample")
    steps: list[Step] = []
    now = _PAUSE_S
    positions = latents.rows("position")
    for number, row in enumerate(chosen):
        start = (float(positions[row][0]), float(positions[row][1]))
        steps.append(Step(now, "select", rows=(row,)))
        for time_s, at in _way(start, number, fps):
            steps.append(Step(now + time_s, "preview", MoveParticles(frame, (row,), (at,))))
        now += _DRAG_S
        steps.append(Step(now, "commit"))
        now += _PAUSE_S
    if latents.presence is not None:
        row = chosen[0]
        steps.append(Step(now, "select", rows=(row,)))
        steps.append(Step(now, "preview", SetPresence(frame, (row,), (0.0,))))
        steps.append(Step(now, "commit"))
        steps.append(Step(now + 2 * _PAUSE_S, "undo"))
        now += 3 * _PAUSE_S
    steps.append(Step(now, "undo"))
    steps.append(Step(now + 2 * _PAUSE_S, "select"))
    return steps


def _actors(latents: Latents) -> list[int]:
    """Up to three of the surest present particles that lie well inside and apart."""
    presence = latents.rows("presence")
    positions = latents.rows("position")
    chosen: list[int] = []
    for row in rank(latents):
        if presence is not None and float(presence[row]) <= 0.5:
            continue
        here = [float(value) for value in positions[row]]
        near = any(math.dist(here, positions[other]) < 0.2 for other in chosen)
        if max(abs(value) for value in here) < _INSIDE + 0.1 and not near:
            chosen.append(row)
    return chosen[:3]


def _way(
    start: tuple[float, float], number: int, fps: int
) -> Iterator[tuple[float, tuple[float, float]]]:
    """Times and places on a curved way from `start` across the middle, slow at both ends."""
    angle = math.atan2(-start[1], -start[0]) + (0.5, -0.6, 0.9)[number % 3]
    reach = 0.55 + 0.1 * number
    end = tuple(
        min(_INSIDE, max(-_INSIDE, at + reach * step))
        for at, step in zip(start, (math.cos(angle), math.sin(angle)), strict=True)
    )
    bow = 0.18 * (-1) ** number
    count = round(_DRAG_S * fps)
    for index in range(1, count + 1):
        part = index / count
        eased = part * part * (3.0 - 2.0 * part)
        side = bow * math.sin(math.pi * eased)
        x = start[0] + (end[0] - start[0]) * eased - (end[1] - start[1]) * side
        y = start[1] + (end[1] - start[1]) * eased + (end[0] - start[0]) * side
        yield _DRAG_S * part, (min(1.0, max(-1.0, x)), min(1.0, max(-1.0, y)))


def duration_s(steps: list[Step]) -> float:
    """Return how long a script plays."""
    return max((step.time_s for step in steps), default=0.0)
