"""Read any frame of a video file exactly, by its number in the order of display.

Frames are found by their time stamps (see `kpcore.data.video_index`). A request decodes from the
key frame before it until the wanted time stamp comes out, so B-frames, odd key frames and variable
frame rates cannot shift the count. Where time stamps cannot be relied on, frames are counted from
the beginning.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data.resample import resize
from kpcore.data.video_index import decoded_frames, open_video, read_index
from kpcore.errors import DataError, InputError

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".gif")
"""File names that are looked at in folders; the content decides what a file really is."""

CACHE_BYTES = 256_000_000

_RUN_UP = 24


class Video:
    """The frames of one file, as RGB; safe to share between threads.

    Attributes:
        path: The file.
        fps: Mean frames per second.
        size: (H, W) of every frame, upright.
        timestamps: Seconds from the first frame, one per frame.
        resized: The first frame that was found to have another size, and that size (H, W); such
            frames are scaled to `size`. None while none was found.
    """

    def __init__(
        self, path: str | Path, cache_bytes: int = CACHE_BYTES, decoder_threads: int = 0
    ) -> None:
        """Open a file and find its frames.

        Args:
            path: The file.
            cache_bytes: Room for frames that were decoded lately.
            decoder_threads: Threads inside the decoder; 0 lets it choose.

        Raises:
            DataError: Missing, not a video, without frames, damaged or cut short.
        """
        self.path = Path(path)
        self._threads = decoder_threads
        self._lock = threading.RLock()
        self._cache: OrderedDict[int, ndarray] = OrderedDict()
        self._cache_room = cache_bytes
        self._reformatter = VideoReformatter()
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._next = 0
        self._last_wanted = -1
        self._needed = 0
        self._shape: tuple[int, ...] | None = None
        self.resized: tuple[int, tuple[int, int]] | None = None
        if not self.path.is_file():
            raise DataError(f"there is no video file '{self.path}'; check the path")
        try:
            self._index = index = read_index(self.path, decoder_threads)
            if not index.stamps:
                raise DataError(
                    f"'{self.path.name}' holds no video frames; open another file or export the "
                    f"video again"
                )
            first = self._decode(0)
            if index.declared > len(self):
                raise DataError(
                    f"the video '{self.path.name}' is cut short: {len(self)} of {index.declared} "
                    f"frames can be read; copy it again, or keep that part with "
                    f"'ffmpeg -i {self.path.name} -c copy mended.mp4'"
                )
        except BaseException:
            self.close()
            raise
        self.timestamps = tuple((stamp - index.stamps[0]) * index.base for stamp in index.stamps)
        self.fps: float = index.fps
        self.size: tuple[int, int] = (first.shape[0], first.shape[1])

    def __len__(self) -> int:
        return len(self._index.stamps)

    def frame(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return frame `index` in display order; read-only, kept in the cache.

        Raises:
            InputError: There is no such frame.
            DataError: The frame is damaged, or the file is gone.
        """
        if not 0 <= index < len(self):
            raise InputError(
                f"'{self.path.name}' has frames 0 to {len(self) - 1}; there is no frame {index}"
            )
        with self._lock:
            kept = self._cache.get(index)
            if kept is None:
                kept = self._decode(index)
            else:
                self._cache.move_to_end(index)
            self._last_wanted = index
            return kept

    def frames(self, indices: Sequence[int]) -> Iterator[UInt8[ndarray, "H W 3"]]:
        """Yield the frames at `indices` in that order; rising indices are decoded in one sweep."""
        for index in indices:
            yield self.frame(index)

    def close(self) -> None:
        """Let go of the file; frames handed out stay valid, and asking for more opens it again."""
        with self._lock:
            if self._container is not None:
                self._container.close()
            self._container = None
            self._frames = iter(())
            self._cache.clear()

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- decoding -------------------------------------------------------------------------------
    def _decode(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Decode up to frame `index`, keep what may be asked for next, and return it."""
        key = self._index.key_before(index)
        going_back = index < self._last_wanted
        keep_from = max(0, index - _RUN_UP) if going_back else index
        self._needed = self._index.stamps[keep_from]
        if self._container is not None and key <= self._next <= index:
            found = self._run_to(index, keep_from)
            if found is not None:
                return found
        starts = self._index.keys[: bisect_right(self._index.keys, index)] or (0,)
        for start in starts[:-4:-1]:
            self._seek(start)
            found = self._run_to(index, keep_from)
            if found is not None:
                return found
        self._seek(0)
        found = self._run_to(index, keep_from)
        if found is None:
            raise DataError(
                f"frame {index} of '{self.path.name}' is damaged; copy the video again, or mend it "
                f"with 'ffmpeg -i {self.path.name} mended.mp4'"
            )
        return found

    def _seek(self, key: int) -> None:
        """Make the next decoded frame the one at `key`, or an earlier one."""
        if self._container is None or not self._index.seekable or key == 0:
            if self._container is not None:
                self._container.close()
            self._container, self._stream = open_video(self.path, self._threads)
        else:
            self._container.seek(self._index.stamps[key], stream=self._stream, backward=True)
        skips = self._index.seekable
        self._frames = decoded_frames(
            self._container, self._stream, (lambda: self._needed) if skips else None
        )
        self._next = 0 if not self._index.seekable else key

    def _run_to(self, index: int, keep_from: int) -> UInt8[ndarray, "H W 3"] | None:
        """Decode forward to `index`; None when it does not come."""
        stamps = self._index.stamps
        for frame in self._frames:
            if self._index.seekable:
                place = bisect_left(stamps, math.inf if frame.pts is None else frame.pts)
                if place >= len(stamps) or stamps[place] != frame.pts:
                    continue
            else:
                place = self._next
            self._next = place + 1
            if place > index:
                return None
            if place >= keep_from:
                picture = self._keep(place, frame)
                if place == index:
                    return picture
        self._next = len(stamps)
        return None

    def _keep(self, index: int, frame: Any) -> UInt8[ndarray, "H W 3"]:
        """Turn a decoded frame into RGB and put it into the cache."""
        picture = self._reformatter.reformat(frame, format="rgb24").to_ndarray()
        if frame.rotation % 360:
            picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
        if self._shape is None:
            self._shape = picture.shape
        elif picture.shape != self._shape:
            if self.resized is None:
                self.resized = index, (picture.shape[0], picture.shape[1])
            picture = resize(picture, (self._shape[0], self._shape[1]))
        picture.flags.writeable = False
        self._cache[index] = picture
        self._cache.move_to_end(index)
        room = max(1, self._cache_room // picture.nbytes)
        while len(self._cache) > room:
            self._cache.popitem(last=False)
        return picture
