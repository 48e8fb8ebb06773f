"""Small pictures of media, read on a thread of their own and kept."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kpcore.errors import KpError
from kpstudio.services.engine import Post

if TYPE_CHECKING:
    from kpcore.data.media import Media

logger = logging.getLogger(__name__)

Pixels: TypeAlias = NDArray[np.uint8]
Done: TypeAlias = Callable[[str, int, Pixels], None]
_Key: TypeAlias = tuple[str, int, int]

_KEPT = 400
_OPEN = 4


class Thumbnails:
    """Asked on the UI thread; answers there too, at once for what is kept."""

    def __init__(self, post: Post) -> None:
        """Nothing is started before the first question.

        Args:
            post: Runs a function on the UI thread.
        """
        self._post = post
        self._kept: OrderedDict[_Key, Pixels] = OrderedDict()
        self._media: OrderedDict[str, Media] = OrderedDict()
        self._unreadable: set[_Key] = set()
        self._waiting: deque[tuple[_Key, Done]] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def ask(self, path: str, frame: int, px: int, done: Done) -> None:
        """Have `done(path, frame, pixels)` called with a frame that fits a square of `px`.

        It is not called for what cannot be read.
        """
        key = (path, frame, px)
        kept = self._kept.get(key)
        if kept is not None:
            done(path, frame, kept)
            return
        with self._condition:
            if self._closed or key in self._unreadable:
                return
            self._waiting.append((key, done))
            self._condition.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
                self._thread.start()

    def forget(self, done: Done) -> None:
        """Drop the questions of one asker that are not answered yet."""
        with self._condition:
            self._waiting = deque(item for item in self._waiting if item[1] != done)

    def close(self, timeout_s: float = 1.0) -> None:
        """Answer nothing any more."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    # -- the thread ------------------------------------------------------------------------------
    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._closed:
                    self._condition.wait()
                if self._closed:
                    break
                key, done = self._waiting.popleft()
            try:
                pixels = self._read(key)
            except (KpError, OSError, ValueError) as error:
                logger.info("no thumbnail of %s: %s", key[0], error)
                self._unreadable.add(key)
                continue
            self._post(lambda key=key, done=done, pixels=pixels: self._answer(key, done, pixels))
        for media in self._media.values():
            media.close()

    def _read(self, key: _Key) -> Pixels:
        from kpcore.data.media import open_media

        path, frame, px = key
        media = self._media.get(path)
        if media is None:
            media = self._media[path] = open_media(path)
            if len(self._media) > _OPEN:
                self._media.popitem(last=False)[1].close()
        self._media.move_to_end(path)
        return media.thumbnail(frame, px)

    def _answer(self, key: _Key, done: Done, pixels: Pixels) -> None:
        if self._closed:
            return
        self._kept[key] = pixels
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        done(key[0], key[1], pixels)
