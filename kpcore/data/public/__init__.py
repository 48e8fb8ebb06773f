"""Public data sets, read as they are distributed; nothing is downloaded or copied.

A set is named with the folder or file where it lies: "celeba:/data/celeba". Readers of video tell
which pictures follow each other, so that families that learn from several frames can use them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import STILL, Window
from kpcore.configuration import to_plain
from kpcore.data.labelled import FilmedPictures, LabelledPictures
from kpcore.data.public.clevr import Clevr, Clevrer
from kpcore.data.public.faces import Aflw, CelebA, LandmarkFolder
from kpcore.data.public.human36m import Human36M
from kpcore.data.public.multi_object import CLEVR, CLEVR6, TETROMINOES, MultiObject
from kpcore.data.resample import apply_framing
from kpcore.data.source import DataDescription, reference_row, too_short
from kpcore.data.synthetic import WITH_DIGITS, scene_names
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
        "clevr6-records": lambda path: MultiObject(path, CLEVR6),
        "human36m": Human36M,
    }
)
"""Readers by the name before the colon."""


def known_data(spec: str) -> str:
    """Return what may stand for data beside paths, as the end of a sentence about `spec`."""
    name = spec.partition(":")[0]
    if name in PUBLIC:
        return f"{name}:FOLDER, with the folder where {name} lies."
    return (
        f"one of the procedural scenes {', '.join(scene_names())} ({', '.join(WITH_DIGITS)} also "
        f"as NAME:FOLDER, of MNIST's files), or NAME:FOLDER of a public data set, NAME being one "
        f"of {', '.join(PUBLIC)}.{nearest(name, (*scene_names(), *PUBLIC))}"
    )


def open_labelled(spec: str) -> LabelledPictures:
    """Return the labelled pictures called `NAME:PATH`.

    Raises:
        DataError: No such reader, no such path, or the files there are not that data set.
    """
    name, _, path = spec.partition(":")
    if name not in PUBLIC or not path:
        raise DataError(f"'{spec}' names no labelled data; give {known_data(spec)}")
    if not Path(path).exists():
        raise DataError(f"there is no file or folder '{path}'; give the place where {name} lies")
    return PUBLIC[name](Path(path))


class LabelledImages:
    """The pictures of a split at a model's size, without their labels; an `ImageSource`.

    Windows and references are frames of one clip where the set is one of video; other sets have
    windows of one picture and no references.
    """

    def __init__(
        self,
        spec: str,
        size: tuple[int, int],
        *,
        split: str = "train",
        stride: int = 1,
        framing: FramingRule | None = None,
        window: Window = STILL,
    ) -> None:
        """Choose the pictures.

        Args:
            spec: NAME:PATH.
            size: (H, W) of the model.
            split: "train", any other split of the set, or "held-out" for the one that is best kept
                out of training: "valid", "val" or "test", whichever comes first.
            stride: Every how many pictures, of each clip or of a set of stills, one is used.
            framing: How pictures become the model's; None means the middle crop.
            window: Frames of one clip that are wanted together.

        Raises:
            DataError: There are no such pictures, several frames are wanted of single pictures, or
                no clip is as long as the window.
            InputError: There is no such split, or the stride is out of range.
        """
        if stride < 1:
            raise InputError(f"the stride is {stride}; use 1 for every frame, 2 for every second")
        self.window = window
        self._pictures = open_labelled(spec)
        known = self._pictures.facts.splits
        if split == "held-out":
            split = next(name for name in ("valid", "val", "test") if name in known)
        self._size, self._rule = size, framing or FramingRule()
        self._filmed = isinstance(self._pictures, FilmedPictures)
        if isinstance(self._pictures, FilmedPictures):
            clips = self._pictures.clips(split)
        elif window.frames == 1:
            clips = [self._pictures.rows(split)]
        else:
            raise DataError(
                f"this model learns from {window.frames} successive frames of a clip, for flow and "
                f"prediction need video, but '{spec}' holds single pictures; give videos, "
                f"procedural scenes, human36m:FOLDER or clevrer:FOLDER"
            )
        clips = [clip[::stride] for clip in clips]
        longest = max(map(len, clips), default=0)
        if not longest:
            raise DataError(f"the {split} part of '{spec}' is empty; choose another split")
        if longest < window.span:
            raise DataError(too_short(spec, split, window, longest))
        self._clips = [clip for clip in clips if len(clip) >= window.span]
        self._ends = list(accumulate(len(clip) - window.span + 1 for clip in self._clips))
        self.description = DataDescription(
            spec,
            split=split,
            images=sum(map(len, self._clips)),
            framing=to_plain(self._rule),
            options={"stride": stride} | ({"clips": len(self._clips)} if self._filmed else {}),
        )

    def __len__(self) -> int:
        return self._ends[-1]

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the first frame of each window; a pure function of the index.

        Raises:
            InputError: An index is out of range.
            DataError: A picture is missing or damaged.
        """
        places = map(self._place, indices)
        return self._stacked([self._clips[clip][at] for clip, at in places])

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B T 3 H W"]:
        """Return all frames of each window; a pure function of the index.

        Raises:
            InputError: An index is out of range.
            DataError: A picture is missing or damaged.
        """
        span, stride = self.window.span, self.window.stride
        places = map(self._place, indices)
        rows = [row for clip, at in places for row in self._clips[clip][at : at + span : stride]]
        return self._stacked(rows).unflatten(0, (len(indices), self.window.frames))

    def references(
        self, indices: Sequence[int], draw: tuple[int, int]
    ) -> UInt8[Tensor, "B 3 H W"] | None:
        """Return another frame of the clip near each window's first; None of single pictures.

        Raises:
            InputError: An index is out of range.
            DataError: A picture is missing or damaged.
        """
        within = self.window.reference_within
        if not within or not self._filmed:
            return None
        rows: list[int] = []
        for index in indices:
            number, at = self._place(index)
            clip = self._clips[number]
            rows.append(clip[reference_row(at, range(len(clip)), within, draw, index)])
        return self._stacked(rows)

    def _place(self, index: int) -> tuple[int, int]:
        """Return a window's clip and its first frame there."""
        if not 0 <= index < len(self):
            raise InputError(f"there are images 0 to {len(self) - 1}; there is no {index}")
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)

    def _stacked(self, rows: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        batch = torch.empty((len(rows), 3, *self._size), dtype=torch.uint8)
        for place, row in enumerate(rows):
            picture = self._pictures.picture(row)
            height, width = picture.shape[:2]
            picture = apply_framing(self._rule.resolve((height, width), self._size), picture)
            batch[place] = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        return batch
