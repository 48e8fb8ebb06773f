"""Frames that were encoded lately, with their pictures, within a budget of memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from kpstudio.services.model_host import Frame

Key: TypeAlias = tuple[int, int, int]
"""Model, media, frame."""

LIMIT_BYTES = 128_000_000


class Frames:
    """The frames used last; at least two are kept however large they are."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._held: OrderedDict[Key, Frame] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(frame.nbytes for frame in self._held.values())

    def get(self, key: Key) -> Frame | None:
        """Return a frame and count it as used, or None when it is not here."""
        frame = self._held.get(key)
        if frame is not None:
            self._held.move_to_end(key)
        return frame

    def put(self, key: Key, frame: Frame) -> None:
        """Keep a frame; those used longest ago go."""
        self._held[key] = frame
        held = self.nbytes
        while held > self._limit and len(self._held) > 2:
            held -= self._held.popitem(last=False)[1].nbytes

    def drop(self, key: Key) -> None:
        """Forget a frame."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
