"""Reads frames before they are needed, on a thread of its own, and keeps them within a budget."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from kpcore.errors import KpError
from kpstudio.services.picture_reader import Bytes, PictureReader
from kpstudio.services.worker import Post

logger = logging.getLogger(__name__)

LIMIT_BYTES = 256_000_000


class ReadAhead:
    """Holds frames of one clip; asked on the UI thread, filled by its own.

    Only the newest list of wanted frames counts: what is no longer wanted is not read any more.
    """

    def __init__(
        self,
        post: Post,
        on_read: Callable[[int, int, Bytes], None],
        on_fault: Callable[[int, str], None],
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        """Nothing is started before there is something to read.

        Args:
            post: Runs a function on the UI thread.
            on_read: Told, on the UI thread, the clip's key, a frame and its picture.
            on_fault: Told, on the UI thread, a frame that cannot be read, and why.
            limit_bytes: Of pictures that are kept.
        """
        self._post = post
        self._on_read, self._on_fault = on_read, on_fault
        self._limit = limit_bytes
        self._condition = threading.Condition()
        self._reader: PictureReader | None = None
        self._done_with: list[PictureReader] = []
        self._key = 0
        self._held: OrderedDict[int, Bytes] = OrderedDict()
        self._bytes = 0
        self._broken: set[int] = set()
        self._wanted: tuple[int, ...] = ()
        self._closed = False
        self._thread: threading.Thread | None = None

    # -- asked by anyone -------------------------------------------------------------------------
    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def open(self, key: int, reader: PictureReader | None) -> None:
        """Read another clip, under another key; what was held is forgotten."""
        with self._condition:
            if self._reader is not None:
                self._done_with.append(self._reader)
            self._reader, self._key = reader, key
            self._held.clear()
            self._broken.clear()
            self._bytes, self._wanted = 0, ()
            self._condition.notify_all()
            if self._thread is None and reader is not None:
                self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)
                self._thread.start()

    def set_limit(self, limit_bytes: int) -> None:
        """Keep so many bytes of pictures."""
        with self._condition:
            self._limit = limit_bytes
            self._make_room()

    def want(self, frames: Sequence[int]) -> None:
        """Read these frames, the first one first; earlier wishes are forgotten."""
        with self._condition:
            self._wanted = tuple(frames)
            self._condition.notify_all()

    def offer(self, frame: int, picture: Bytes) -> None:
        """Keep a frame that somebody else has read, if there is room without losing another."""
        with self._condition:
            if frame not in self._held and self._bytes + picture.nbytes <= self._limit:
                self._held[frame] = picture
                self._held.move_to_end(frame, last=False)
                self._bytes += picture.nbytes

    def get(self, frame: int) -> Bytes | None:
        """Return a frame that is held."""
        with self._condition:
            picture = self._held.get(frame)
            if picture is not None:
                self._held.move_to_end(frame)
            return picture

    def wait(self, frame: int, timeout_s: float) -> Bytes | None:
        """Return a frame as soon as it is read; None when it is not wanted, broken or late.

        For other threads than the UI's.
        """

        def is_over() -> bool:
            waits = frame in self._wanted and frame not in self._broken
            return frame in self._held or self._closed or not waits

        with self._condition:
            self._condition.wait_for(is_over, timeout_s)
            return self._held.get(frame)

    def is_ready(self, frame: int) -> bool:
        """Return whether nothing more can be done for a frame: it is held, or cannot be read."""
        return frame in self._held or frame in self._broken

    def close(self, timeout_s: float) -> None:
        """Stop; waits for the frame under way, but no longer than `timeout_s`."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    # -- the thread ------------------------------------------------------------------------------
    def _next(self) -> int | None:
        if self._reader is None:
            return None
        room = self._limit - (self._bytes // max(1, len(self._held)) if self._held else 0)
        ahead = 0
        for frame in self._wanted:
            if frame in self._broken:
                continue
            held = self._held.get(frame)
            if held is None:
                return frame
            ahead += held.nbytes
            if ahead >= room:
                return None
        return None

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._closed and not self._done_with and self._next() is None:
                    self._condition.wait()
                left, self._done_with = self._done_with, []
                reader, key, frame = self._reader, self._key, self._next()
                closed = self._closed
            for old in left:
                old.close()
            if closed:
                if reader is not None:
                    reader.close()
                return
            if reader is not None and frame is not None:
                self._read(reader, key, frame)

    def _read(self, reader: PictureReader, key: int, frame: int) -> None:
        try:
            picture = reader.read(frame)
        except (KpError, OSError, ValueError, MemoryError) as error:
            logger.info("frame %d cannot be read: %s", frame + 1, error)
            text = str(error)
            with self._condition:
                if key != self._key:
                    return
                self._broken.add(frame)
                self._condition.notify_all()
            self._post(lambda: None if key != self._key else self._on_fault(frame, text))
            return
        with self._condition:
            if key != self._key:
                return
            self._held[frame] = picture
            self._bytes += picture.nbytes
            self._make_room()
            self._condition.notify_all()
        self._post(lambda: None if key != self._key else self._on_read(key, frame, picture))

    def _make_room(self) -> None:
        while self._bytes > self._limit and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
