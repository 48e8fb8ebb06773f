"""An image, a folder or a video as the studio looks at it: frame by frame, in its own size.

Free of torch, so that media open before any model does. Nothing is decoded until it is asked for.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from copy import copy
from itertools import accumulate
from pathlib import Path
from typing import Literal, Protocol

from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data.clips import Clip, ClipReaders, find_clips
from kpcore.data.image_file import read_image
from kpcore.data.resample import resize
from kpcore.data.video import CACHE_BYTES, Video
from kpcore.errors import InputError

Kind = Literal["image", "folder", "video"]

_OPEN_VIDEOS = 8


class Media(Protocol):
    """Frames to look at; safe to share between threads.

    Attributes:
        path: What was opened.
        kind: What it is.
    """

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """File or folder name."""
        ...

    @property
    def count(self) -> int:
        """Number of frames."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames per second of a video; None for still images."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first frame; frames of a folder may differ."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was converted to show the first frame, one short sentence each."""
        ...

    def frame(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a frame as RGB; read-only.

        Raises:
            InputError: There is no such frame.
            DataError: It cannot be read.
        """
        ...

    def frame_name(self, index: int) -> str:
        """Return the file that a frame comes from, below what was opened."""
        ...

    def thumbnail(self, index: int, px: int) -> UInt8[ndarray, "h w 3"]:
        """Return a frame reduced to fit a square of `px` pixels, in its own shape.

        Raises:
            InputError: There is no such frame.
            DataError: It cannot be read.
        """
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found to be odd while frames were read, one sentence each."""
        ...

    @property
    def times(self) -> tuple[float, ...]:
        """Seconds of each frame from the first; empty for anything but one video."""
        ...

    def again(self, cache_bytes: int | None = None) -> Media:
        """Return the same media with decoders of its own, so that two threads need not wait.

        Each is closed by itself.

        Args:
            cache_bytes: Room for decoded frames; None for as much as here.
        """
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class ClipMedia:
    """The frames of one or many clips, one after the other; a `Media`."""

    def __init__(self, path: str | Path, cache_bytes: int = CACHE_BYTES) -> None:
        """Find the clips and read the first frame.

        Args:
            path: An image, a video or a folder of them.
            cache_bytes: Room for decoded frames of each open video.

        Raises:
            DataError: Nothing there can be read.
        """
        self.path = Path(path)
        self._clips = find_clips(self.path)
        self._lock = threading.RLock()
        self._cache_bytes = cache_bytes
        self._readers = ClipReaders(self._clips, _OPEN_VIDEOS, cache_bytes)
        self.kind: Kind = "folder"
        if self.path.is_file():
            self.kind = "image" if self._clips[0].kind == "stills" else "video"
        self._fps: float | None = None
        self._notes: tuple[str, ...] = ()
        self._warnings: dict[str, str] = {}
        try:
            self._ends = list(accumulate(self._count(i) for i in range(len(self._clips))))
            first = self._clips[0]
            if first.kind == "stills":
                still = read_image(first.paths[0])
                self._size = (still.picture.shape[0], still.picture.shape[1])
                self._notes = still.notes
            else:
                self._size = self._readers[0].video.size
            if all(clip.kind == "video" for clip in self._clips):
                self._fps = self._readers[0].video.fps
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """File or folder name."""
        return self.path.resolve().name

    @property
    def count(self) -> int:
        """Number of frames."""
        return self._ends[-1]

    @property
    def fps(self) -> float | None:
        """Frames per second of a video; None for still images."""
        return self._fps

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first frame."""
        return self._size

    @property
    def notes(self) -> tuple[str, ...]:
        """What was converted to show the first frame."""
        return self._notes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found to be odd while frames were read, one sentence each."""
        return tuple(self._warnings.values())

    @property
    def times(self) -> tuple[float, ...]:
        """Seconds of each frame from the first; empty for anything but one video."""
        with self._lock:
            return self._readers[0].video.timestamps if self.kind == "video" else ()

    def again(self, cache_bytes: int | None = None) -> ClipMedia:
        """Return the same media with decoders of its own; nothing is searched again.

        Args:
            cache_bytes: Room for decoded frames of each open video; None for as much as here.
        """
        twin = copy(self)
        twin._lock = threading.RLock()
        twin._warnings = {}
        room = self._cache_bytes if cache_bytes is None else cache_bytes
        twin._cache_bytes = room
        twin._readers = ClipReaders(self._clips, _OPEN_VIDEOS, room)
        return twin

    def frame(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a frame as RGB; read-only."""
        number, row = self._place(index)
        clip = self._clips[number]
        if clip.kind == "stills":
            picture = read_image(clip.paths[row]).picture
            picture.flags.writeable = False
            return picture
        with self._lock:
            reader = self._readers[number]
            picture = reader.frame(row)
            if reader.video.resized is not None:
                self._warn_of_size(clip, reader.video)
            return picture

    def _warn_of_size(self, clip: Clip, video: Video) -> None:
        """Say once for each clip that its frames change size."""
        if video.resized is None:
            return
        _, (height, width) = video.resized
        high, wide = video.size
        self._warnings.setdefault(
            clip.name,
            f"the frames of '{clip.paths[0].name}' change size, from {wide} x {high} to "
            f"{width} x {height}; they are scaled to the size of the first",
        )

    def frame_name(self, index: int) -> str:
        """Return the file that a frame comes from, below what was opened."""
        number, row = self._place(index)
        clip: Clip = self._clips[number]
        file = clip.paths[row if clip.kind == "stills" else 0]
        return file.name if self.path.is_file() else file.relative_to(self.path).as_posix()

    def thumbnail(self, index: int, px: int) -> UInt8[ndarray, "h w 3"]:
        """Return a frame reduced to fit a square of `px` pixels, in its own shape."""
        number, row = self._place(index)
        clip = self._clips[number]
        if clip.kind == "stills":
            return read_image(clip.paths[row], largest_side=px).picture
        picture = self.frame(index)
        height, width = picture.shape[:2]
        scale = min(1.0, px / max(height, width))
        return resize(picture, (max(1, round(height * scale)), max(1, round(width * scale))))

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._readers.close()

    def _place(self, index: int) -> tuple[int, int]:
        """Clip and row of a frame."""
        if not 0 <= index < self.count:
            raise InputError(
                f"'{self.name}' has frames 0 to {self.count - 1}; there is no frame {index}"
            )
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)

    def _count(self, number: int) -> int:
        clip = self._clips[number]
        return len(clip.paths) if clip.kind == "stills" else len(self._readers[number])


def open_media(path: str | Path) -> Media:
    """Return the image, video or folder of them at `path`.

    Raises:
        DataError: There is nothing there, or nothing that can be read.
    """
    return ClipMedia(path)
