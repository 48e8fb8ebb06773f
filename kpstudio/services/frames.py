"""Frames that were encoded lately, with their pictures, within a budget of memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from kpstudio.services.decoded import Bytes, Frame

Key: TypeAlias = tuple[int, int, int]
"""Model, media, frame."""

LIMIT_BYTES = 128_000_000
PICTURE_BYTES = 192_000_000
"""Room for reconstructions alone, which playing needs of more frames than anything else."""


class Frames:
    """The frames used last; at least two are kept however large they are.

    Of more frames, the reconstruction is kept alone.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES, picture_bytes: int = PICTURE_BYTES) -> None:
        self._limit = limit_bytes
        self._held: OrderedDict[Key, Frame] = OrderedDict()
        self._picture_limit = picture_bytes
        self._pictures: OrderedDict[Key, Bytes] = OrderedDict()
        self._picture_bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(frame.nbytes for frame in self._held.values()) + self._picture_bytes

    def get(self, key: Key) -> Frame | None:
        """Return a frame and count it as used, or None when it is not here."""
        frame = self._held.get(key)
        if frame is not None:
            self._held.move_to_end(key)
        return frame

    def put(self, key: Key, frame: Frame) -> None:
        """Keep a frame; those used longest ago go."""
        self._held[key] = frame
        self.put_picture(key, frame.reconstruction.pixels)
        held = sum(frame.nbytes for frame in self._held.values())
        while held > self._limit and len(self._held) > 2:
            held -= self._held.popitem(last=False)[1].nbytes

    def picture(self, key: Key) -> Bytes | None:
        """Return the reconstruction of a frame, or None when it is not here."""
        return self._pictures.get(key)

    def put_picture(self, key: Key, pixels: Bytes) -> None:
        """Keep the reconstruction of a frame; those made longest ago go."""
        old = self._pictures.pop(key, None)
        self._picture_bytes += pixels.nbytes - (0 if old is None else old.nbytes)
        self._pictures[key] = pixels
        while self._picture_bytes > self._picture_limit and len(self._pictures) > 1:
            self._picture_bytes -= self._pictures.popitem(last=False)[1].nbytes

    def has_room_for(self, picture_bytes: int) -> bool:
        """Return whether reconstructions of so many bytes can be kept together."""
        return picture_bytes <= self._picture_limit

    def drop(self, key: Key) -> None:
        """Forget a frame."""
        self._held.pop(key, None)
        old = self._pictures.pop(key, None)
        self._picture_bytes -= 0 if old is None else old.nbytes

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
        self._pictures.clear()
        self._picture_bytes = 0
