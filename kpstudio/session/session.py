"""The session: what is open, edited, looked at and shown; the only mutable object of its layer.

Everything happens on one thread (the UI's). Signals say what changed; services listen and answer
through `receive_encoding` and `receive_picture`, which drop answers that came too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from kpstudio.session.document import Document, MediaInfo, ModelInfo
from kpstudio.session.edits import Edit, MoveParticles
from kpstudio.session.history import Entry, History
from kpstudio.session.view import Comparison, Role, ViewState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kpcore.api import Encoding
    from kpcore.latents import Latents

Tier = Literal["preview", "exact"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels ready to paint.

    Attributes:
        pixels: uint8 (H, W, 3), C-contiguous.
        revision: Of the latents it shows.
        frame: Of the media.
        tier: "exact" is the model's own picture; "preview" moved glimpses over the last one's
            background.
        milliseconds: What it took to make.
        base: Revision whose exact decode gave the background (that of the picture when exact).
        extras: Further arrays for overlays, e.g. "masks" (K, H, W) uint8, "heatmaps" (K, h, w)
            uint8, "glimpses" (K, S, S, 4) uint8.
    """

    pixels: NDArray[np.uint8]
    revision: int
    frame: int
    tier: Tier = "exact"
    milliseconds: float = 0.0
    base: int = -1
    extras: Mapping[str, NDArray[np.uint8]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A picture that the session would like: the engine answers the newest only.

    Attributes:
        model: Key of the model.
        media: Key of the media.
        frame: Of the media.
        revision: Grows with every change of the latents.
        latents: What to decode.
        encoding: Of the frame; its context is decoded with.
        final: No gesture is under way: must be answered exactly.
    """

    model: int
    media: int
    frame: int
    revision: int
    latents: Latents
    encoding: Encoding
    final: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the bar under the toolbar.

    Attributes:
        text: What was wrong, what is accepted, what to do.
        level: Its weight.
        details: Shown on request, e.g. a traceback.
    """

    text: str
    level: Literal["info", "warning", "error"] = "info"
    details: str = ""


class Session:
    """Open, preview, commit, cancel, undo, redo; see the module's text."""

    document_changed = Signal(Document)
    """The particles, the model or the media changed."""
    view_changed = Signal(ViewState)
    history_changed = Signal(History)
    picture_wanted = Signal(Wanted)
    picture_changed = Signal(str, object)
    """Role and `Picture` (None when there is none any more)."""
    encoding_wanted = Signal(int)
    """A frame whose particles are needed."""
    frame_received = Signal(int)
    noticed = Signal(Notice)
    saved_changed = Signal(bool)
    """Whether everything is saved."""

    def __init__(self) -> None:
        self._history = History(Document())
        self._pending: Document | None = None
        self._pending_edit: Edit | None = None
        self._view = ViewState()
        self._revision = 0
        self._shown: dict[str, tuple[int, bool, int]] = {}
        self._pictures: dict[Role, Picture | None] = {}
        self._saved = self._history.document

    # -- values ----------------------------------------------------------------------------------
    @property
    def document(self) -> Document:
        """The document, with the gesture under way applied."""
        return self._pending or self._history.document

    @property
    def history(self) -> History:
        """Committed edits."""
        return self._history

    @property
    def view(self) -> ViewState:
        """Frame, selection and layers."""
        return self._view

    @property
    def revision(self) -> int:
        """Grows with every change of the particles."""
        return self._revision

    @property
    def in_gesture(self) -> bool:
        """Whether a drag is under way."""
        return self._pending is not None

    @property
    def is_saved(self) -> bool:
        """Whether nothing was edited since the last save."""
        return self._history.document is self._saved

    @property
    def latents(self) -> Latents | None:
        """The particles of the shown frame, after edits."""
        return self.document.latents(self._view.frame)

    def picture(self, role: Role) -> Picture | None:
        """Return what the canvas of `role` shows, or None."""
        return self._pictures.get(role)

    # -- opening ---------------------------------------------------------------------------------
    def open_model(self, model: ModelInfo | None) -> None:
        """Make `model` the open one; encodings and edits of another model are left behind."""
        self._start(Document(model=model, media=self.document.media))

    def open_media(self, media: MediaInfo | None) -> None:
        """Make `media` the open one, at its first frame."""
        self._view = replace(self._view, frame=0, selection=frozenset(), hovered=None)
        self.view_changed.emit(self._view)
        self._start(Document(model=self.document.model, media=media))

    def _start(self, document: Document) -> None:
        self._pending = self._pending_edit = None
        self._history = History(document)
        self._saved = document
        self._pictures.clear()
        self._shown.clear()
        self.update_view(selection=frozenset(), comparison=Comparison())
        for role in ("input", "reconstruction", "edited", "difference"):
            self.picture_changed.emit(role, None)
        self.history_changed.emit(self._history)
        self._changed()
        self.saved_changed.emit(True)
        if document.model and document.media:
            self.encoding_wanted.emit(self._view.frame)

    def receive_encoding(self, model: int, media: int, frame: int, encoding: Encoding) -> bool:
        """Take the particles of a frame; return False when they came too late."""
        document = self._history.document
        if not self._is_open(document, model, media):
            return False
        self._history = _with_encoding(self._history, frame, encoding)
        if self._saved is document or not self._history.entries:
            self._saved = self._history.document
        if self._pending is not None:
            self._pending = self._pending.with_encoding(frame, encoding)
        if frame == self._view.frame:
            self._changed()
        self.frame_received.emit(frame)
        return True

    @staticmethod
    def _is_open(document: Document, model: int, media: int) -> bool:
        return (
            document.model is not None
            and document.media is not None
            and (document.model.key, document.media.key) == (model, media)
        )

    # -- editing ---------------------------------------------------------------------------------
    def preview(self, edit: Edit) -> None:
        """Show an edit without committing it; the next preview replaces it."""
        self._pending = self._constrained(edit, self._history.document)
        self._pending_edit = edit
        self._changed()

    def commit(self, edit: Edit | None = None, gesture: str = "") -> None:
        """Put an edit (or the one under way) into the history, as one step.

        Args:
            edit: None commits what `preview` shows.
            gesture: Steps with one non-empty key merge into one.
        """
        edit = edit or self._pending_edit
        if edit is None:
            return
        document = self._constrained(edit, self._history.document)
        self._pending = self._pending_edit = None
        self._history = self._history.push(Entry(edit, document, gesture))
        self.history_changed.emit(self._history)
        self._changed()
        self.saved_changed.emit(self.is_saved)

    def cancel(self) -> None:
        """Forget the gesture under way."""
        if self._pending is not None:
            self._pending = self._pending_edit = None
            self._changed()

    def undo(self) -> None:
        """Take back one step, or the gesture under way."""
        if self._pending is not None:
            self.cancel()
        else:
            self.go_to(self._history.cursor - 1)

    def redo(self) -> None:
        """Repeat the step that was taken back."""
        self.go_to(self._history.cursor + 1)

    def go_to(self, cursor: int) -> None:
        """Put `cursor` steps in force."""
        moved = self._history.at(cursor)
        if moved.cursor == self._history.cursor:
            return
        self._pending = self._pending_edit = None
        self._history = moved
        self.history_changed.emit(moved)
        self._changed()
        self.saved_changed.emit(self.is_saved)

    def restore_history(self, edits: list[Edit], cursor: int) -> None:
        """Replay the edits of a saved session or a crash log over the open document."""
        history = History(self._history.base)
        for edit in edits:
            history = history.push(Entry(edit, self._constrained(edit, history.document)))
        self._history = history.at(cursor)
        self.history_changed.emit(self._history)
        self._changed()
        self.saved_changed.emit(self.is_saved)

    def mark_saved(self) -> None:
        """Remember that the document at the cursor is on disk."""
        self._saved = self._history.document
        self.saved_changed.emit(True)

    def _constrained(self, edit: Edit, document: Document) -> Document:
        from kpcore.capabilities import constrain

        after = edit.apply(document)
        frame = getattr(edit, "frame", None)
        if frame is None or after.model is None:
            return after
        latents = after.latents(frame)
        if latents is None:
            return after
        held = constrain(latents, after.model.capabilities, after.original(frame))
        return after if held is latents else after.with_edited(frame, held)

    # -- looking ---------------------------------------------------------------------------------
    def update_view(self, **changes: Any) -> None:
        """Change fields of the view state."""
        old, self._view = self._view, replace(self._view, **changes)
        if self._view == old:
            return
        if self._view.frame != old.frame:
            self.cancel()
        self.view_changed.emit(self._view)
        if self._view.frame != old.frame:
            self._shown.clear()
            self._changed()
            media = self.document.media
            inside = media is not None and self._view.frame < media.count
            if self.document.model and inside and self.latents is None:
                self.encoding_wanted.emit(self._view.frame)

    # -- pictures --------------------------------------------------------------------------------
    def want(self) -> Wanted | None:
        """Return the request for the present latents, or None when there is nothing to decode."""
        document, frame = self.document, self._view.frame
        encoding, latents = document.encoded.get(frame), document.shown(frame)
        if encoding is None or latents is None or not document.model or not document.media:
            return None
        return Wanted(
            document.model.key,
            document.media.key,
            frame,
            self._revision,
            latents,
            encoding,
            final=self._pending is None,
        )

    def _changed(self) -> None:
        self._revision += 1
        self.document_changed.emit(self.document)
        wanted = self.want()
        if wanted is not None:
            self.picture_wanted.emit(wanted)

    def receive_picture(self, role: Role, model: int, media: int, picture: Picture) -> bool:
        """Show a picture unless a newer one is shown or another document is open.

        A picture never goes back: newer particles win; of the same particles the exact picture
        wins, then the preview over the newer background. While no model is open, the input may be
        shown at its own shape.
        """
        if not self._accepts(role, model, media) or picture.frame != self._view.frame:
            return False
        rank = (picture.revision, picture.tier == "exact", picture.base)
        if rank <= self._shown.get(role, (-1, False, -1)):
            return False
        self._shown[role] = rank
        self._pictures[role] = picture
        self.picture_changed.emit(role, picture)
        return True

    def _accepts(self, role: Role, model: int, media: int) -> bool:
        document = self.document
        if role == "input" and document.model is None:
            return document.media is not None and document.media.key == media
        return self._is_open(document, model, media)

    def notify(
        self, text: str, level: Literal["info", "warning", "error"] = "info", details: str = ""
    ) -> None:
        """Tell the user one sentence."""
        self.noticed.emit(Notice(text, level, details))


def _with_encoding(history: History, frame: int, encoding: Encoding) -> History:
    """Return the history with one more frame encoded in every document of it."""
    entries = tuple(
        Entry(entry.edit, entry.document.with_encoding(frame, encoding), entry.gesture)
        for entry in history.entries
    )
    return History(history.base.with_encoding(frame, encoding), entries, history.cursor)


def nudge(
    latents: Latents, frame: int, rows: tuple[int, ...], step: tuple[float, float]
) -> MoveParticles:
    """Return the edit that moves particles by `step` in unit coordinates."""
    position = latents.rows("position")
    to = tuple(
        (float(position[row][0]) + step[0], float(position[row][1]) + step[1])  # type: ignore[index]
        for row in rows
    )
    return MoveParticles(frame, rows, to)
