"""Open video files and find their frames: how many, when each is shown, where decoding can start.

The container is read through once without decoding. Files whose packets do not tell (or tell
untruly) are decoded once instead.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError, InvalidDataError

from kpcore.errors import DataError

logger = logging.getLogger(__name__)

_NOT_VIDEO = ("image2", "tty", "_pipe", "concat", "hls", "dash", "lavfi", "bin", "txt")
_ONE_FRAME_PER_PACKET = frozenset(
    (
        *("h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4", "mjpeg"),
        *("png", "ffv1", "prores", "dnxhd", "rawvideo"),
    )
)
_CAN_SKIP = frozenset(("h264", "hevc"))
_EXACT_CONTAINERS = frozenset(("mov", "mp4", "matroska", "webm"))


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """The frames of a file in display order.

    Attributes:
        stamps: Time stamp of each, rising, in units of `base`.
        keys: Frames at which decoding can start.
        seekable: Whether decoded frames can be told by their time stamps; if not, they are counted
            from the beginning.
        base: Seconds per unit of the time stamps.
        rate: Frames per second as the file claims, 0 where it does not.
        declared: Frames shown as the file claims, 0 where it does not.
    """

    stamps: tuple[int, ...]
    keys: tuple[int, ...]
    seekable: bool
    base: float
    rate: float
    declared: int = 0

    def key_before(self, frame: int) -> int:
        """Return the last place before or at `frame` at which decoding can start."""
        return self.keys[max(0, bisect_right(self.keys, frame) - 1)]

    @property
    def fps(self) -> float:
        """Mean frames per second: the claimed rate where the time stamps bear it out."""
        span = (self.stamps[-1] - self.stamps[0]) * self.base
        measured = (len(self.stamps) - 1) / span if span > 0 else self.rate or 25.0
        return self.rate if abs(self.rate - measured) < 0.01 * measured else measured


def is_video(path: str | Path) -> bool:
    """Return whether the file is a container with a video stream that can be read."""
    try:
        open_video(Path(path))[0].close()
    except DataError:
        return False
    return True


def open_video(path: Path, decoder_threads: int = 1) -> tuple[Any, Any]:
    """Return the open container and its video stream.

    Raises:
        DataError: The file is not a video.
    """
    try:
        container = av.open(str(path.resolve()), metadata_errors="ignore")
    except (FFmpegError, OSError, ValueError) as error:
        raise _not_video(path, getattr(error, "strerror", None) or error) from error
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & stream.disposition.attached_pic
    ]
    if not streams or any(part in container.format.name for part in _NOT_VIDEO):
        container.close()
        raise _not_video(path, "it holds no video stream")
    stream = streams[0]
    if stream.codec_context is None:
        container.close()
        raise _not_video(path, "its codec is not known")
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = decoder_threads
    return container, stream


def claimed_frames(path: Path) -> int:
    """Return how many frames a file says that it has, 0 where it does not; reads its head only.

    Raises:
        DataError: The file is not a video.
    """
    container, stream = open_video(path)
    with container:
        return int(stream.frames)


def read_index(path: Path, decoder_threads: int = 1) -> VideoIndex:
    """Find all frames of a file; none is no error here.

    Raises:
        DataError: The file is not a video.
    """
    container, stream = open_video(path, decoder_threads)
    with container:
        if stream.codec_context.name in _ONE_FRAME_PER_PACKET and _is_exact(container):
            index = _from_packets(container, stream)
            if index is not None:
                return index
    container, stream = open_video(path, decoder_threads)
    with container:
        return _from_frames(container, stream)


def decoded_frames(
    container: Any, stream: Any, needed_from: Callable[[], float] | None = None
) -> Iterator[Any]:
    """Yield every frame that can be decoded whole from here on.

    Args:
        container: Open.
        stream: Its video stream.
        needed_from: The time stamp from which on frames are wanted now. Frames before it that no
            other frame refers to (most B-frames) are left out, which makes the way from a key
            frame to a wanted one two to four times as fast. None yields all.
    """
    may_skip = needed_from is not None and stream.codec_context.name in _CAN_SKIP
    for packet in _packets(container, stream):
        if may_skip and needed_from is not None:
            early = packet.pts is not None and packet.pts < needed_from()
            stream.codec_context.skip_frame = "NONREF" if early else "DEFAULT"
        try:
            frames = packet.decode()
        except InvalidDataError:
            continue
        except (FFmpegError, OSError) as error:
            logger.debug("decoding '%s' ends early: %s", container.name, error)
            return
        yield from (frame for frame in frames if not frame.is_corrupt)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream up to the end of the file or of what can be read of it."""
    while True:
        try:
            yield from container.demux(stream)
            return
        except IndexError:
            logger.debug("'%s' gains a stream on the way; it is passed over", container.name)
        except (FFmpegError, OSError) as error:
            logger.debug("'%s' ends early: %s", container.name, error)
            return


def _from_packets(container: Any, stream: Any) -> VideoIndex | None:
    """Index by the packets' time stamps; None when they are missing or ambiguous."""
    shown: list[tuple[int | None, bool]] = []
    hidden = 0
    for packet in _packets(container, stream):
        if packet.is_discard:
            hidden += 1
        elif packet.size:
            shown.append((packet.pts, packet.is_keyframe))
    stamps = sorted(stamp for stamp, _ in shown if stamp is not None)
    keys = sorted(
        bisect_left(stamps, stamp) for stamp, is_key in shown if is_key and stamp is not None
    )
    if not keys or len(set(stamps)) != len(shown):
        return None
    base, rate = float(stream.time_base or 0), float(stream.average_rate or 0)
    return VideoIndex(tuple(stamps), tuple(keys), True, base, rate, int(stream.frames) - hidden)


def _from_frames(container: Any, stream: Any) -> VideoIndex:
    """Index by decoding everything; even time stamps are made up where the file has none of use."""
    base, rate = float(stream.time_base or 0), float(stream.average_rate or 25)
    exact = _is_exact(container)
    seen = [(frame.pts, frame.key_frame) for frame in decoded_frames(container, stream)]
    stamps = [stamp for stamp, _ in seen]
    if any(s is None for s in stamps) or any(b <= a for a, b in pairwise(stamps)):
        return VideoIndex(tuple(range(len(seen))), (0,), False, 1 / rate, rate)
    keys = tuple(i for i, (_, is_key) in enumerate(seen) if is_key or i == 0)
    return VideoIndex(tuple(stamps), keys if exact else (0,), exact, base, rate)


def _is_exact(container: Any) -> bool:
    """Whether the container stores a time stamp with every packet and marks key frames truly."""
    return bool(_EXACT_CONTAINERS & set(container.format.name.split(",")))


def _not_video(path: Path, reason: object) -> DataError:
    return DataError(
        f"'{path.name}' is not a video that can be read ({reason}); open an MP4, MOV, MKV, WebM "
        f"or AVI file"
    )
