"""What the view shows of the document: which particles, by which numbers and colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kpstudio.session.document import Document
from kpstudio.session.edits import (
    DuplicateParticles,
    Edit,
    MoveParticles,
    Restore,
    SetFeatures,
    SetPresence,
    SetPrototype,
    SwapParticles,
)
from kpstudio.session.view import ViewState

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.branches import Branch


_OF_PARTICLES = (
    MoveParticles, SetPresence, SetFeatures, DuplicateParticles, Restore, SetPrototype,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A document as a view shows it.

    Attributes:
        document: With the gesture under way applied.
        view: Frame, selection, level and layers.
    """

    document: Document
    view: ViewState

    @property
    def compared(self) -> Branch | None:
        """The branch that is compared; None while none is, as after the undo of the branch."""
        comparison = self.view.comparison
        if comparison.mode == "off":
            return None
        return next((b for b in self.document.branches if b.key == comparison.second), None)

    @property
    def is_edited_here(self) -> bool:
        """Whether the shown frame's own particles are looked at: not while futures are."""
        branch = self.compared
        return branch is None or self.view.frame in branch.frames

    @property
    def latents(self) -> Latents | None:
        """The particles of the shown frame, after edits; None where a predicted one is shown."""
        return self.document.latents(self.view.frame) if self.is_edited_here else None

    def numbers(self, frame: int) -> tuple[int, ...]:
        """Return the number of each particle of a frame, from 0.

        Particles are followed over the frames of a clip; those of a frame that is not linked to
        others, or all when the user wants so, are numbered by their identity in the model.
        """
        latents = self.document.latents(frame)
        if latents is None:
            return ()
        numbers = None
        if self.is_matched(frame):
            numbers = self.document.encoded.tracks.numbers(frame)
        return numbers if numbers and len(numbers) == latents.count else latents.topology.identity

    def hues(self, frame: int) -> tuple[int, ...]:
        """Return the number that colours each particle: its prototype's, or else its own."""
        latents = self.document.latents(frame)
        kinds = latents.rows("prototype") if latents is not None else None
        return self.numbers(frame) if kinds is None else tuple(kinds)

    def offered(self, frame: int) -> frozenset[int]:
        """Return the rows that can be picked: left by the top-K filter, and of the shown level."""
        kept, level = self.document.kept(frame), self.view.level
        latents = self.document.latents(frame)
        if level is None or latents is None:
            return kept
        return frozenset(row for row in kept if latents.topology.level[row] == level)

    def present(self) -> int:
        """Return how many particles of the shown frame are kept and on."""
        latents, kept = self.latents, self.document.kept(self.view.frame)
        presence = latents.rows("presence") if latents is not None else None
        if presence is None:
            return len(kept) if latents is not None else 0
        return sum(presence[row] > 0.5 for row in kept)

    def selection_at(self, frame: int) -> frozenset[int]:
        """Return the rows of a frame at which the selected particles are there."""
        shown, selection = self.view.frame, self.view.selection
        if frame == shown or not selection:
            return selection
        return self.followed(selection, shown, frame)

    def followed(self, rows: frozenset[int], old: int, new: int) -> frozenset[int]:
        """Return the rows of a frame that have the numbers of rows of another."""
        before, after = self.numbers(old), self.numbers(new)
        if not before or not after:
            return rows
        chosen = {before[row] for row in rows if row < len(before)}
        return frozenset(row for row, number in enumerate(after) if number in chosen)

    def is_matched(self, frame: int) -> bool:
        """Return whether the numbers of a frame come from matching it with its neighbours."""
        tracks = self.document.encoded.tracks
        return not self.view.raw_numbers and tracks.is_linked(frame)

    def label(self, edit: Edit) -> str:
        """Return what an edit is called, with its particles by the numbers that are shown."""
        if isinstance(edit, SwapParticles):
            numbers = self.numbers(edit.frame)
            return replace(edit, first=numbers[edit.first], second=numbers[edit.second]).label
        if isinstance(edit, _OF_PARTICLES):
            numbers = self.numbers(edit.frame)
            label = replace(edit, rows=tuple(numbers[row] for row in edit.rows)).label
            kind = edit.prototype if isinstance(edit, SetPrototype) else -1
            known = self.document.prototype_names.get(kind)
            return label.replace(f"Prototype {kind + 1}", f"'{known}'") if known else label
        return edit.label
