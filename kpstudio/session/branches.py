"""Branches: roll-outs of the particles from a frame on, as values.

A branch is where a roll-out starts and how far it goes. What comes out of it is computed again
whenever it is needed, so that branches cost kilobytes and undo covers them like every edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from kpcore.errors import InputError, nearest

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.document import Document

Source: TypeAlias = Literal["encoded", "edited"]

MOST_STEPS = 10_000
"""Frames of the longest roll-out."""

MOST_FUTURES = 64
"""Futures drawn from one start."""

TRUTH = "truth"
"""Stands for the video itself where two futures are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One future that the user asked for.

    Attributes:
        key: Stable in its document, "b1", "b2", ...
        name: Shown; given by the user.
        frame: The last start frame; the first predicted one is `frame + 1`.
        steps: Frames to predict.
        start: Particles of the start frames, oldest first, each a batch of one.
        source: Whether it starts from the particles as encoded or as edited.
        futures: How many futures are drawn; the first is the likeliest and the one with pictures.
        seed: Of the draw.
        follows: Edits of its start frames change it, until another branch follows there.
    """

    key: str
    name: str
    frame: int
    steps: int
    start: tuple[Latents, ...]
    source: Source = "encoded"
    futures: int = 1
    seed: int = 0
    follows: bool = False

    @property
    def number(self) -> int:
        """Its number, from 1; also chooses its colour."""
        return int(self.key[1:])

    @property
    def frames(self) -> tuple[int, ...]:
        """The start frames, oldest first."""
        return tuple(range(self.frame - len(self.start) + 1, self.frame + 1))

    @property
    def end(self) -> int:
        """The last predicted frame."""
        return self.frame + self.steps

    def after_edit(self, frame: int, latents: Latents) -> Branch:
        """Return the branch after the particles of a frame were edited."""
        if not self.follows or frame not in self.frames:
            return self
        place = self.frames.index(frame)
        return replace(self, start=(*self.start[:place], latents, *self.start[place + 1 :]))


def find(branches: Iterable[Branch], key: str) -> Branch:
    """Return the branch with a key.

    Raises:
        InputError: There is none.
    """
    known = {branch.key: branch for branch in branches}
    if key not in known:
        have = ", ".join(known) or "none"
        raise InputError(f"there is no branch '{key}'; there are: {have}.{nearest(key, known)}")
    return known[key]


def next_key(branches: Iterable[Branch]) -> str:
    """Return a key that no branch has."""
    return f"b{1 + max((branch.number for branch in branches), default=0)}"


def check_steps(steps: int) -> int:
    """Return the length of a roll-out.

    Raises:
        InputError: It is outside 1..`MOST_STEPS`.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise InputError(
            f"a prediction of {steps} frames was asked for; choose 1 to {MOST_STEPS:,}"
        )
    return steps


def check_futures(futures: int) -> int:
    """Return a number of futures.

    Raises:
        InputError: It is outside 1..`MOST_FUTURES`.
    """
    if not 1 <= futures <= MOST_FUTURES:
        raise InputError(f"{futures} futures were asked for; choose 1 to {MOST_FUTURES}")
    return futures


def why_one(document: Document) -> str:
    """Return one sentence on why only one future can be drawn; empty when several can."""
    model = document.model
    if model is None or model.capabilities.uncertainty:
        return ""
    return f"'{model.title}' gives no uncertainty, so it has one future only"


def why_not(document: Document, frame: int) -> str:
    """Return one sentence on why nothing can be predicted from a frame; empty when it can."""
    model, media = document.model, document.media
    if model is None:
        return "Open a predictor checkpoint and a video to see their futures"
    history = model.capabilities.video_history
    if history == 0:
        return f"'{model.title}' does not predict video; open a predictor checkpoint"
    if media is None:
        return "Open a video to predict how it goes on"
    if media.kind == "image" or media.count < history:
        what = "a still picture" if media.kind == "image" else f"only {media.count} frame long"
        return (
            f"'{media.name}' is {what}, and '{model.title}' needs {history} successive frames; "
            f"open a video"
        )
    if frame < history - 1:
        return (
            f"'{model.title}' looks at {history} frames, and frame {frame + 1} has too few before "
            f"it; go to frame {history} or later"
        )
    if frame >= media.count:
        return (
            f"Frame {frame + 1} lies beyond the video; go to one of its {media.count} frames, or "
            f"predict more of a branch"
        )
    return ""
