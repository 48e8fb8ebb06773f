"""The open image, folder or video: any frame by number, at its own size or as the model sees it."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kpcore.data.clips import ClipReader, find_clips
from kpcore.data.resample import apply_framing, resize
from kpcore.errors import DataError
from kpcore.geometry.framing import Framing, FramingRule
from kpstudio.session.document import MediaInfo

PREVIEW_SIDE = 1024
"""Longest side of the picture shown while no model says at what size it works."""

_CACHE_BYTES = 128_000_000


class Media:
    """Frames of the clips that a path holds, numbered through; used by one thread."""

    def __init__(self, path: str | Path) -> None:
        """Open a path and read its first frame.

        Raises:
            DataError: Nothing there can be read.
        """
        self.path = Path(path)
        clips = find_clips(self.path)
        self._readers = [ClipReader(clip, cache_bytes=_CACHE_BYTES) for clip in clips]
        self._ends = list(accumulate(len(reader) for reader in self._readers))
        self.kind: Literal["image", "folder", "video"] = "folder"
        if not self.path.is_dir():
            self.kind = "video" if clips[0].kind == "video" else "image"
        height, width = self.frame(0).shape[:2]
        self.size = (width, height)

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def fps(self) -> float | None:
        """Frames per second of a video, else None."""
        return self._readers[0].video.fps if self.kind == "video" else None

    def info(self, key: int) -> MediaInfo:
        """Return what the studio shows of it."""
        return MediaInfo(
            key, str(self.path), self.path.name, self.kind, len(self), self.fps, self.size
        )

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Return frame `index` (H, W, 3) as it is in the file.

        Raises:
            DataError: There is no such frame, or it cannot be read.
        """
        if not 0 <= index < len(self):
            raise DataError(
                f"'{self.path.name}' has frames 1 to {len(self)}; there is no frame {index + 1}"
            )
        number = bisect_right(self._ends, index)
        return self._readers[number].frame(index - (self._ends[number - 1] if number else 0))

    def framed(self, index: int, rule: FramingRule, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return frame `index` as a model of `size` (H, W) sees it."""
        picture = self.frame(index)
        return apply_framing(framing_of(picture, rule, size), picture)

    def reduced(self, index: int) -> NDArray[np.uint8]:
        """Return frame `index` with its longest side at most `PREVIEW_SIDE`."""
        picture = self.frame(index)
        height, width = picture.shape[:2]
        scale = min(1.0, PREVIEW_SIDE / max(height, width))
        return resize(picture, (max(1, round(height * scale)), max(1, round(width * scale))))

    def close(self) -> None:
        """Let go of the files."""
        for reader in self._readers:
            reader.close()


def framing_of(picture: NDArray[np.uint8], rule: FramingRule, size: tuple[int, int]) -> Framing:
    """Return how a picture is brought to a model's size.

    A picture that has the model's size is taken whole, whatever the rule's box: it was framed
    before (probe pictures of a run, exported inputs).
    """
    source = (picture.shape[0], picture.shape[1])
    return (FramingRule() if source == size else rule).resolve(source, size)
