"""Procedural scenes as pictures to learn from: endless, or a pool that is made once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from kpcore.api import STILL, Window
from kpcore.data.clips import Split
from kpcore.data.source import DataDescription, Report
from kpcore.data.synthetic import find_scenes
from kpcore.data.synthetic.scene import HELD_OUT_SEED as HELD_OUT_SEED
from kpcore.errors import InputError

EPOCH = 10_000
"""Pictures in a nominal pass over endless scenes."""


class SceneImages:
    """Pictures of one kind of procedural scene; an `ImageSource`.

    Index i is always the same picture; indices beyond the nominal pass go on endlessly, or repeat
    the pool where there is one.
    """

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        *,
        split: Split = "train",
        seed: int = 0,
        epoch: int = EPOCH,
        pool: int = 0,
        progress: Report | None = None,
    ) -> None:
        """Choose the scenes, and make the pool if there is one.

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
        self._scenes = find_scenes(name)
        self._side = size[0]
        self._seed = seed + (HELD_OUT_SEED if split == "held-out" else 0)
        self._epoch = pool or epoch
        self.description = DataDescription(
            source=name,
            split=split,
            images=pool,
            options={"seed": seed, "pool": pool, "epoch": self._epoch},
        )
        self._pool: ndarray | None = None
        if pool:
            made = np.empty((pool, 3, *size), np.uint8)
            for index in range(pool):
                made[index] = self._draw(index)
                if progress is not None:
                    progress(index + 1, pool)
            self._pool = made

    @property
    def window(self) -> Window:
        """Single pictures; `SceneClips` are scenes in motion."""
        return STILL

    def __len__(self) -> int:
        return self._epoch

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the pictures at `indices`; a pure function of the index."""
        batch = torch.empty((len(indices), 3, self._side, self._side), dtype=torch.uint8)
        rows = batch.numpy()
        for place, index in enumerate(indices):
            if index < 0:
                raise InputError(f"images are numbered from 0; there is no {index}")
            rows[place] = (
                self._draw(index) if self._pool is None else self._pool[index % len(self._pool)]
            )
        return batch

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B 1 3 H W"]:
        """Return windows of one picture."""
        return self.images(indices).unsqueeze(1)

    def references(
        self, indices: Sequence[int], draw: tuple[int, int]
    ) -> UInt8[Tensor, "B 3 H W"] | None:
        """Return None: single pictures have no neighbours."""
        return None

    def _draw(self, index: int) -> UInt8[ndarray, "3 H W"]:
        image = self._scenes.sample(self._seed, index, self._side).image
        return (image * 255.0).round().astype(np.uint8)
