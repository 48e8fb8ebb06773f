"""The session: what is open, edited, looked at and shown; the only mutable object of its layer.

Everything happens on one thread (the UI's). Signals say what changed; services listen and answer
through `receive_encoding` and `receive_picture`, which drop answers that came too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from kpstudio.session.document import Document, MediaInfo, ModelInfo
from kpstudio.session.edits import Edit
from kpstudio.session.evidence import Evidence
from kpstudio.session.history import Entry, History
from kpstudio.session.landmarks import Regressor
from kpstudio.session.notice import Level, Notice
from kpstudio.session.pictures import Gallery, Picture, Wanted
from kpstudio.session.scene import Scene
from kpstudio.session.tracks import Link
from kpstudio.session.view import Comparison, Role, ViewState

if TYPE_CHECKING:
    from kpcore.api import Encoding
    from kpcore.latents import Latents


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
    evidence_changed = Signal()
    """What the encoder saw of the shown frame came, or went."""
    noticed = Signal(Notice)
    saved_changed = Signal(bool)
    """Whether everything is saved."""

    def __init__(self) -> None:
        self._history = History(Document())
        self._pending: Document | None = None
        self._pending_edit: Edit | None = None
        self._view = ViewState()
        self._revision = 0
        self._gallery = Gallery()
        self._saved = self._history.document
        self._evidence: Evidence | None = None
        self._regressor: Regressor | None = None

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
        """The particles of the shown frame, after edits; None where a predicted one is shown."""
        return self.scene.latents

    @property
    def scene(self) -> Scene:
        """The document as the view shows it."""
        return Scene(self.document, self._view)

    def picture(self, role: Role) -> Picture | None:
        """Return what the canvas of `role` shows, or None."""
        return self._gallery[role]

    @property
    def evidence(self) -> Evidence | None:
        """What the encoder saw of the shown frame, once it was asked for."""
        held = self._evidence
        return held if held is not None and held.frame == self._view.frame else None

    @property
    def regressor(self) -> Regressor | None:
        """What tells landmarks from the particles, once it is fitted."""
        return self._regressor

    def receive_regressor(self, model: int, media: int, regressor: Regressor | None) -> None:
        """Take what tells landmarks, unless another document is open; None takes it away."""
        if self._is_open(self.document, model, media) and regressor is not self._regressor:
            self._regressor = regressor
            self.evidence_changed.emit()

    def receive_evidence(self, model: int, media: int, evidence: Evidence) -> None:
        """Take what the encoder saw, unless another document is open."""
        if self._is_open(self.document, model, media):
            self._evidence = evidence
            self.evidence_changed.emit()

    # -- opening ---------------------------------------------------------------------------------
    def open_model(self, model: ModelInfo | None) -> None:
        """Make `model` the open one; encodings and edits of another model are left behind."""
        self._start(Document(model=model, media=self.document.media))

    def open_pair(self, model: ModelInfo, media: MediaInfo) -> None:
        """Make both the open ones at once, so that nothing sees one beside what was open before."""
        self._to_first_frame()
        self._start(Document(model=model, media=media))

    def open_media(self, media: MediaInfo | None) -> None:
        """Make `media` the open one, at its first frame."""
        self._to_first_frame()
        self._start(Document(model=self.document.model, media=media))

    def _to_first_frame(self) -> None:
        self._view = replace(
            self._view, frame=0, selection=frozenset(), hovered=None, playing=False
        )
        self.view_changed.emit(self._view)

    def _start(self, document: Document) -> None:
        self._pending = self._pending_edit = None
        self._history = History(document)
        self._saved = document
        self._gallery.clear()
        self._evidence = self._regressor = None
        self._gallery.stay(self._view.frame)
        levels = document.model.capabilities.levels if document.model else 1
        level = self._view.level if (self._view.level or 0) < levels else None
        self.update_view(selection=frozenset(), hovered=None, comparison=Comparison(), level=level)
        for role in ("input", "reconstruction", "edited", "difference"):
            self.picture_changed.emit(role, None)
        self.history_changed.emit(self._history)
        self._changed()
        self.saved_changed.emit(True)
        if document.model and document.media:
            self.encoding_wanted.emit(self._view.frame)

    def receive_encoding(self, model: int, media: int, frame: int, encoding: Encoding) -> bool:
        """Take the particles of a frame; return False when they came too late."""
        return self.receive_encodings(model, media, {frame: encoding}, {})

    def receive_encodings(
        self,
        model: int,
        media: int,
        encodings: Mapping[int, Encoding],
        links: Mapping[int, Link],
    ) -> bool:
        """Take the particles of frames, and how those of neighbouring ones continue each other.

        Args:
            model: Key of the model.
            media: Key of the media.
            encodings: By frame.
            links: By the earlier frame of each pair.

        Returns:
            Whether they belong to what is open.
        """
        encoded = self._history.document.encoded
        if not self._is_open(self._history.document, model, media):
            return False
        shown = self._view.frame
        encoded.get(shown)  # counts as used, so that it is not the one that makes room
        for frame, encoding in encodings.items():
            encoded.put(frame, encoding)
        for frame, link in links.items():
            encoded.tracks.link(frame, link)
        if shown in encodings:
            self._changed()
        elif shown in links or shown - 1 in links:
            self.document_changed.emit(self.document)
        for frame in encodings:
            self.frame_received.emit(frame)
        return True

    def show_level(self, level: int | None) -> None:
        """Draw and pick only particles of one level of the pyramid; None for all."""
        self.update_view(level=level, hovered=None)
        self.update_view(selection=self._view.selection & self.scene.offered(self._view.frame))

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
        entry = Entry(edit, document, gesture, self.scene.label(edit))
        self._history = self._history.push(entry)
        self.history_changed.emit(self._history)
        self._changed()
        self._select_what_is_there()
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
        self._select_what_is_there()
        self.saved_changed.emit(self.is_saved)

    def _select_what_is_there(self) -> None:
        """Leave rows out of the selection that a step took away."""
        latents = self.latents
        if latents is not None:
            there = self.document.found(latents.count)
            self.update_view(selection=self._view.selection & frozenset(range(there)))

    def restore_history(self, edits: list[Edit], cursor: int) -> None:
        """Replay the edits of a saved session or a crash log over the open document."""
        history = History(self._history.base)
        for edit in edits:
            after = self._constrained(edit, history.document)
            history = history.push(Entry(edit, after, "", self.scene.label(edit)))
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
        if self._view.frame != old.frame and old.selection and "selection" not in changes:
            rows = self.scene.followed(old.selection, old.frame, self._view.frame)
            self._view = replace(self._view, selection=rows, hovered=None)
        if self._view.frame != old.frame:
            self.cancel()
            self._gallery.visit(self._view.frame)
            if not self._view.playing:
                self._gallery.stay(self._view.frame)
        self.view_changed.emit(self._view)
        was_off, is_off = (view.comparison.mode == "off" for view in (old, self._view))
        if self._view.frame != old.frame or was_off is not is_off:
            self._changed()
            self._want_encoding()
        elif self._view.raw_numbers is not old.raw_numbers:
            self.document_changed.emit(self.document)
        elif old.playing and not self._view.playing:
            self._gallery.stay(self._view.frame)
            self._changed()
            self._want_encoding()

    def _want_encoding(self) -> None:
        """Ask for the shown frame's particles, or for what is missing to decode them."""
        document, frame = self.document, self._view.frame
        inside = document.media is not None and frame < document.media.count
        if (
            self.scene.is_edited_here
            and document.model
            and inside
            and document.encoded.get(frame) is None
        ):
            self.encoding_wanted.emit(frame)

    # -- pictures --------------------------------------------------------------------------------
    def want(self) -> Wanted | None:
        """Return the request for the present latents, or None when there is nothing to decode."""
        document, frame = self.document, self._view.frame
        encoding, latents = document.encoded.get(frame), document.shown(frame)
        if encoding is None or latents is None or not document.model or not document.media:
            return None
        if not self.scene.is_edited_here:
            return None
        return Wanted(
            document.model.key,
            document.media.key,
            frame,
            self._revision,
            latents,
            encoding,
            final=self._pending is None,
            reference=document.reference,
            as_encoded=document.keep is None and document.latents(frame) is encoding.latents,
        )

    def _changed(self) -> None:
        self._revision += 1
        self.document_changed.emit(self.document)
        wanted = self.want()
        if wanted is not None:
            self.picture_wanted.emit(wanted)
        elif self.latents is not None:
            self._want_encoding()

    def receive_picture(self, role: Role, model: int, media: int, picture: Picture) -> bool:
        """Show a picture unless a newer one is shown or another document is open.

        While no model is open, the input may be shown at its own shape.
        """
        if not self._accepts(role, model, media) or not self._gallery.take(role, picture):
            return False
        self.picture_changed.emit(role, picture)
        return True

    def _accepts(self, role: Role, model: int, media: int) -> bool:
        document = self.document
        if role == "input" and document.model is None:
            return document.media is not None and document.media.key == media
        return self._is_open(document, model, media)

    def notify(self, text: str, level: Level = "info", details: str = "") -> None:
        """Tell the user one sentence."""
        self.noticed.emit(Notice(text, level, details))
