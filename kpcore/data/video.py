"""Read any frame of a video file exactly, by its number in the order of display.

Frames are found by their time stamps: the container is read through once without decoding, which
tells how many frames there are, when each is shown and where decoding can start. A request decodes
from the key frame before it until the wanted time stamp comes out, so B-frames, odd key frames and
variable frame rates cannot shift the count. Files whose packets do not tell (or tell untruly) are
decoded once on opening instead, and read forward by counting.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import EOFError as EndOfFile
from av.error import FFmpegError, InvalidDataError
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.errors import DataError, InputError

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".gif")
"""File names that are looked at in folders; the content decides what a file really is."""

CACHE_BYTES = 256_000_000

_NOT_VIDEO = ("image2", "tty", "_pipe", "concat", "hls", "dash", "lavfi", "bin", "txt")
_ONE_FRAME_PER_PACKET = frozenset(
    ("h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "png", "ffv1", "prores", "dnxhd", "rawvideo")
)
_EXACT_CONTAINERS = frozenset(("mov", "mp4", "matroska", "webm"))
_RUN_UP = 24


def is_video(path: str | Path) -> bool:
    """Return whether the file is a container with a video stream that can be read."""
    try:
        _open(Path(path))[0].close()
    except DataError:
        return False
    return True


def _open(path: Path, decoder_threads: int = 1) -> tuple[Any, Any]:
    """Open a container and return it with its video stream."""
    try:
        container = av.open(str(path.resolve()), metadata_errors="ignore")
    except (FFmpegError, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _not_video(path, reason) from error
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & stream.disposition.attached_pic
    ]
    if not streams or any(part in container.format.name for part in _NOT_VIDEO):
        container.close()
        raise _not_video(path, "it holds no video stream")
    stream = streams[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = decoder_threads
    return container, stream


def _not_video(path: Path, reason: object) -> DataError:
    return DataError(
        f"'{path.name}' is not a video that can be read ({reason}); open an MP4, MOV, MKV, WebM "
        f"or AVI file"
    )


@dataclass(frozen=True, slots=True)
class _Index:
    """Time stamps of all frames in display order, and which of them can be decoded first."""

    stamps: tuple[int, ...]
    keys: tuple[int, ...]
    seekable: bool


class Video:
    """The frames of one file, as RGB; safe to share between threads.

    Attributes:
        path: The file.
        fps: Mean frames per second.
        size: (H, W) of every frame, upright.
        timestamps: Seconds from the first frame, one per frame.
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
        if not self.path.is_file():
            raise DataError(f"there is no video file '{self.path}'; check the path")
        try:
            self._index, declared, rate, base = self._read_index()
            if not self._index.stamps:
                raise DataError(
                    f"'{self.path.name}' holds no video frames; open another file or export the "
                    f"video again"
                )
            first = self._decode(0)
        except BaseException:
            self.close()
            raise
        if declared > len(self):
            self.close()
            raise DataError(
                f"the video '{self.path.name}' is cut short: {len(self)} of {declared} frames can "
                f"be read; copy it again, or keep that part with "
                f"'ffmpeg -i {self.path.name} -c copy mended.mp4'"
            )
        stamps = self._index.stamps
        self.timestamps = tuple((stamp - stamps[0]) * base for stamp in stamps)
        span = self.timestamps[-1]
        self.fps: float = rate or ((len(self) - 1) / span if span > 0 else 25.0)
        self.size: tuple[int, int] = (first.shape[0], first.shape[1])

    def __len__(self) -> int:
        return len(self._index.stamps)

    def frame(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return frame `index` in display order; read-only, kept in the cache.

        Raises:
            InputError: There is no such frame.
            DataError: The frame is damaged, or the video was closed.
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
        """Let go of the file; frames that were handed out stay valid."""
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

    # -- index ----------------------------------------------------------------------------------
    def _read_index(self) -> tuple[_Index, int, float, float]:
        """Find all frames; also the frame count that the file claims, its rate and time base."""
        container, stream = _open(self.path, self._threads)
        with container:
            declared = int(stream.frames)
            rate = float(stream.average_rate or 0)
            base = float(stream.time_base or 0)
            trusted = stream.codec_context.name in _ONE_FRAME_PER_PACKET and bool(
                _EXACT_CONTAINERS & set(container.format.name.split(","))
            )
            every = list(self._packets(container, stream)) if trusted else []
        packets = [p for p in every if not p[2]]
        hidden = len(every) - len(packets)
        stamps = sorted(p[0] for p in packets if p[0] is not None)
        if packets and len(set(stamps)) == len(packets):
            keys = sorted(bisect_left(stamps, p[0]) for p in packets if p[1])
            if keys:
                return _Index(tuple(stamps), tuple(keys), True), declared - hidden, rate, base
        counted = self._count_frames()
        return _Index(counted, (0,), False), 0, rate, base

    @staticmethod
    def _packets(container: Any, stream: Any) -> Iterator[tuple[Any, bool, bool]]:
        """Yield (time stamp, is a key frame, is never shown) of every packet, without decoding."""
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield packet.pts, packet.is_keyframe, packet.is_discard
        except (FFmpegError, OSError):
            return

    def _count_frames(self) -> tuple[int, ...]:
        """Decode the whole file once; made-up even time stamps where it has none of use."""
        container, stream = _open(self.path, self._threads)
        stamps: list[Any] = []
        with container:
            base = float(stream.time_base or 0)
            rate = float(stream.average_rate or 25)
            for frame in self._decoded(container, stream):
                stamps.append(frame.pts)
        if any(s is None for s in stamps) or any(b <= a for a, b in pairwise(stamps)):
            step = max(1, round(1 / (rate * base))) if base else 1
            stamps = [i * step for i in range(len(stamps))]
        return tuple(stamps)

    @staticmethod
    def _decoded(container: Any, stream: Any) -> Iterator[Any]:
        """Yield every frame that can be decoded from here on; damaged packets give none."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except EndOfFile:
                return
            except InvalidDataError:
                continue
            except (FFmpegError, OSError):
                return
            yield from frames

    # -- decoding -------------------------------------------------------------------------------
    def _decode(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Decode up to frame `index`, keep what may be asked for next, and return it."""
        key = self._index.keys[max(0, bisect_right(self._index.keys, index) - 1)]
        going_back = index < self._last_wanted
        keep_from = index - _RUN_UP if going_back else index
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
            self._container, self._stream = _open(self.path, self._threads)
        else:
            self._container.seek(self._index.stamps[key], stream=self._stream, backward=True)
        self._frames = self._decoded(self._container, self._stream)
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
            if place >= keep_from and not frame.is_corrupt:
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
        picture.flags.writeable = False
        self._cache[index] = picture
        self._cache.move_to_end(index)
        room = max(1, self._cache_room // picture.nbytes)
        while len(self._cache) > room:
            self._cache.popitem(last=False)
        return picture
