"""Edits of branches: in the history, the autosave log and saved sessions like all others.

They name frames and sources rather than numbers: the particles that a branch starts from are read
from the document when the edit is applied, so that a log stays small and replays exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from kpcore.errors import InputError
from kpstudio.session.branches import Branch, Source, check_futures, check_steps, find

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.document import Document


def _start(document: Document, frames: tuple[int, ...], source: Source) -> tuple[Latents, ...]:
    particles: list[Latents] = []
    for frame in frames:
        latents = document.original(frame) if source == "encoded" else document.latents(frame)
        if latents is None:
            raise InputError(f"frame {frame + 1} has no particles yet; wait until it is encoded")
        particles.append(latents)
    return tuple(particles)


@dataclass(frozen=True, slots=True)
class AddBranch:
    """Roll the particles of `frames` out into the future.

    Attributes:
        key: Of the new branch; no other may have it.
        name: Shown.
        frames: The start frames, successive, oldest first.
        steps: Frames to predict.
        source: Start from the particles as encoded, or after edits.
        follows: Later edits of the start frames change the branch; others there stop following.
        baseline: Key of a second branch, of the same frames as encoded; empty for none.
        futures: How many to draw.
        seed: Of the draw.
    """

    kind: ClassVar[str] = "add-branch"
    key: str
    name: str
    frames: tuple[int, ...]
    steps: int
    source: Source = "edited"
    follows: bool = False
    baseline: str = ""
    futures: int = 1
    seed: int = 0

    @property
    def label(self) -> str:
        """What the history shows."""
        what = "What-if" if self.follows else "Predict"
        return f"{what} from frame {self.frames[-1] + 1}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        check_steps(self.steps)
        check_futures(self.futures)
        if not self.frames or any(b - a != 1 for a, b in pairwise(self.frames)):
            raise InputError(f"a prediction starts from successive frames; got {self.frames}")
        there = {branch.key for branch in document.branches}
        branches = tuple(
            replace(branch, follows=False) if self.follows and branch.frame == self.frames[-1]
            else branch
            for branch in document.branches
        )  # fmt: skip
        if self.baseline:
            branches += (self._made(document, self.baseline, "As encoded", "encoded"),)
        branches += (self._made(document, self.key, self.name, self.source),)
        if {self.key, self.baseline} & there or self.key == self.baseline:
            raise InputError(f"there is a branch '{self.key}' already; choose another key")
        return replace(document, branches=branches)

    def _made(self, document: Document, key: str, name: str, source: Source) -> Branch:
        if key[:1] != "b" or not key[1:].isdigit():
            raise InputError(f"a branch's key is 'b' and a number; got '{key}'")
        return Branch(
            key,
            name,
            self.frames[-1],
            self.steps,
            _start(document, self.frames, source),
            source,
            self.futures,
            self.seed,
            follows=self.follows and source == "edited",
        )


@dataclass(frozen=True, slots=True)
class RenameBranch:
    """Give a branch another name."""

    kind: ClassVar[str] = "rename-branch"
    key: str
    name: str

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Rename branch to {self.name}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        if not self.name.strip():
            raise InputError("a branch's name is empty; type at least one letter")
        branch = find(document.branches, self.key)
        return document.with_branch(replace(branch, name=self.name.strip()))


@dataclass(frozen=True, slots=True)
class RemoveBranch:
    """Take a branch away."""

    kind: ClassVar[str] = "remove-branch"
    key: str
    name: str = ""

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Delete {self.name or 'a branch'}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        gone = find(document.branches, self.key)
        kept = tuple(branch for branch in document.branches if branch is not gone)
        return replace(document, branches=kept)


@dataclass(frozen=True, slots=True)
class DuplicateBranch:
    """Copy a branch; the copy no longer follows edits."""

    kind: ClassVar[str] = "duplicate-branch"
    key: str
    copy: str
    name: str

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Duplicate as {self.name}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        branch = find(document.branches, self.key)
        if any(other.key == self.copy for other in document.branches):
            raise InputError(f"there is a branch '{self.copy}' already; choose another key")
        made = replace(branch, key=self.copy, name=self.name, follows=False)
        return replace(document, branches=(*document.branches, made))


@dataclass(frozen=True, slots=True)
class ExtendBranch:
    """Let a branch end after another number of frames.

    Attributes:
        key: Of the branch.
        steps: Frames to predict, from its start.
        beside: Key of a branch that is made to go on as far, when it ends before; empty for none.
    """

    kind: ClassVar[str] = "extend-branch"
    key: str
    steps: int
    beside: str = ""

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Predict {self.steps} frames"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        branch = replace(find(document.branches, self.key), steps=check_steps(self.steps))
        document = document.with_branch(branch)
        if self.beside:
            other = find(document.branches, self.beside)
            steps = max(other.steps, branch.end - other.frame)
            document = document.with_branch(replace(other, steps=check_steps(steps)))
        return document


@dataclass(frozen=True, slots=True)
class DrawFutures:
    """Draw several futures of a branch."""

    kind: ClassVar[str] = "draw-futures"
    key: str
    futures: int
    seed: int = 0

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Draw {self.futures} futures" if self.futures > 1 else "Draw one future"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        branch = find(document.branches, self.key)
        count = check_futures(self.futures)
        return document.with_branch(replace(branch, futures=count, seed=self.seed))


@dataclass(frozen=True, slots=True)
class FollowEdits:
    """Let a branch follow the edits of its start frames, or keep it as it is."""

    kind: ClassVar[str] = "follow-edits"
    key: str
    follows: bool

    @property
    def label(self) -> str:
        """What the history shows."""
        return "Branch follows the hand" if self.follows else "Branch stays as it is"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit; a branch that begins to follow starts anew."""
        branch = find(document.branches, self.key)
        if not self.follows:
            return document.with_branch(replace(branch, follows=False))
        others = tuple(
            replace(other, follows=False) if other.frame == branch.frame else other
            for other in document.branches
        )
        start = _start(document, branch.frames, "edited")
        made = replace(branch, start=start, source="edited", follows=True)
        return replace(document, branches=others).with_branch(made)


BranchEdit = (
    AddBranch
    | RenameBranch
    | RemoveBranch
    | DuplicateBranch
    | ExtendBranch
    | DrawFutures
    | FollowEdits
)
