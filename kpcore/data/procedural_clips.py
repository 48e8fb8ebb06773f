"""Procedural scenes in motion, as windows of frames: endless, or a pool that is made once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from kpcore.api import Window
from kpcore.data.clips import Split
from kpcore.data.procedural import EPOCH
from kpcore.data.source import DataDescription, Report, reference_row
from kpcore.data.synthetic import find_scenes
from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.errors import InputError

CACHE_BYTES = 256_000_000
_LENGTH = 32
_SLOTS = 64


class SceneClips:
    """Windows of procedural clips; an `ImageSource`.

    To draw fewer frames, an endless training source takes windows from `_SLOTS` clips at a time,
    several from each; every one goes when it has been used as often as half its frames. Held-out
    windows are clips of their own. With a pool, all its clips are drawn at the start and all their
    windows are numbered.
    """

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        window: Window,
        *,
        split: Split = "train",
        seed: int = 0,
        epoch: int = EPOCH,
        pool: int = 0,
        cache_bytes: int = CACHE_BYTES,
        progress: Report | None = None,
    ) -> None:
        """Choose the scenes, and make the pool if there is one.

        Args:
            name: Of the scenes.
            size: (H, W), square.
            window: Frames that are wanted together.
            split: Which of two streams that share no clip.
            seed: Of the stream.
            epoch: Windows in a nominal pass where there is no pool.
            pool: Frames made at once, rounded up to whole clips; 0 makes clips when asked.
            cache_bytes: Room for clips that are not in a pool.
            progress: Told of the frames of the pool that are ready.

        Raises:
            InputError: The size is not square, or a number is out of range.
        """
        if size[0] != size[1]:
            raise InputError(f"procedural scenes are square; {size[1]} x {size[0]} was asked for")
        if not 0 <= seed < HELD_OUT_SEED or epoch < 1 or pool < 0:
            raise InputError(
                f"seed {seed}, epoch {epoch} and pool {pool} were asked for; use a seed from 0 to "
                f"{HELD_OUT_SEED - 1}, an epoch of at least 1 and a pool of at least 0"
            )
        self.window = window
        self._name, self._scenes, self._side = name, find_scenes(name), size[0]
        self._seed = seed + (HELD_OUT_SEED if split == "held-out" else 0)
        least = max(window.span, window.reference_within + 1)
        alone = split == "held-out" and not pool
        self._length = least if alone else max(_LENGTH, window.span * 2, least)
        self._uses = 1 if alone else self._length // 2
        self._most = max(_SLOTS, cache_bytes // (3 * self._side**2 * self._length))
        self._clips: OrderedDict[int, ndarray] = OrderedDict()
        self._pool = -(-pool // self._length)
        self._epoch = self._pool * self._starts if pool else epoch
        self.description = DataDescription(
            source=name,
            split=split,
            images=self._pool * self._length,
            options={"seed": seed, "pool": pool, "epoch": self._epoch},
        )
        for number in range(self._pool):
            self._clips[number] = self._draw(number)
            if progress is not None:
                progress((number + 1) * self._length, self._pool * self._length)

    def __len__(self) -> int:
        return self._epoch

    @property
    def _starts(self) -> int:
        """Windows in one clip."""
        return self._length - self.window.span + 1

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the first frame of each window; a pure function of the index."""
        places = [self._place(index) for index in indices]
        return self._stacked([self._clip(number)[row] for number, row in places])

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B T 3 H W"]:
        """Return all frames of each window; a pure function of the index."""
        span, stride = self.window.span, self.window.stride
        places = [self._place(index) for index in indices]
        return self._stacked(
            [self._clip(number)[row : row + span : stride] for number, row in places]
        )

    def references(
        self, indices: Sequence[int], draw: tuple[int, int]
    ) -> UInt8[Tensor, "B 3 H W"] | None:
        """Return another frame of the clip near each window's first; None where none is wanted."""
        within, rows = self.window.reference_within, range(self._length)
        if not within:
            return None
        places = [(index, *self._place(index)) for index in indices]
        return self._stacked(
            [
                self._clip(number)[reference_row(row, rows, within, draw, index)]
                for index, number, row in places
            ]
        )

    # -- frames by number -----------------------------------------------------------------------
    @property
    def clips(self) -> Sequence[tuple[str, int]]:
        """One entry for the whole pool; none for endless scenes."""
        if not self._pool:
            return ()
        facts = (self._name, self._seed, self._side, self._length, self._pool)
        return [(f"{facts} {self._mark()}", self._pool * self._length)]

    def _mark(self) -> str:
        """A hash of the first clip's pixels, which tells when the scenes are drawn otherwise."""
        return hashlib.sha256(self._clip(0).tobytes()).hexdigest()

    def rows(self, indices: Sequence[int]) -> list[list[int]]:
        """Return the numbers of the frames in each window, counted over all clips."""
        span, stride = self.window.span, self.window.stride
        places = (self._place(index) for index in indices)
        starts = (number * self._length + row for number, row in places)
        return [list(range(start, start + span, stride)) for start in starts]

    def pictures(self, rows: Sequence[int]) -> UInt8[Tensor, "N 3 H W"]:
        """Return the frames of these numbers."""
        places = (divmod(row, self._length) for row in rows)
        return self._stacked([self._clip(number)[at] for number, at in places])

    def _place(self, index: int) -> tuple[int, int]:
        """Return a window's clip and its first frame there."""
        if index < 0:
            raise InputError(f"images are numbered from 0; there is no {index}")
        if self._pool:
            row, number = divmod(index % self._epoch, self._pool)
            return number, row
        turn, slot = divmod(index, _SLOTS)
        number = (turn + slot * self._uses // _SLOTS) // self._uses * _SLOTS + slot
        if self._uses == 1:
            return number, 0
        chance = np.random.default_rng([self._seed, index])
        return number, int(chance.integers(self._starts))

    def _clip(self, number: int) -> UInt8[ndarray, "T 3 H W"]:
        kept = self._clips.get(number)
        if kept is None:
            kept = self._clips[number] = self._draw(number)
            while len(self._clips) > self._most:
                self._clips.popitem(last=False)
        elif not self._pool:
            self._clips.move_to_end(number)
        return kept

    def _draw(self, number: int) -> UInt8[ndarray, "T 3 H W"]:
        image = self._scenes.clip(self._seed, number, self._side, self._length).image
        return (image * 255.0).round().astype(np.uint8)

    @staticmethod
    def _stacked(rows: Sequence[ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(rows))
