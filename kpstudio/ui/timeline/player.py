"""Drives the session's frame by the playback clock, and follows the user's own steps."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from kpstudio.services.playback import Playback, Shown
from kpstudio.session.document import Document, MediaInfo
from kpstudio.session.session import Session
from kpstudio.session.view import ViewState

POLL_MS = 4
"""How soon to look again for a frame that is due but not ready."""
TELL_MS = 250
AHEAD = 60
"""Frames that are read before they are due, as far as there is room for them."""


class Player(QObject):
    """Transport of the open media; everything that changes the frame goes through the session."""

    changed = Signal()
    """Playing, speed, loop, marks or the number of frames."""
    told = Signal(Shown)
    """How playback goes, a few times a second while it does."""

    def __init__(self, session: Session, playback: Playback, parent: QObject | None = None) -> None:
        """Follow a session.

        Args:
            session: Whose frame is driven.
            playback: The clock.
            parent: Owner.
        """
        super().__init__(parent)
        self.playback = playback
        self._session = session
        self._media: MediaInfo | None = None
        self._starting = False
        self._is_ready: Callable[[int], bool] = lambda frame: True
        self._want: Callable[[list[int]], None] = lambda frames: None
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._teller = QTimer(self, interval=TELL_MS)
        self._teller.timeout.connect(self._tell)
        playback.changed.connect(self._on_playback)
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._on_view)
        self._on_document(session.document)

    def set_source(
        self, is_ready: Callable[[int], bool], want: Callable[[list[int]], None]
    ) -> None:
        """Ask elsewhere for frames.

        Args:
            is_ready: Whether a frame could be shown at once.
            want: Told which frames come next, in that order.
        """
        self._is_ready, self._want = is_ready, want

    # -- transport -------------------------------------------------------------------------------
    @property
    def count(self) -> int:
        """Frames that can be shown: those of the media and those beyond."""
        return self.playback.count

    @property
    def beyond(self) -> int:
        """Frames that follow those of the media."""
        media = self._session.document.media
        return max(0, self.count - media.count) if media else 0

    @property
    def frame(self) -> int:
        """The shown frame."""
        return self._session.view.frame

    def go(self, frame: int) -> None:
        """Show a frame, held within the ends; playback goes on from there."""
        if self.count:
            held = min(self.count - 1, max(0, frame))
            self._session.update_view(frame=held)

    def step(self, frames: int) -> None:
        """Pause and go so many frames on."""
        self.playback.pause()
        self.go(self.frame + frames)

    def go_to_edit(self, step: int) -> None:
        """Show the next edited frame (step 1) or the one before (-1), round the ends."""
        frames = self._session.document.edited_frames
        if not frames:
            return
        ahead = [frame for frame in frames if (frame - self.frame) * step > 0]
        if step > 0:
            self.go(min(ahead, default=frames[0]))
        else:
            self.go(max(ahead, default=frames[-1]))

    def set_beyond(self, frames: int) -> None:
        """Have `frames` more frames follow those of the media; the document's own are known."""
        self.playback.set_beyond(frames)
        if self.frame >= self.count:
            self.go(self.count - 1)

    def next_loop(self) -> None:
        """Repeat all, or nothing again."""
        self.playback.set_loop("off" if self.playback.loop == "all" else "all")

    # -- the clock -------------------------------------------------------------------------------
    def _tick(self) -> None:
        playback = self.playback
        if not playback.playing:
            return
        if self._session.in_gesture:
            playback.pause()
            return
        frame = playback.advance(self._is_ready)
        if frame is not None:
            self._session.update_view(frame=frame)
        self._want(playback.upcoming(AHEAD))
        if playback.playing:
            due = playback.next_due_s()
            self._timer.start(max(POLL_MS, math.ceil(due * 1000.0)) if due > 0.0 else POLL_MS)

    def _tell(self) -> None:
        self.told.emit(self.playback.stats)

    # -- what others say -------------------------------------------------------------------------
    def _on_playback(self) -> None:
        playing = self.playback.playing
        self._starting = playing
        if playing and not self._timer.isActive():
            self._timer.start(0)
            self._teller.start()
        elif not playing and self._teller.isActive():
            self._timer.stop()
            self._teller.stop()
            self._tell()
        self._session.update_view(playing=playing, frame=self.playback.frame)
        self._starting = False
        self.changed.emit()

    def _on_document(self, document: Document) -> None:
        if document.media is not self._media:
            self._media = media = document.media
            if media is None:
                self.playback.set_media(0)
            else:
                self.playback.set_media(media.count, media.fps, media.times)
        if self._media is not None:
            self.set_beyond(document.length - self._media.count)

    def _on_view(self, view: ViewState) -> None:
        if view.frame != self.playback.frame:
            self.playback.seek(view.frame)
        if self.playback.playing and not view.playing and not self._starting:
            self.playback.pause()
