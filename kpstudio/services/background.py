"""Encodes every frame of a video while nothing more urgent is to be done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from psygnal import Signal

from kpcore.errors import KpError
from kpcore.threads import one_core_spared
from kpstudio.services.decoded import Bytes
from kpstudio.services.linking import Linker
from kpstudio.services.model_host import ModelHost
from kpstudio.services.picture_reader import PictureReader
from kpstudio.services.worker import Worker
from kpstudio.session.session import Session
from kpstudio.session.tracks import Link

if TYPE_CHECKING:
    from kpcore.api import Encoding

logger = logging.getLogger(__name__)

KIND = "background"
SLICE_S = 0.03
"""How long one piece of work should last: what is urgent waits no longer."""
MOST = 32
READ_BYTES = 32_000_000
"""Room of its own decoder; frames are read in order."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes:
        done: Frames encoded, by whomever.
        total: Frames of the clip; 0 while there is none to be encoded.
        paused: The user has it wait.
        refused: Frames that could not be encoded.
    """

    done: int = 0
    total: int = 0
    paused: bool = False
    refused: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.done + self.refused >= self.total


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What one piece of work gave.

    Attributes:
        read: The frames as the model sees them.
        encodings: By frame.
        links: By the earlier frame of each pair.
        pictures: Reconstruction of each frame.
        refused: Frames that cannot be read or encoded.
        seconds: What it took.
    """

    read: dict[int, Bytes]
    encodings: dict[int, Encoding]
    links: dict[int, Link]
    pictures: dict[int, Bytes]
    refused: tuple[int, ...]
    seconds: float


class Background:
    """Feeds the worker small pieces of the open clip, from the shown frame on, round its end.

    Everything public is called on the UI thread. A piece is asked for only when the one before is
    done and no gesture is under way, and the worker takes it up only when nothing else waits.
    """

    changed = Signal(Progress)

    def __init__(
        self,
        session: Session,
        host: ModelHost,
        worker: Worker,
        take: Callable[[tuple[int, int], Piece], None],
    ) -> None:
        """Wait for a clip.

        Args:
            session: Says which frame is shown.
            host: Encodes; used in the worker's thread.
            worker: Runs the pieces.
            take: Given, on the UI thread, the keys of model and media, and what a piece gave.
        """
        self._session, self._host, self._worker, self._take = session, host, worker, take
        self._key: tuple[int, int] | None = None
        self._reader: PictureReader | None = None
        self._linker: Linker | None = None
        self._refused: set[int] = set()
        self._total = 0
        self._paused = False
        self._asked = False
        self._with_pictures = True
        self._size = 1
        session.document_changed.connect(self._on_document)

    # -- asked by others -------------------------------------------------------------------------
    @property
    def progress(self) -> Progress:
        """How far it is."""
        done = len(self._session.document.encoded) if self._total else 0
        return Progress(done, self._total, self._paused, len(self._refused))

    @property
    def is_busy(self) -> bool:
        """Whether frames will come without being asked for one by one."""
        return bool(self._total) and not self._paused and not self.progress.is_over

    def open(
        self,
        key: tuple[int, int],
        total: int,
        reader: PictureReader,
        linker: Linker,
        with_pictures: bool,
    ) -> None:
        """Begin with a clip.

        Args:
            key: Keys of model and media.
            total: Frames to encode.
            reader: Of its own.
            linker: Of the clip.
            with_pictures: Whether reconstructions are to be made as well.
        """
        self.stop()
        self._key, self._total = key, total
        self._reader, self._linker = reader, linker
        self._with_pictures = with_pictures
        self._size = 1
        self.changed.emit(self.progress)
        self._ask()

    def stop(self) -> None:
        """Have nothing to do."""
        if self._reader is not None:
            self._worker.put("tidy", self._reader.close)
        self._key = self._reader = self._linker = None
        self._total = 0
        self._refused.clear()
        self._asked = False
        self._worker.discard(KIND)
        self.changed.emit(self.progress)

    def pause(self, paused: bool) -> None:
        """Wait, or go on."""
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._worker.discard(KIND)
                self._asked = False
            self.changed.emit(self.progress)
            self._ask()

    def close(self) -> None:
        """Ask for nothing any more."""
        self._session.document_changed.disconnect(self._on_document)
        self._paused = True

    # -- on the UI thread ------------------------------------------------------------------------
    def _on_document(self, document: object) -> None:
        if not self._asked and self._total:
            self._ask()

    def _ask(self) -> None:
        if self._asked or self._paused or self._key is None or self._session.in_gesture:
            return
        frames = tuple(islice(self._left(), self._size))
        if frames:
            self._asked = True
            self._worker.put(KIND, partial(self._work, self._key, frames))

    def _left(self) -> Iterator[int]:
        """Frames still to do, from the shown one on; while playing, from a little ahead of it."""
        encoded, view = self._session.document.encoded, self._session.view
        head = view.frame + (2 * self._size if view.playing else 0)
        head = head if head < self._total else 0
        for frame in chain(range(head, self._total), range(head)):
            if frame not in encoded and frame not in self._refused:
                yield frame

    def _done(self, key: tuple[int, int], piece: Piece) -> None:
        if key != self._key:
            return
        self._asked = False
        self._refused.update(piece.refused)
        count = len(piece.encodings) + len(piece.refused)
        if count:
            fitting = max(1, int(count * SLICE_S / max(piece.seconds, 1e-4)))
            self._size = min(MOST, fitting, 2 * self._size)
        self._take(key, piece)
        self.changed.emit(self.progress)
        self._ask()

    # -- in the worker thread --------------------------------------------------------------------
    def _work(self, key: tuple[int, int], frames: tuple[int, ...]) -> None:
        reader, linker = self._reader, self._linker
        if reader is None or linker is None or not self._host.is_open(*key):
            return
        began = time.perf_counter()
        pictures: dict[int, Bytes] = {}
        refused: list[int] = []
        for frame in frames:
            if self._worker.is_closed:
                return
            try:
                pictures[frame] = reader.read(frame)
            except (KpError, OSError, ValueError) as error:
                logger.info("frame %d is not encoded: %s", frame + 1, error)
                refused.append(frame)
        with one_core_spared():
            encodings, made = self._encode(pictures, refused)
        links: dict[int, Link] = {}
        for frame, encoding in encodings.items():
            links.update(linker.add(frame, encoding.latents))
        took = time.perf_counter() - began
        piece = Piece(pictures, encodings, links, made, tuple(refused), took)
        self._worker.post(self._done, key, piece)

    def _encode(
        self, pictures: dict[int, Bytes], refused: list[int]
    ) -> tuple[dict[int, Encoding], dict[int, Bytes]]:
        """Return encodings and reconstructions; what gives no numbers joins the refused."""
        import torch

        if not pictures:
            return {}, {}
        try:
            every = self._host.encode_all(list(pictures.values()))
            encodings = dict(zip(pictures, every, strict=True))
            for frame in list(encodings):
                if not torch.isfinite(encodings[frame].latents.position).all():
                    refused.append(frame)
                    del encodings[frame]
            made: dict[int, Bytes] = {}
            if self._with_pictures and encodings:
                pixels = self._host.reconstruct_all(list(encodings.values()))
                made = dict(zip(encodings, pixels, strict=True))
            return encodings, made
        except (KpError, RuntimeError, MemoryError) as error:
            logger.info("frames are not encoded: %s", error)
            if len(pictures) > 1:
                self._size = 1
                return {}, {}
            refused.extend(frame for frame in pictures if frame not in refused)
            return {}, {}
