"""Pictures for the session: previews at once, exact pictures from the one thread with the model.

Everything public is called on the UI thread. The worker answers through the injected `post`, which
runs a function on the UI thread; answers of another model, media or older particles are dropped by
the session. Exactly one thread touches the model.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from kpcore.errors import KpError
from kpstudio.services.background import Piece
from kpstudio.services.clip import Clip
from kpstudio.services.compositor import Compositor
from kpstudio.services.decoded import Bytes, Decoded, Frame
from kpstudio.services.evidence import Looking
from kpstudio.services.frames import Frames, Key
from kpstudio.services.landmarks import Landmarks
from kpstudio.services.linking import Linker
from kpstudio.services.model_host import ModelHost
from kpstudio.services.pixels import difference
from kpstudio.services.timings import Meter, Timings
from kpstudio.services.worker import Post, Task, Worker
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.pictures import Picture, Wanted
from kpstudio.session.session import Session
from kpstudio.session.tracks import Link
from kpstudio.session.view import Role

if TYPE_CHECKING:
    from kpcore.data.media import Media
    from kpcore.geometry.framing import Framing

logger = logging.getLogger(__name__)


RESTED_S = 0.1
"""A hand that did not move its particle for so long is shown the exact picture, held or not."""
RELAXED_S = 0.03
"""How often at most previews are compared with the reconstruction while that is looked at beside
the edited picture; the exact picture brings its own difference."""

_KINDS = (
    "device", "pair", "model", "media", "look", "decode", "encode", "evidence", "tidy", "roll",
    "prefetch", "fit", "background", "warm",
)  # fmt: skip
"""Requests, most urgent first: the hand before the shown frame before what may come next."""


class Engine:
    """Answers the session's requests for particles and pictures."""

    busy_changed = Signal(str)
    """What the worker is loading, for the status bar; empty when nothing."""
    timings_changed = Signal(Timings)

    def __init__(self, session: Session, post: Post, host: ModelHost | None = None) -> None:
        """Start the worker, which sleeps until it is asked for something.

        Args:
            session: Listened to and answered.
            post: Runs a function on the UI thread.
            host: Owns the model; only tests give one.
        """
        self._session = session
        self._host = host or ModelHost()
        self._devices = ["cpu"]
        self._frames = Frames()
        self._linker: Linker | None = None
        self._compositor: tuple[Key, Compositor | None, int] | None = None
        self._newest: Wanted | None = None
        self._complaint = ""
        self._compared = 0.0
        self._meter = Meter()
        self.makes_drafts = True
        """Whether a moving hand may be answered roughly, where that is faster."""
        session.picture_wanted.connect(self._on_wanted)
        session.encoding_wanted.connect(self._on_encoding_wanted)
        self._worker = Worker(_KINDS, post, self._host.fall_back_to_cpu, self._complain, self._warn)
        self.clip = Clip(
            session, self._host, self._worker, post, self._on_read, self._on_piece, self._complain
        )

        self._looking = Looking(session, self._host, self._worker)
        self.landmarks = Landmarks(session, self._host, self._worker, self._complain)
        self.landmarks.progress.connect(self.busy_changed.emit)

    # -- asked by the window ----------------------------------------------------------------------
    def warm_up(self) -> None:
        """Begin to import torch; call it once the window is visible."""
        self._worker.put("warm", self._import_torch)

    def open_model(self, path: str, device: str = "auto") -> None:
        """Open a checkpoint; on failure the session is told why and what was open stays."""
        self._complaint = ""
        self._worker.put("model", partial(self._open, path, None, device))

    def open_media(self, path: str) -> None:
        """Open an image, a folder of images or videos, or a video, by the same rules."""
        self._complaint = ""
        self._worker.put("media", partial(self._open, None, path, "auto"))

    def open_pair(
        self,
        model: str,
        media: str | Media,
        device: str = "auto",
        frames: Sequence[int] = (),
        then: Task | None = None,
    ) -> None:
        """Open a checkpoint and media together: both or neither.

        Args:
            model: Path of a checkpoint.
            media: Path of an image, folder or video; or pictures that are read already.
            device: For the model.
            frames: To be encoded before `then`.
            then: Called on the UI thread once all of this is done; not when it fails.
        """
        self._complaint = ""
        self._worker.put("pair", partial(self._open, model, media, device, tuple(frames), then))

    def input_picture(self, frame: int) -> Bytes:
        """Return a frame of the open media as the open model sees it.

        Raises:
            KpError: Nothing is open, or the frame cannot be read.
        """
        document = self._session.document
        if document.model is not None and document.media is not None:
            kept = self._frames.get((document.model.key, document.media.key, frame))
            if kept is not None:
                return kept.input
        return self._host.framed(frame)[0]

    def look_at(self, path: str, then: Callable[[Bytes], None]) -> None:
        """Read a picture, or the first frame of a video, as the open model sees it.

        Args:
            path: Of the picture.
            then: Given it on the UI thread; when it cannot be read the session is told why.
        """

        def look() -> None:
            self._worker.post(then, self._host.picture_at(path))

        self._complaint = ""
        self._worker.put("look", look)

    def framing(self, frame: int) -> tuple[Framing, Bytes]:
        """Return how a frame was brought to the model's size, and the frame at its own size.

        Raises:
            KpError: Nothing is open, or the frame cannot be read.
        """
        return self._host.framed(frame)[1:]

    def is_ready(self, frame: int) -> bool:
        """Return whether a frame could be shown at once."""
        return self.clip.is_ready(frame)

    def prepare(self, frames: Sequence[int]) -> None:
        """Read these frames, the first one first."""
        self.clip.prepare(frames)

    def later(self, work: Callable[[ModelHost], None]) -> None:
        """Have the thread with the model do a piece of a roll-out once nothing more urgent waits.

        A piece that was not begun is replaced.
        """
        self._worker.put("roll", partial(work, self._host))

    def must_yield(self) -> bool:
        """Return whether a piece of a roll-out should end: something as urgent waits."""
        return self._worker.is_waiting("roll")

    def answer(self, function: Callable[..., object], *arguments: object) -> None:
        """Have the UI thread call a function, unless the engine is closed by then."""
        self._worker.post(function, *arguments)

    def devices(self) -> list[str]:
        """Return the devices that torch offers; "cpu" alone until torch is there."""
        return list(self._devices)

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._meter.timings.device

    @property
    def timings(self) -> Timings:
        """How fast pictures came lately."""
        return self._meter.timings

    def set_device(self, device: str) -> None:
        """Move the open model; edits stay."""
        self._complaint = ""
        self._worker.put("device", partial(self._move, device))

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop answering; waits for a decode under way, but no longer than `timeout_s`."""
        if self._worker.is_closed:
            return
        self._session.picture_wanted.disconnect(self._on_wanted)
        self._session.encoding_wanted.disconnect(self._on_encoding_wanted)
        self._looking.close()
        self.landmarks.close()
        self.clip.background.close()
        deadline = time.monotonic() + timeout_s
        self._worker.close(timeout_s)
        self.clip.close(max(0.0, deadline - time.monotonic()))

    # -- in the worker thread ---------------------------------------------------------------------
    def _import_torch(self) -> None:
        self._worker.post(self._set_devices, self._host.import_torch())

    def _open(
        self,
        model_path: str | None,
        source: str | Media | None,
        device: str,
        frames: tuple[int, ...] = (),
        then: Task | None = None,
    ) -> None:
        what = "model" if model_path else "pictures"
        self._worker.post(self.busy_changed.emit, f"Loading {what}…")
        try:
            if model_path is not None:
                self._import_torch()
            model, media = self._host.open(model_path, source, device)
            note = self._host.opening_note()
            self._linker = self._host.linker()
            self._worker.post(self._opened, model, media, self._host.device, note)
            if model is not None and media is not None:
                for frame in frames:
                    self._encode((model.key, media.key, frame))
            if then is not None:
                self._worker.post(then)
        finally:
            self._worker.post(self.busy_changed.emit, "")

    def _move(self, device: str) -> None:
        self._worker.post(self.busy_changed.emit, f"Moving the model to {device}…")
        try:
            self._host.move_to(device)
        finally:
            self._worker.post(self.busy_changed.emit, "")
        self._worker.post(self._moved, self._host.device)

    def _encode(self, key: Key, known: Wanted | None = None) -> None:
        if not self._host.is_open(key[0], key[1]):
            return
        if known is not None and key[2] != self.clip.shown and not self._session.view.playing:
            return
        read = self.clip.wait(key[2])
        frame = self._host.encode(key[2], known.encoding if known else None, read)
        links: dict[int, Link] = {}
        if known is None and self._linker is not None:
            links = self._linker.add(key[2], frame.encoding.latents)
        self._worker.post(self._on_frame, key, frame, known is None, links)

    def _encode_ahead(self, key: Key) -> None:
        """Encode a frame that nobody asked for; its faults are told when somebody does."""
        try:
            self._encode(key)
        except KpError as error:
            logger.debug("frame %d was not prepared: %s", key[2] + 1, error)

    def _decode(self, wanted: Wanted, reconstruction: Bytes | None) -> None:
        if self._host.is_open(wanted.model, wanted.media):
            asked = wanted if self.makes_drafts else replace(wanted, final=True)
            decoded = self._host.decode(asked, reconstruction)
            self._worker.post(self._on_decoded, wanted, decoded, self._host.device)
            if decoded.tier != "draft" or not self._worker.rests("decode", RESTED_S):
                return
            if wanted is self._newest:  # else it was taken back meanwhile
                self._decode(replace(wanted, final=True), reconstruction)

    # -- answers, on the UI thread ----------------------------------------------------------------
    def _set_devices(self, devices: list[str]) -> None:
        self._devices = devices

    def _complain(self, text: str, details: str) -> None:
        """Tell the user once, however often a drag repeats the fault."""
        if text != self._complaint:
            self._complaint = text
            self._session.notify(text, "error", details)

    def _warn(self, text: str, details: str) -> None:
        self._session.notify(text, "warning", details)

    def _opened(
        self, model: ModelInfo | None, media: MediaInfo | None, device: str, note: str
    ) -> None:
        self._frames.clear()
        self.clip.forget()
        self._compositor = self._newest = None
        self._report(device=device, cache_mb=0.0)
        if model is not None and media is not None:
            self._session.open_pair(model, media)
        elif model is not None:
            self._session.open_model(model)
        elif media is not None:
            self._session.open_media(media)
        document = self._session.document
        self.clip.open(document, self._linker, self._frames.has_room_for)
        if document.model is None and document.media is not None:
            self._session.notify(
                "Open a checkpoint to see this as particles (File > Open, or drop it here)"
            )
        elif document.media is None:
            self._session.notify(
                "Open an image, a folder or a video to see its particles (File > Open, or drop "
                "it here)"
            )
        elif note:
            self._session.notify(note)

    def _on_read(self, frame: int, picture: Bytes) -> None:
        document = self._session.document
        if document.media is not None:
            model = document.model.key if document.model else 0
            self._show("input", (model, document.media.key, frame), Picture(picture, 0, frame))

    def _moved(self, device: str) -> None:
        self._complaint = ""
        self._report(device=device)
        wanted = self._session.want()
        if wanted is not None:
            self._ask(wanted)

    def _on_encoding_wanted(self, frame: int) -> None:
        document = self._session.document
        if self._session.view.playing and self.clip.background.is_busy:
            return
        if document.model is not None and document.media is not None:
            key = (document.model.key, document.media.key, frame)
            self._worker.put("encode", partial(self._encode, key))

    def _on_piece(self, key: tuple[int, int], piece: Piece) -> None:
        for frame, pixels in piece.pictures.items():
            self._frames.put_picture((*key, frame), pixels)
        self.clip.take(piece)
        known = self._session.document.encoded
        fresh = {frame: found for frame, found in piece.encodings.items() if frame not in known}
        self._session.receive_encodings(*key, fresh, piece.links)

    def _on_frame(self, key: Key, frame: Frame, fresh: bool, links: dict[int, Link]) -> None:
        self._frames.put(key, frame)
        self._report(cache_mb=self._frames.nbytes / 1e6)
        if fresh:
            found = {key[2]: frame.encoding}
            if not self._session.receive_encodings(key[0], key[1], found, links):
                self._frames.drop(key)
                return
        else:
            if key[2] != self._session.view.frame:
                self._show_late(key, frame.reconstruction.pixels)
            wanted = self._session.want()
            if wanted is not None:
                self._on_wanted(wanted)
        if key[2] == self._session.view.frame:
            self._prefetch(key)

    def _show_late(self, key: Key, pixels: Bytes) -> None:
        """Show the picture of a frame that was shown a moment ago, while frames play."""
        picture = Picture(pixels, 0, key[2])
        self._show("reconstruction", key, picture)
        if key[2] not in self._session.document.edited:
            self._show("edited", key, picture)

    def _prefetch(self, key: Key) -> None:
        document = self._session.document
        following = key[2] + 1
        count = document.media.count if document.media else 0
        playing = self._session.view.playing
        if following < count and following not in document.encoded and not playing:
            task = partial(self._encode_ahead, (key[0], key[1], following))
            self._worker.put("prefetch", task)

    def _on_wanted(self, wanted: Wanted) -> None:
        self._newest = wanted
        key = (wanted.model, wanted.media, wanted.frame)
        frame = self._frames.get(key)
        if frame is None:
            if self._session.view.playing and self._show_kept(key, wanted):
                return
            self._worker.put("encode", partial(self._encode, key, wanted))
            return
        if self._compositor is None or self._compositor[0] != key:
            self._compositor = key, frame.reconstruction.compositor, 0
            self._show("input", key, Picture(frame.input, 0, key[2]))
            self._show("reconstruction", key, self._picture(frame.reconstruction, 0, key[2]))
        if wanted.is_unedited:
            self._worker.discard("decode")
            self._show_unedited(key, frame, wanted)
            return
        self._preview(wanted)
        self._ask(wanted)

    def _show_kept(self, key: Key, wanted: Wanted) -> bool:
        """Show the picture that was kept of an unedited frame; return whether there is one."""
        pixels = self._frames.picture(key)
        if pixels is None or not wanted.is_unedited:
            return False
        picture = Picture(pixels, wanted.revision, wanted.frame, base=wanted.revision)
        self._show("reconstruction", key, picture)
        self._show("edited", key, picture)
        black = difference(pixels, pixels)
        self._show("difference", key, Picture(black, wanted.revision, wanted.frame))
        return True

    def _ask(self, wanted: Wanted) -> None:
        frame = self._frames.get((wanted.model, wanted.media, wanted.frame))
        reconstruction = frame.reconstruction.pixels if frame else None
        self._worker.put("decode", partial(self._decode, wanted, reconstruction))

    def _show_unedited(self, key: Key, frame: Frame, wanted: Wanted) -> None:
        exact = frame.reconstruction
        self._compositor = key, exact.compositor, wanted.revision
        self._show("edited", key, self._picture(exact, wanted.revision, wanted.frame))
        same = difference(exact.pixels, exact.pixels)
        self._show("difference", key, Picture(same, wanted.revision, wanted.frame))
        self._report(tier="exact", decode_ms=exact.milliseconds)

    def _preview(self, wanted: Wanted) -> None:
        """Show the newest particles over the newest background, without the model."""
        key = (wanted.model, wanted.media, wanted.frame)
        at, compositor, base = self._compositor or (None, None, 0)
        if at != key or compositor is None:
            return
        started = time.perf_counter()
        pixels = compositor.pixels(wanted.latents)
        took = (time.perf_counter() - started) * 1000.0
        picture = Picture(pixels, wanted.revision, wanted.frame, "preview", took, base)
        if not self._show("edited", key, picture):
            return
        frame = self._frames.get(key)
        at_once = self._session.view.main == "difference"
        if frame is not None and (at_once or started - self._compared > RELAXED_S):
            self._compared = started
            changed = difference(pixels, frame.reconstruction.pixels)
            self._show(
                "difference",
                key,
                Picture(changed, wanted.revision, wanted.frame, "preview", took, base),
            )
        self._report(tier="preview", preview_ms=took)

    def _on_decoded(self, wanted: Wanted, decoded: Decoded, device: str) -> None:
        self._complaint = ""
        key = (wanted.model, wanted.media, wanted.frame)
        old, newest = self._compositor, self._newest
        is_newer = old is None or old[0] != key or old[2] <= wanted.revision
        if is_newer and wanted.frame == self._session.view.frame:
            self._compositor = key, decoded.compositor, wanted.revision
        shown = self._show("edited", key, self._picture(decoded, wanted.revision, wanted.frame))
        if shown and decoded.difference is not None:
            changed = Picture(decoded.difference, wanted.revision, wanted.frame, decoded.tier)
            self._show("difference", key, changed)
        tier = decoded.tier if shown else self._meter.timings.tier
        self._report(tier=tier, decode_ms=decoded.milliseconds, device=device)
        if newest is None or newest.revision <= wanted.revision:
            return
        if not _same_layers(old, decoded.compositor):
            self._preview(newest)

    def _show(self, role: Role, key: Key, picture: Picture) -> bool:
        shown = self._session.receive_picture(role, key[0], key[1], picture)
        if shown and role == "edited":
            self._meter.count()
        return shown

    @staticmethod
    def _picture(decoded: Decoded, revision: int, frame: int) -> Picture:
        took, extras = decoded.milliseconds, decoded.extras
        return Picture(decoded.pixels, revision, frame, decoded.tier, took, revision, extras)

    def _report(self, **changes: Any) -> None:
        self.timings_changed.emit(self._meter.update(**changes))


def _same_layers(old: tuple[Key, Compositor | None, int] | None, new: Compositor | None) -> bool:
    """Return whether a preview over the new layers would look as over the old ones."""
    return old is not None and old[1] is not None and new is not None and new.shares_layers(old[1])
