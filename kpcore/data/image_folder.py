"""A video, or a folder of images and videos, as pictures to learn from.

Frames are brought to the model's size once and kept: on disk in the user's cache where that can be
written (mapped into memory, so that the next start is immediate), else in memory up to a budget,
else they are decoded each time they are asked for.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from kpcore.api import STILL, Window
from kpcore.configuration import to_plain
from kpcore.data import frame_cache
from kpcore.data.clips import (
    Clip,
    ClipReader,
    ClipReaders,
    HeldOut,
    Part,
    Split,
    find_clips,
    split_parts,
)
from kpcore.data.resample import apply_framing
from kpcore.data.source import DataDescription, Report, reference_row, too_short
from kpcore.errors import DataError, InputError
from kpcore.geometry.framing import FramingRule
from kpcore.threads import cores_allowed

MEMORY_BYTES = 1_500_000_000
_OPEN_VIDEOS = 16
_STILLS_AT_ONCE = 128


class FrameSource:
    """Frames of clips at the model's size; an `ImageSource`.

    The pictures of one folder are a clip in their natural order, for windows of several frames;
    but no reference is drawn from them, for they may as well be unrelated photographs.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        *,
        split: Split = "train",
        held_out: HeldOut = 0.1,
        stride: int = 1,
        framing: FramingRule | None = None,
        window: Window = STILL,
        cache: Path | None = None,
        memory_bytes: int = MEMORY_BYTES,
        progress: Report | None = None,
    ) -> None:
        """Find the clips, split them and bring their frames to the model's size.

        Args:
            path: A video, an image, or a folder of them.
            size: (H, W) of the pictures wanted.
            split: Which side of the split.
            held_out: What is kept out of training.
            stride: Every how many frames of a video, or images of a folder, one is used.
            framing: How source pictures become the model's; None means the middle crop.
            window: Frames that are wanted together.
            cache: Folder to keep framed clips in; None keeps nothing on disk.
            memory_bytes: Most that is held in memory when nothing can be kept on disk.
            progress: Told of the frames ready.

        Raises:
            DataError: The path holds nothing to read, a file is damaged, the split is empty, or
                no clip in it is long enough for the window.
            InputError: An option is out of range.
        """
        if stride < 1:
            raise InputError(f"the stride is {stride}; use 1 for every frame, 2 for every second")
        self._size = size
        self._rule = framing or FramingRule()
        self._stride = stride
        self._clips = find_clips(path)
        counts = self._count_rows()
        parts, out = split_parts(self._clips, counts, split, held_out)
        self.window = window
        self._parts = tuple(part for part in parts if len(part.rows) >= window.span)
        if not self._parts:
            raise DataError(too_short(str(path), split, window, max(len(p.rows) for p in parts)))
        self._ends = list(accumulate(len(part.rows) - window.span + 1 for part in self._parts))
        self._rows = self._load(counts, cache, memory_bytes, progress)
        self._readers = ClipReaders(self._clips, _OPEN_VIDEOS)
        self._lock = threading.Lock()
        self.description = DataDescription(
            source=str(path),
            split=split,
            held_out=out,
            images=sum(len(part.rows) for part in self._parts),
            framing=to_plain(self._rule),
            options={"stride": stride, "clips": len(self._parts)},
        )

    def __len__(self) -> int:
        return self._ends[-1]

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the first frame of each window; a pure function of the index.

        Raises:
            InputError: An index is out of range.
            DataError: A frame that is decoded on demand is damaged.
        """
        return self._stacked([self._place(index) for index in indices])

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B T 3 H W"]:
        """Return all frames of each window; a pure function of the index.

        Raises:
            InputError: An index is out of range.
            DataError: A frame that is decoded on demand is damaged.
        """
        frames, stride = self.window.frames, self.window.stride
        places = [self._place(index) for index in indices]
        rows = [(part, row + t * stride) for part, row in places for t in range(frames)]
        return self._stacked(rows).unflatten(0, (len(places), frames))

    def references(
        self, indices: Sequence[int], draw: tuple[int, int]
    ) -> UInt8[Tensor, "B 3 H W"] | None:
        """Return another frame of the clip near each window's first; None where clips are stills.

        Raises:
            InputError: An index is out of range.
            DataError: A frame that is decoded on demand is damaged.
        """
        within = self.window.reference_within
        if not within or any(self._clips[part.clip].kind == "stills" for part in self._parts):
            return None
        places = [(index, *self._place(index)) for index in indices]
        return self._stacked(
            [
                (part, reference_row(row, part.rows, within, draw, index))
                for index, part, row in places
            ]
        )

    # -- frames by number -----------------------------------------------------------------------
    @property
    def clips(self) -> Sequence[tuple[str, int]]:
        """What the pixels of each clip depend on, and its frames."""
        return [
            (
                f"{frame_cache.cache_name(clip, self._rule, self._size, self._stride)} {part.rows}",
                len(part.rows),
            )
            for part in self._parts
            for clip in (self._clips[part.clip],)
        ]

    def rows(self, indices: Sequence[int]) -> list[list[int]]:
        """Return the numbers of the frames in each window, counted over all clips."""
        first: dict[int, int] = {}
        count = 0
        for part in self._parts:
            first[part.clip] = count - part.rows.start
            count += len(part.rows)
        span, stride = self.window.span, self.window.stride
        places = (self._place(index) for index in indices)
        starts = (first[part.clip] + row for part, row in places)
        return [list(range(start, start + span, stride)) for start in starts]

    def pictures(self, rows: Sequence[int]) -> UInt8[Tensor, "N 3 H W"]:
        """Return the frames of these numbers."""
        frames = [(part, row) for part in self._parts for row in part.rows]
        return self._stacked([frames[row] for row in rows])

    def _place(self, index: int) -> tuple[Part, int]:
        """Where a window begins."""
        if not 0 <= index < len(self):
            raise InputError(f"there are images 0 to {len(self) - 1}; there is no {index}")
        number = bisect_right(self._ends, index)
        part = self._parts[number]
        return part, part.rows[index - (self._ends[number - 1] if number else 0)]

    def _stacked(self, places: Sequence[tuple[Part, int]]) -> UInt8[Tensor, "B 3 H W"]:
        batch = torch.empty((len(places), 3, *self._size), dtype=torch.uint8)
        out = batch.numpy()
        for place, (part, row) in enumerate(places):
            kept = self._rows.get(part.clip)
            out[place] = kept[row] if kept is not None else self._decode(part.clip, row)
        return batch

    # -- getting the frames ready ---------------------------------------------------------------
    def _count_rows(self) -> list[int]:
        def count(clip: Clip) -> int:
            reader = ClipReader(clip, decoder_threads=1)
            try:
                return -(-len(reader) // self._stride)
            finally:
                reader.close()

        with ThreadPoolExecutor(_workers(len(self._clips))) as pool:
            return list(pool.map(count, self._clips))

    def _load(
        self, counts: list[int], cache: Path | None, memory_bytes: int, progress: Report | None
    ) -> dict[int, ndarray]:
        """Return the framed rows of each clip in use that can be held, by the clip's number."""
        wanted = [part.clip for part in self._parts]
        frame_bytes = 3 * self._size[0] * self._size[1]
        total = sum(counts[clip] for clip in wanted)
        in_memory = total * frame_bytes <= memory_bytes
        folder = cache if cache and frame_cache.has_room(cache, total * frame_bytes) else None
        if folder is None and not in_memory:
            return {}
        meter = _Meter(total, progress)

        def load(number: int) -> ndarray | None:
            clip, shape = self._clips[number], (counts[number], 3, *self._size)
            if folder is not None:
                name = frame_cache.cache_name(clip, self._rule, self._size, self._stride)
                kept = frame_cache.recall(folder / name, shape)
                if kept is not None:
                    meter.add(len(kept))
                else:
                    rows = self._framed(clip, counts[number], meter)
                    kept = frame_cache.keep(folder / name, rows, shape)
                if kept is not None:
                    return kept
            if not in_memory:
                return None
            array = np.empty(shape, np.uint8)
            for row, picture in enumerate(self._framed(clip, counts[number], meter)):
                array[row] = picture
            return array

        with ThreadPoolExecutor(_workers(len(wanted))) as pool:
            try:
                held = dict(zip(wanted, pool.map(load, wanted), strict=True))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return {number: rows for number, rows in held.items() if rows is not None}

    def _framed(self, clip: Clip, count: int, meter: _Meter) -> Iterator[UInt8[ndarray, "3 H W"]]:
        """Yield a clip's frames, every `stride`-th, at the model's size."""
        reader = ClipReader(clip, decoder_threads=1)

        def one(row: int) -> ndarray:
            return self._bring(reader.frame(row * self._stride))

        try:
            if clip.kind == "video":
                for row in range(count):
                    yield one(row)
                    meter.add(1)
                return
            with ThreadPoolExecutor(_workers(count)) as pool:
                for first in range(0, count, _STILLS_AT_ONCE):
                    rows = range(first, min(count, first + _STILLS_AT_ONCE))
                    yield from pool.map(one, rows)
                    meter.add(len(rows))
        finally:
            reader.close()

    def _bring(self, picture: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "3 H W"]:
        height, width = picture.shape[:2]
        framed = apply_framing(self._rule.resolve((height, width), self._size), picture)
        return np.ascontiguousarray(framed.transpose(2, 0, 1))

    def _decode(self, number: int, row: int) -> UInt8[ndarray, "3 H W"]:
        """Decode one frame of a clip that is not held."""
        with self._lock:
            return self._bring(self._readers[number].frame(row * self._stride))


class _Meter:
    """Adds up frames from several threads and passes the sum on."""

    def __init__(self, total: int, report: Report | None) -> None:
        self._total, self._report = total, report
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count frames as ready."""
        with self._lock:
            self._done = min(self._total, self._done + count)
            if self._report is not None:
                self._report(self._done, self._total)


def _workers(jobs: int) -> int:
    return max(1, min(jobs, cores_allowed(), 8))
