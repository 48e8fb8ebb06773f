"""Edits: small typed values that turn one document into the next, and into JSON and back.

The history, the autosave log, a saved session and a scripted demo are lists of these.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from kpcore.errors import CapabilityError, InputError, nearest
from kpstudio.session.branch_edits import (
    AddBranch,
    BranchEdit,
    DrawFutures,
    DuplicateBranch,
    ExtendBranch,
    FollowEdits,
    RemoveBranch,
    RenameBranch,
)
from kpstudio.session.duplicate_edits import LOOKS, DuplicateParticles
from kpstudio.session.prototype_edits import (
    PrototypeEdit,
    RenamePrototype,
    SetPrototype,
    with_nearest,
)
from kpstudio.session.reference_edits import SetReference

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.document import Document

Point: TypeAlias = tuple[float, float]


def _particles(document: Document, frame: int) -> Latents:
    latents = document.latents(frame)
    if latents is None:
        raise InputError(f"frame {frame + 1} has no particles yet; wait until it is encoded")
    return latents


def _named(rows: tuple[int, ...]) -> str:
    return f"particle {rows[0] + 1}" if len(rows) == 1 else f"{len(rows)} particles"


@dataclass(frozen=True, slots=True)
class MoveParticles:
    """Put particles at unit coordinates."""

    kind: ClassVar[str] = "move"
    frame: int
    rows: tuple[int, ...]
    to: tuple[Point, ...]

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Move {_named(self.rows)}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        latents = _particles(document, self.frame).with_rows("position", self.rows, self.to)
        return document.with_edited(self.frame, latents)


def nudge(
    latents: Latents, frame: int, rows: tuple[int, ...], step: tuple[float, float]
) -> MoveParticles:
    """Return the edit that moves particles by `step` in unit coordinates."""
    position = latents.rows("position")
    to = tuple(
        (float(position[row][0]) + step[0], float(position[row][1]) + step[1]) for row in rows
    )
    return MoveParticles(frame, rows, to)


@dataclass(frozen=True, slots=True)
class SetPresence:
    """Set how present particles are, 0..1."""

    kind: ClassVar[str] = "presence"
    frame: int
    rows: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """What the history shows."""
        if all(value == 0 for value in self.values):
            return f"Turn off {_named(self.rows)}"
        if all(value == 1 for value in self.values):
            return f"Turn on {_named(self.rows)}"
        return f"Presence of {_named(self.rows)}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        old = _particles(document, self.frame)
        if old.presence is None:
            raise CapabilityError("the particles of this model are always present")
        return document.with_edited(self.frame, old.with_rows("presence", self.rows, self.values))


@dataclass(frozen=True, slots=True)
class SetFeatures:
    """Set the appearance of particles."""

    kind: ClassVar[str] = "features"
    frame: int
    rows: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Appearance of {_named(self.rows)}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        old = _particles(document, self.frame)
        if old.feature is None:
            raise CapabilityError("the particles of this model have no appearance features")
        latents = old.with_rows("feature", self.rows, self.values)
        codebook = document.model.codebook if document.model else ()
        return document.with_edited(self.frame, with_nearest(latents, self.rows, codebook))


@dataclass(frozen=True, slots=True)
class SwapParticles:
    """Exchange the positions of two particles."""

    kind: ClassVar[str] = "swap"
    frame: int
    first: int
    second: int

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Swap particles {self.first + 1} and {self.second + 1}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        old = _particles(document, self.frame)
        position = old.rows("position")
        swapped = (position[self.second], position[self.first])
        latents = old.with_rows("position", (self.first, self.second), swapped)
        return document.with_edited(self.frame, latents)


@dataclass(frozen=True, slots=True)
class Restore:
    """Put particles back as they were encoded; no rows means all of the frame."""

    kind: ClassVar[str] = "restore"
    frame: int
    rows: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """What the history shows."""
        return f"Reset {_named(self.rows)}" if self.rows else "Reset all particles"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        original = document.original(self.frame)
        if original is None:
            raise InputError(f"frame {self.frame + 1} has no particles yet")
        if not self.rows:
            return document.with_edited(self.frame, original)
        latents = _particles(document, self.frame)
        for name in ("position", *LOOKS):
            values = original.rows(name)
            if values is not None:
                latents = latents.with_rows(name, self.rows, [values[row] for row in self.rows])
        return document.with_edited(self.frame, latents)


@dataclass(frozen=True, slots=True)
class KeepTop:
    """Decode only the surest particles of every frame; None decodes all."""

    kind: ClassVar[str] = "keep"
    count: int | None

    @property
    def label(self) -> str:
        """What the history shows."""
        return "Keep all particles" if self.count is None else f"Keep top {self.count}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit."""
        return replace(document, keep=self.count)


Edit: TypeAlias = (
    MoveParticles
    | SetPresence
    | SetFeatures
    | SwapParticles
    | DuplicateParticles
    | Restore
    | KeepTop
    | PrototypeEdit
    | SetReference
    | BranchEdit
)
_KINDS: dict[str, type[Any]] = {
    kind.kind: kind
    for kind in (
        MoveParticles,
        SetPresence,
        SetFeatures,
        SwapParticles,
        DuplicateParticles,
        Restore,
        KeepTop,
        SetPrototype,
        RenamePrototype,
        SetReference,
        AddBranch,
        RenameBranch,
        RemoveBranch,
        DuplicateBranch,
        ExtendBranch,
        DrawFutures,
        FollowEdits,
    )
}


def to_plain(edit: Edit) -> dict[str, Any]:
    """Return an edit as JSON values."""
    return {"kind": edit.kind, **asdict(edit)}


def from_plain(plain: object) -> Edit:
    """Return the edit held by JSON values.

    Raises:
        InputError: The kind is unknown or a field is missing or of another type.
    """
    if not isinstance(plain, dict) or plain.get("kind") not in _KINDS:
        kind = plain.get("kind") if isinstance(plain, dict) else plain
        known = ", ".join(_KINDS)
        raise InputError(f"unknown edit '{kind}'; known: {known}.{nearest(str(kind), _KINDS)}")
    values = {key: _frozen(value) for key, value in plain.items() if key != "kind"}
    try:
        return _KINDS[plain["kind"]](**values)
    except TypeError as error:
        raise InputError(f"an edit of kind '{plain['kind']}' is damaged: {error}") from error


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
