"""What a model made of the frames of one clip; shared by all documents of a history.

Encodings are facts, not edits: they stand outside of the documents, which only refer to them, so
that a frame more costs an edit nothing. Particles are small and stay; what else a decoder needs
may be large, is kept within a budget, and is made again when it is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kpstudio.session.tracks import Tracks

if TYPE_CHECKING:
    from kpcore.api import Encoding
    from kpcore.latents import Latents

CONTEXT_BYTES = 128_000_000
"""Room for what decoders need beside the particles."""


class Encodings:
    """Frame -> encoding; a frame that is in it keeps its particles for good.

    Attributes:
        tracks: How particles continue from frame to frame.
    """

    def __init__(self, context_bytes: int = CONTEXT_BYTES) -> None:
        self.tracks = Tracks()
        self._room = context_bytes
        self._latents: dict[int, Latents] = {}
        self._whole: OrderedDict[int, Encoding] = OrderedDict()
        self._context_bytes = 0

    def __contains__(self, frame: object) -> bool:
        return frame in self._latents

    def __iter__(self) -> Iterator[int]:
        return iter(self._latents)

    def __len__(self) -> int:
        return len(self._latents)

    def __getitem__(self, frame: int) -> Encoding:
        """Return the encoding of a frame.

        Raises:
            KeyError: As `get` returns None.
        """
        found = self.get(frame)
        if found is None:
            raise KeyError(frame)
        return found

    @property
    def context_bytes(self) -> int:
        """Bytes held beside the particles."""
        return self._context_bytes

    def latents(self, frame: int) -> Latents | None:
        """Return the particles of a frame as they were encoded first, or None."""
        return self._latents.get(frame)

    def get(self, frame: int) -> Encoding | None:
        """Return the encoding of a frame; None when there is none, or only its particles are left.

        In both cases encoding it (again) helps.
        """
        found = self._whole.get(frame)
        if found is not None:
            self._whole.move_to_end(frame)
        return found

    def put(self, frame: int, encoding: Encoding) -> None:
        """Keep the encoding of a frame, in place of an older one.

        Where only the particles were left these stay what they were, bit for bit.
        """
        if frame in self._whole:
            self._latents[frame] = encoding.latents
        latents = self._latents.setdefault(frame, encoding.latents)
        if latents is not encoding.latents:
            encoding = replace(encoding, latents=latents)
        self._drop(frame)
        self._whole[frame] = encoding
        self._context_bytes += _context_bytes(encoding)
        self.tracks.begin(frame, latents.topology.identity)
        if self._context_bytes > self._room:
            self._make_room(frame)

    def _make_room(self, keep: int) -> None:
        """Forget the largest part of what was not used for longest."""
        for frame in list(self._whole):
            if self._context_bytes <= self._room:
                return
            if frame != keep and _context_bytes(self._whole[frame]):
                self._drop(frame)

    def _drop(self, frame: int) -> None:
        old = self._whole.pop(frame, None)
        if old is not None:
            self._context_bytes -= _context_bytes(old)


def _context_bytes(encoding: Encoding) -> int:
    return sum(value.nbytes for value in encoding.context.values())
