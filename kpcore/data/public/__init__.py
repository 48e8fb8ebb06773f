"""Public data sets, read as they are distributed; nothing is downloaded or copied.

A set is named with the folder or file where it lies: "celeba:/data/celeba".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import STILL
from kpcore.data.labelled import LabelledPictures, framed
from kpcore.data.public.clevr import Clevr, Clevrer
from kpcore.data.public.faces import Aflw, CelebA, LandmarkFolder
from kpcore.data.public.human36m import Human36M
from kpcore.data.public.multi_object import CLEVR, TETROMINOES, MultiObject
from kpcore.data.source import DataDescription
from kpcore.errors import DataError, InputError, nearest
from kpcore.geometry.framing import FramingRule

PUBLIC: Mapping[str, Callable[[Path], LabelledPictures]] = MappingProxyType(
    {
        "celeba": CelebA,
        "aflw": Aflw,
        "landmarks": LandmarkFolder,
        "clevr": Clevr,
        "clevr6": lambda folder: Clevr(folder, most_objects=6),
        "clevrer": Clevrer,
        "tetrominoes-records": lambda path: MultiObject(path, TETROMINOES),
        "clevr-records": lambda path: MultiObject(path, CLEVR),
        "human36m": Human36M,
    }
)
"""Readers by the name before the colon."""


def open_labelled(spec: str) -> LabelledPictures:
    """Return the labelled pictures called `NAME:PATH`.

    Raises:
        DataError: No such reader, no such path, or the files there are not that data set.
    """
    name, _, path = spec.partition(":")
    if name not in PUBLIC or not path:
        raise DataError(
            f"'{spec}' names no labelled data; give NAME:PATH with one of {', '.join(PUBLIC)}."
            f"{nearest(name, PUBLIC)}"
        )
    if not Path(path).exists():
        raise DataError(f"there is no file or folder '{path}'; give the place where {name} lies")
    return PUBLIC[name](Path(path))


class LabelledImages:
    """The pictures of a split at a model's size, without their labels; an `ImageSource`."""

    def __init__(
        self,
        spec: str,
        size: tuple[int, int],
        *,
        split: str = "train",
        framing: FramingRule | None = None,
    ) -> None:
        """Choose the pictures.

        Args:
            spec: NAME:PATH.
            size: (H, W) of the model.
            split: "train", any other split of the set, or "held-out" for the one that is best kept
                out of training: "valid", "val" or "test", whichever comes first.
            framing: How pictures become the model's; None means the middle crop.

        Raises:
            DataError: There are no such pictures.
            InputError: There is no such split.
        """
        self.window = STILL
        self._pictures = open_labelled(spec)
        known = self._pictures.facts.splits
        if split == "held-out":
            split = next(name for name in ("valid", "val", "test") if name in known)
        self._size, self._rule = size, framing
        self._rows = self._pictures.rows(split)
        if not self._rows:
            raise DataError(f"the {split} part of '{spec}' is empty; choose another split")
        self.description = DataDescription(spec, split=split, images=len(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the pictures at `indices`; a pure function of the index.

        Raises:
            InputError: An index is out of range.
        """
        batch = torch.empty((len(indices), 3, *self._size), dtype=torch.uint8)
        for place, index in enumerate(indices):
            if not 0 <= index < len(self):
                raise InputError(f"there are images 0 to {len(self) - 1}; there is no {index}")
            picture, _ = framed(self._pictures, self._rows[index], self._size, self._rule)
            batch[place] = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        return batch

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B T 3 H W"]:
        """Return the pictures at `indices`, each a window of one frame."""
        return self.images(indices)[:, None]

    def references(self, indices: Sequence[int], draw: tuple[int, int]) -> None:
        """Return None: single pictures have no other frame."""
