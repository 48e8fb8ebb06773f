"""Frames of the open media as the open model sees them, read with decoders of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kpcore.data.media import Media

Bytes: TypeAlias = NDArray[np.uint8]
Prepare: TypeAlias = Callable[[Bytes], Bytes]


class PictureReader:
    """Reads frames for one thread; nothing is opened before the first."""

    def __init__(self, media: Media, prepare: Prepare, cache_bytes: int) -> None:
        """Read media.

        Args:
            media: Opened again, so that nobody waits for another's seek.
            prepare: Brings a frame to the size at which it is used.
            cache_bytes: Room for decoded frames at their own size.
        """
        self._media = media.again(cache_bytes)
        self._is_own = self._media is not media
        self._prepare = prepare

    def read(self, frame: int) -> Bytes:
        """Return a frame.

        Raises:
            KpError: It cannot be read.
        """
        return self._prepare(self._media.frame(frame))

    def file_of(self, frame: int) -> str:
        """Return the file that a frame comes from."""
        return self._media.frame_name(frame)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found out while reading, one short sentence each."""
        return self._media.warnings

    def close(self) -> None:
        """Let go of the files."""
        if self._is_own:
            self._media.close()
