"""Pictures for the session: previews at once, exact pictures from the one thread with the model.

Everything public is called on the UI thread. The worker answers through the injected `post`, which
runs a function on the UI thread; answers of another model, media or older particles are dropped by
the session. Exactly one thread touches the model.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from psygnal import Signal

from kpcore.errors import KpError
from kpstudio.services.compositor import Compositor
from kpstudio.services.mailbox import Mailbox
from kpstudio.services.model_host import Bytes, Exact, Frame, ModelHost
from kpstudio.services.pixels import difference
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.session import Picture, Session, Tier, Wanted
from kpstudio.session.view import Role, ViewState

if TYPE_CHECKING:
    from kpcore.data.media import Media
    from kpcore.geometry.framing import Framing

logger = logging.getLogger(__name__)

Post: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a function on the UI thread, soon."""

Task: TypeAlias = Callable[[], None]

_KINDS = ("device", "pair", "model", "media", "decode", "encode", "input", "prefetch", "warm")
"""Requests, most urgent first: the hand before the shown frame before what may come next."""

_CACHE_BYTES = 128_000_000


@dataclass(frozen=True, slots=True)
class Timings:
    """How fast pictures come.

    Attributes:
        tier: Of the picture that is shown.
        decode_ms: The last exact decode.
        preview_ms: The last preview.
        frames_per_s: Pictures shown in the last second.
        device: Where the model runs.
        cache_mb: Frames kept.
    """

    tier: Tier = "exact"
    decode_ms: float = 0.0
    preview_ms: float = 0.0
    frames_per_s: float = 0.0
    device: str = "cpu"
    cache_mb: float = 0.0


_Key: TypeAlias = tuple[int, int, int]
"""Model, media, frame."""


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
        self._post_to_ui = post
        self._mailbox: Mailbox[Task] = Mailbox(_KINDS)
        self._closed = False
        self._devices = ["cpu"]
        self._frames: OrderedDict[_Key, Frame] = OrderedDict()
        self._compositor: tuple[_Key, Compositor | None, int] | None = None
        self._newest: Wanted | None = None
        self._complaint = ""
        self._shown_at: deque[float] = deque(maxlen=256)
        self._timings = Timings()
        session.picture_wanted.connect(self._on_wanted)
        session.encoding_wanted.connect(self._on_encoding_wanted)
        session.view_changed.connect(self._on_view)
        self._worker = threading.Thread(target=self._work, name="engine", daemon=True)
        self._worker.start()

    # -- asked by the window ----------------------------------------------------------------------
    def warm_up(self) -> None:
        """Begin to import torch; call it once the window is visible."""
        self._mailbox.put("warm", self._import_torch)

    def open_model(self, path: str, device: str = "auto") -> None:
        """Open a checkpoint; on failure the session is told why and what was open stays."""
        self._complaint = ""
        self._mailbox.put("model", partial(self._open, path, None, device))

    def open_media(self, path: str) -> None:
        """Open an image, a folder of images or videos, or a video, by the same rules."""
        self._complaint = ""
        self._mailbox.put("media", partial(self._open, None, path, "auto"))

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
        self._mailbox.put("pair", partial(self._open, model, media, device, tuple(frames), then))

    def open_demo(self) -> None:
        """Open the shipped checkpoint on a shipped sample."""
        from kpstudio.services.library import demo

        try:
            shipped = demo()
        except KpError as error:
            self._session.notify(_sentence(error), "error")
            return
        self.open_pair(str(shipped.checkpoint), str(shipped.sample))

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

    def framing(self, frame: int) -> tuple[Framing, Bytes]:
        """Return how a frame was brought to the model's size, and the frame at its own size.

        Raises:
            KpError: Nothing is open, or the frame cannot be read.
        """
        return self._host.framed(frame)[1:]

    def devices(self) -> list[str]:
        """Return the devices that torch offers; "cpu" alone until torch is there."""
        return list(self._devices)

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._timings.device

    @property
    def timings(self) -> Timings:
        """How fast pictures came lately."""
        return self._timings

    def set_device(self, device: str) -> None:
        """Move the open model; edits stay."""
        self._complaint = ""
        self._mailbox.put("device", partial(self._move, device))

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop answering; waits for a decode under way, but no longer than `timeout_s`."""
        if self._closed:
            return
        self._closed = True
        self._session.picture_wanted.disconnect(self._on_wanted)
        self._session.encoding_wanted.disconnect(self._on_encoding_wanted)
        self._session.view_changed.disconnect(self._on_view)
        self._mailbox.close()
        self._worker.join(timeout_s)

    # -- the worker thread ------------------------------------------------------------------------
    def _work(self) -> None:
        while (task := self._mailbox.take()) is not None:
            try:
                self._run(task)
            except KpError as error:
                self._post(self._complain, _sentence(error), "")
            except Exception as error:
                logger.exception("the worker failed")
                text = f"That did not work: {type(error).__name__}: {error}"
                self._post(self._complain, text, traceback.format_exc())

    def _run(self, task: Task) -> None:
        """Run a task; once more on the CPU when the device is out of memory."""
        try:
            task()
        except MemoryError as error:
            raise _out_of_memory("this computer") from error
        except RuntimeError as error:
            if "out of memory" not in str(error) and "not enough memory" not in str(error):
                raise
            left = self._host.fall_back_to_cpu()
            if left is None:
                raise _out_of_memory("this computer") from error
            text = f"{left} is out of memory, so the model now runs on the CPU"
            self._post(self._session.notify, text, "warning", str(error))
            task()

    def _post(self, function: Callable[..., object], *arguments: object) -> None:
        def run() -> None:
            if not self._closed:
                function(*arguments)

        if not self._closed:
            self._post_to_ui(run)

    def _import_torch(self) -> None:
        self._post(self._set_devices, self._host.import_torch())

    def _open(
        self,
        model_path: str | None,
        source: str | Media | None,
        device: str,
        frames: tuple[int, ...] = (),
        then: Task | None = None,
    ) -> None:
        what = "model" if model_path else "pictures"
        self._post(self.busy_changed.emit, f"Loading {what}…")
        try:
            if model_path is not None:
                self._import_torch()
            model, media = self._host.open(model_path, source, device)
            note = self._host.opening_note()
            self._post(self._opened, model, media, self._host.device, note)
            if model is not None and media is not None:
                for frame in frames:
                    self._encode((model.key, media.key, frame))
            if then is not None:
                self._post(then)
        finally:
            self._post(self.busy_changed.emit, "")

    def _move(self, device: str) -> None:
        self._post(self.busy_changed.emit, f"Moving the model to {device}…")
        try:
            self._host.move_to(device)
        finally:
            self._post(self.busy_changed.emit, "")
        self._post(self._moved, self._host.device)

    def _encode(self, key: _Key, known: Wanted | None = None) -> None:
        if not self._host.is_open(key[0], key[1]):
            return
        frame = self._host.encode(key[2], known.encoding if known else None)
        self._post(self._on_frame, key, frame, known is None)

    def _show_input(self, media: int, frame: int) -> None:
        picture = self._host.unframed(media, frame)
        if picture is not None:
            self._post(self._show, "input", (0, media, frame), Picture(picture, 0, frame))

    def _decode(self, wanted: Wanted, reconstruction: Bytes | None) -> None:
        if self._host.is_open(wanted.model, wanted.media):
            exact = self._host.decode(wanted, reconstruction)
            self._post(self._on_exact, wanted, exact, self._host.device)

    # -- answers, on the UI thread ----------------------------------------------------------------
    def _set_devices(self, devices: list[str]) -> None:
        self._devices = devices

    def _complain(self, text: str, details: str) -> None:
        """Tell the user once, however often a drag repeats the fault."""
        if text != self._complaint:
            self._complaint = text
            self._session.notify(text, "error", details)

    def _opened(
        self, model: ModelInfo | None, media: MediaInfo | None, device: str, note: str
    ) -> None:
        self._frames.clear()
        self._compositor = self._newest = None
        self._report(device=device, cache_mb=0.0)
        if model is not None:
            self._session.open_model(model)
        if media is not None:
            self._session.open_media(media)
        document = self._session.document
        if document.model is None and document.media is not None:
            self._mailbox.put("input", partial(self._show_input, document.media.key, 0))
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

    def _moved(self, device: str) -> None:
        self._complaint = ""
        self._report(device=device)
        wanted = self._session.want()
        if wanted is not None:
            self._ask(wanted)

    def _on_view(self, view: ViewState) -> None:
        document = self._session.document
        if document.model is None and document.media is not None:
            shown = self._session.picture("input")
            if shown is None or shown.frame != view.frame:
                task = partial(self._show_input, document.media.key, view.frame)
                self._mailbox.put("input", task)

    def _on_encoding_wanted(self, frame: int) -> None:
        document = self._session.document
        if document.model is not None and document.media is not None:
            key = (document.model.key, document.media.key, frame)
            self._mailbox.put("encode", partial(self._encode, key))

    def _on_frame(self, key: _Key, frame: Frame, fresh: bool) -> None:
        self._frames[key] = frame
        self._forget_old_frames()
        if fresh:
            if not self._session.receive_encoding(*key, frame.encoding):
                self._frames.pop(key, None)
                return
        else:
            wanted = self._session.want()
            if wanted is not None:
                self._on_wanted(wanted)
        if key[2] == self._session.view.frame:
            self._prefetch(key)

    def _prefetch(self, key: _Key) -> None:
        document = self._session.document
        following = key[2] + 1
        count = document.media.count if document.media else 0
        if following < count and following not in document.encoded:
            task = partial(self._encode, (key[0], key[1], following))
            self._mailbox.put("prefetch", task)

    def _on_wanted(self, wanted: Wanted) -> None:
        self._newest = wanted
        key = (wanted.model, wanted.media, wanted.frame)
        frame = self._frames.get(key)
        if frame is None:
            self._mailbox.put("encode", partial(self._encode, key, wanted))
            return
        self._frames.move_to_end(key)
        if self._compositor is None or self._compositor[0] != key:
            self._compositor = key, frame.reconstruction.compositor, 0
            self._show("input", key, Picture(frame.input, 0, key[2]))
            self._show("reconstruction", key, self._picture(frame.reconstruction, 0, key[2]))
        if wanted.latents is wanted.encoding.latents:
            self._mailbox.discard("decode")
            self._show_unedited(key, frame, wanted)
            return
        self._preview(wanted)
        self._ask(wanted)

    def _ask(self, wanted: Wanted) -> None:
        frame = self._frames.get((wanted.model, wanted.media, wanted.frame))
        reconstruction = frame.reconstruction.pixels if frame else None
        self._mailbox.put("decode", partial(self._decode, wanted, reconstruction))

    def _show_unedited(self, key: _Key, frame: Frame, wanted: Wanted) -> None:
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
        if frame is not None:
            changed = difference(pixels, frame.reconstruction.pixels)
            self._show(
                "difference",
                key,
                Picture(changed, wanted.revision, wanted.frame, "preview", took, base),
            )
        self._report(tier="preview", preview_ms=took)

    def _on_exact(self, wanted: Wanted, exact: Exact, device: str) -> None:
        self._complaint = ""
        key = (wanted.model, wanted.media, wanted.frame)
        old, newest = self._compositor, self._newest
        if wanted.frame == self._session.view.frame:
            self._compositor = key, exact.compositor, wanted.revision
        shown = self._show("edited", key, self._picture(exact, wanted.revision, wanted.frame))
        if shown and exact.difference is not None:
            self._show("difference", key, Picture(exact.difference, wanted.revision, wanted.frame))
        tier: Tier = "exact" if shown else self._timings.tier
        self._report(tier=tier, decode_ms=exact.milliseconds, device=device)
        if newest is None or newest.revision <= wanted.revision:
            return
        if not _same_layers(old, exact.compositor):
            self._preview(newest)

    def _show(self, role: Role, key: _Key, picture: Picture) -> bool:
        shown = self._session.receive_picture(role, key[0], key[1], picture)
        if shown and role == "edited":
            self._shown_at.append(time.monotonic())
        return shown

    @staticmethod
    def _picture(exact: Exact, revision: int, frame: int) -> Picture:
        return Picture(
            exact.pixels, revision, frame, "exact", exact.milliseconds, revision, exact.extras
        )

    def _forget_old_frames(self) -> None:
        held = sum(_frame_bytes(frame) for frame in self._frames.values())
        while held > _CACHE_BYTES and len(self._frames) > 2:
            held -= _frame_bytes(self._frames.popitem(last=False)[1])
        self._report(cache_mb=held / 1e6)

    def _report(
        self,
        tier: Tier | None = None,
        decode_ms: float | None = None,
        preview_ms: float | None = None,
        device: str | None = None,
        cache_mb: float | None = None,
    ) -> None:
        now, old = time.monotonic(), self._timings
        while self._shown_at and now - self._shown_at[0] > 1.0:
            self._shown_at.popleft()
        self._timings = Timings(
            tier or old.tier,
            old.decode_ms if decode_ms is None else decode_ms,
            old.preview_ms if preview_ms is None else preview_ms,
            float(len(self._shown_at)),
            device or old.device,
            old.cache_mb if cache_mb is None else cache_mb,
        )
        self.timings_changed.emit(self._timings)


def _same_layers(old: tuple[_Key, Compositor | None, int] | None, new: Compositor | None) -> bool:
    """Return whether a preview over the new layers would look as over the old ones."""
    return old is not None and old[1] is not None and new is not None and new.shares_layers(old[1])


def _frame_bytes(frame: Frame) -> int:
    exact = frame.reconstruction
    extras = sum(array.nbytes for array in exact.extras.values())
    layers = exact.compositor.nbytes if exact.compositor else 0
    return frame.input.nbytes + exact.pixels.nbytes + extras + layers


def _sentence(error: KpError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _out_of_memory(where: str) -> KpError:
    from kpcore.errors import DeviceError

    return DeviceError(f"{where} is out of memory; close other programs or open a smaller model")
