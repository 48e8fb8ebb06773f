"""Edits of what kind particles are: which prototype they belong to, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from kpcore.errors import CapabilityError, InputError

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.document import Document

Codebook: TypeAlias = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class SetPrototype:
    """Make particles of another kind.

    Attributes:
        frame: Of the media.
        rows: Which particles.
        prototype: Row of the codebook.
        residue: Keep how each particle differs from its old prototype; otherwise it becomes the
            prototype itself (other_systems.md section 9).
    """

    kind: ClassVar[str] = "prototype"
    frame: int
    rows: tuple[int, ...]
    prototype: int
    residue: bool = True

    @property
    def label(self) -> str:
        """What the history shows."""
        who = (
            f"particle {self.rows[0] + 1}" if len(self.rows) == 1 else f"{len(self.rows)} particles"
        )
        return f"Prototype {self.prototype + 1} for {who}"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit.

        Raises:
            InputError: The frame is not encoded, or there is no such prototype.
            CapabilityError: The model has no prototypes.
        """
        codebook = codebook_of(document)
        latents = document.latents(self.frame)
        if latents is None:
            raise InputError(f"frame {self.frame + 1} has no particles yet")
        feature, before = latents.rows("feature"), latents.rows("prototype")
        if feature is None or before is None:
            raise CapabilityError("the particles of this model belong to no prototypes")
        _require(self.prototype, codebook)
        goal = codebook[self.prototype]
        fresh = [
            [new + value - old for new, value, old in zip(goal, feature[row], home, strict=True)]
            if self.residue
            else list(goal)
            for row in self.rows
            for home in (codebook[before[row]],)
        ]
        latents = latents.with_rows("feature", self.rows, fresh)
        latents = latents.with_rows("prototype", self.rows, [self.prototype] * len(self.rows))
        return document.with_edited(self.frame, latents)


@dataclass(frozen=True, slots=True)
class RenamePrototype:
    """Give a prototype a name of one's own; an empty one takes it away."""

    kind: ClassVar[str] = "name-prototype"
    prototype: int
    name: str

    @property
    def label(self) -> str:
        """What the history shows."""
        if not self.name:
            return f"Take the name of prototype {self.prototype + 1} away"
        return f"Name prototype {self.prototype + 1} '{self.name}'"

    def apply(self, document: Document) -> Document:
        """Return the document after the edit.

        Raises:
            InputError: There is no such prototype.
            CapabilityError: The model has no prototypes.
        """
        _require(self.prototype, codebook_of(document))
        names = {**document.prototype_names, self.prototype: self.name.strip()}
        kept = {row: name for row, name in names.items() if name}
        return replace(document, prototype_names=MappingProxyType(kept))


PrototypeEdit: TypeAlias = SetPrototype | RenamePrototype


def codebook_of(document: Document) -> Codebook:
    """Return the prototypes of the open model, one row each.

    Raises:
        CapabilityError: It has none.
    """
    if document.model is None or not document.model.codebook:
        raise CapabilityError(
            "this model has no prototypes; open one whose particles belong to kinds"
        )
    return document.model.codebook


def with_nearest(latents: Latents, rows: Sequence[int], codebook: Codebook) -> Latents:
    """Return the latents with the prototypes of `rows` told anew from their features."""
    feature = latents.rows("feature")
    if feature is None or latents.prototype is None or not codebook:
        return latents

    def distance(row: int, prototype: int) -> float:
        pairs = zip(feature[row], codebook[prototype], strict=True)
        return sum((value - centre) ** 2 for value, centre in pairs)

    nearest = [min(range(len(codebook)), key=lambda p, row=row: distance(row, p)) for row in rows]
    return latents.with_rows("prototype", rows, nearest)


def _require(prototype: int, codebook: Codebook) -> None:
    if not 0 <= prototype < len(codebook):
        raise InputError(
            f"there is no prototype {prototype + 1}; this model has {len(codebook)} of them"
        )
