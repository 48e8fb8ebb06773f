"""Undo and redo of documents; because documents are values, undo cannot be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from kpstudio.session.document import Document
from kpstudio.session.edits import Edit

LIMIT = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One committed gesture.

    Attributes:
        edit: What was done.
        document: As it is after that.
        gesture: Steps with one non-empty key merge.
        name: What it is called; empty for the edit's own label.
    """

    edit: Edit
    document: Document
    gesture: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """What the history panel shows."""
        return self.name or self.edit.label


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """A line of entries with a cursor; itself a value.

    Attributes:
        base: The document before the first entry.
        entries: Oldest first; those behind the cursor can be redone.
        cursor: Number of entries in force.
    """

    base: Document
    entries: tuple[Entry, ...] = ()
    cursor: int = 0

    @property
    def document(self) -> Document:
        """The document at the cursor."""
        return self.entries[self.cursor - 1].document if self.cursor else self.base

    def push(self, entry: Entry) -> History:
        """Return the history with an entry added; entries behind the cursor are dropped.

        An entry whose `gesture` is that of the last one replaces it, so that a wheel turn or a
        run of nudges is one step.
        """
        kept = self.entries[: self.cursor]
        if kept and entry.gesture and kept[-1].gesture == entry.gesture:
            kept = kept[:-1]
        kept = (*kept, entry)
        base = self.base
        if len(kept) > LIMIT:
            base, kept = kept[0].document, kept[1:]
        return History(base, kept, len(kept))

    def at(self, cursor: int) -> History:
        """Return the history with the cursor moved, within its ends."""
        return History(self.base, self.entries, min(len(self.entries), max(0, cursor)))
