"""What is done for the open media before it is asked for: frames read ahead, a video encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kpstudio.services.background import READ_BYTES, Background, Piece
from kpstudio.services.decoded import Bytes
from kpstudio.services.linking import Linker
from kpstudio.services.model_host import ModelHost
from kpstudio.services.read_ahead import ReadAhead
from kpstudio.services.worker import Post, Worker
from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.session.view import ViewState

SHOWN_BYTES = 64_000_000
"""Room for frames at their own size around the shown one."""

READ_S = 2.0
"""How long an encoding waits for a frame that is being read; then it reads it itself."""

_AHEAD = 3


class Clip:
    """The frames of the open media; everything but `wait` is called on the UI thread.

    Attributes:
        background: Encodes every frame of a video.
        read_ahead: Reads the shown frame and those that come next.
        shown: The shown frame; read by the worker's thread as well.
    """

    def __init__(
        self,
        session: Session,
        host: ModelHost,
        worker: Worker,
        post: Post,
        show: Callable[[int, Bytes], None],
        keep: Callable[[tuple[int, int], Piece], None],
        complain: Callable[[str, str], None],
    ) -> None:
        """Wait for media.

        Args:
            session: Says which frame is shown.
            host: Knows the open model and media.
            worker: Runs the encoding.
            post: Runs a function on the UI thread.
            show: Given the shown frame's number and picture once it is read.
            keep: Given the keys of model and media, and what a piece of encoding gave.
            complain: Given a sentence and details when the shown frame cannot be read.
        """
        self._session, self._host = session, host
        self._show, self._complain = show, complain
        self._opened = 0
        self.shown = 0
        self.background = Background(session, host, worker, keep)
        self.read_ahead = ReadAhead(post, self._on_read, self._on_fault)
        session.view_changed.connect(self._on_view)

    # -- opening ---------------------------------------------------------------------------------
    def forget(self) -> None:
        """Stop with what was open."""
        self.background.stop()
        self.read_ahead.open(0, None)

    def open(
        self, document: Document, linker: Linker | None, has_room: Callable[[int], bool]
    ) -> None:
        """Begin with what is open now.

        Args:
            document: Just opened.
            linker: Links its frames; None while there is no model.
            has_room: Whether pictures of so many bytes can be kept.
        """
        model, media = document.model, document.media
        if media is None:
            return
        self._opened += 1
        self.read_ahead.open(self._opened, self._host.picture_reader(SHOWN_BYTES))
        self.shown = self._session.view.frame
        self.read_ahead.want(self._near(self.shown))
        if model is None or linker is None or media.fps is None or media.count < 2:
            return
        height, width = model.capabilities.image_size
        with_pictures = has_room(media.count * height * width * 3)
        reader = self._host.picture_reader(READ_BYTES)
        key = (model.key, media.key)
        self.background.open(key, media.count, reader, linker, with_pictures)

    def close(self, timeout_s: float) -> None:
        """Read nothing any more."""
        self._session.view_changed.disconnect(self._on_view)
        self.read_ahead.close(timeout_s)

    # -- asked by others -------------------------------------------------------------------------
    def is_ready(self, frame: int) -> bool:
        """Return whether a frame of the media could be shown at once; those beyond it always."""
        media = self._session.document.media
        return media is None or frame >= media.count or self.read_ahead.is_ready(frame)

    def prepare(self, frames: Sequence[int]) -> None:
        """Read these frames, the first one first; those beyond the media are passed over."""
        media = self._session.document.media
        if media is not None:
            self.read_ahead.want([frame for frame in frames if frame < media.count])

    def wait(self, frame: int) -> Bytes | None:
        """Return a frame that is read or being read, or None; called by the worker's thread."""
        return self.read_ahead.wait(frame, READ_S)

    def take(self, piece: Piece) -> None:
        """Keep the frames that were read to be encoded, as far as there is room for them."""
        for frame, picture in piece.read.items():
            self.read_ahead.offer(frame, picture)
        self._warn()

    # -- on the way ------------------------------------------------------------------------------
    def _near(self, frame: int, before: int = 0) -> list[int]:
        """Return the shown frame and the next few in the direction of the last step."""
        media = self._session.document.media
        count = media.count if media else 0
        way = -1 if before - 10 <= frame < before else 1
        return [near for near in range(frame, frame + _AHEAD * way, way) if 0 <= near < count]

    def _on_view(self, view: ViewState) -> None:
        if view.frame == self.shown:
            return
        before, self.shown = self.shown, view.frame
        if not view.playing:
            self.read_ahead.want(self._near(view.frame, before))
        picture = self.read_ahead.get(view.frame)
        if picture is not None:
            self._show(view.frame, picture)

    def _on_read(self, key: int, frame: int, picture: Bytes) -> None:
        self._warn()
        if frame == self._session.view.frame:
            self._show(frame, picture)

    def _warn(self) -> None:
        for text in self._host.new_warnings():
            self._session.notify(text[:1].upper() + text[1:], "warning")

    def _on_fault(self, frame: int, text: str) -> None:
        if frame == self._session.view.frame and not self._session.view.playing:
            self._complain(text[:1].upper() + text[1:], "")
