"""Procedural scenes as labelled pictures: what a generator draws, it also knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from kpcore.data.labelled import Facts, LabelledObject, Labels, check_split
from kpcore.data.synthetic import find_scenes
from kpcore.data.synthetic.scene import HELD_OUT_SEED, SceneSource

TEST_SEED = HELD_OUT_SEED + (1 << 20)
"""Streams from here on are used by no training run and by no validation."""


@runtime_checkable
class LandmarkScenes(Protocol):
    """Scenes that also know landmarks of each picture."""

    @property
    def landmark_facts(self) -> Facts:
        """Names, unit of errors and mirrored pairs of the landmarks."""
        ...

    def landmarks(self, seed: int, index: int) -> Float[ndarray, "N T 2"]:
        """Return the landmarks of every subject of a picture, in unit coordinates."""
        ...


class SceneLabels:
    """Pictures of one kind of procedural scene with their truth; `LabelledPictures`."""

    def __init__(self, name: str, size: int, count: int = 2_000, seed: int = 0) -> None:
        """Choose the scenes.

        Args:
            name: Of the scenes.
            size: Side of the pictures in pixels.
            count: Pictures of each split.
            seed: Added to that of either split.

        Raises:
            DataError: There are no such scenes.
        """
        self._scenes: SceneSource = find_scenes(name)
        self._size, self._count, self._seed = size, count, seed
        known = self._scenes
        facts = known.landmark_facts if isinstance(known, LandmarkScenes) else Facts(name, "")
        self.facts = Facts(
            name,
            "procedural",
            facts.landmark_names,
            facts.span,
            facts.mirrored,
            splits=("train", "test"),
        )

    def __len__(self) -> int:
        return 2 * self._count

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split; their streams are apart."""
        check_split(split, self.facts.splits)
        return range(self._count) if split == "train" else range(self._count, 2 * self._count)

    def _key(self, index: int) -> tuple[int, int]:
        """Seed and index of a picture."""
        if index < self._count:
            return self._seed, index
        return TEST_SEED + self._seed, index - self._count

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a picture."""
        image = self._scenes.sample(*self._key(index), self._size).image
        return np.ascontiguousarray((image * 255.0).round().astype(np.uint8).transpose(1, 2, 0))

    def labels(self, index: int) -> Labels:
        """Return objects and masks; where scenes know landmarks, also those of the first subject.

        What is said of that subject is then said of the picture.
        """
        scenes, key = self._scenes, self._key(index)
        scene = scenes.sample(*key, self._size)
        said = scene.attributes or ({},) * len(scene.position)
        subject = isinstance(scenes, LandmarkScenes)
        return Labels(
            landmarks=scenes.landmarks(*key)[0].astype(np.float64) if subject else None,
            objects=tuple(
                LabelledObject((float(x), float(y)), attributes)
                for (x, y), attributes in zip(scene.position, said, strict=True)
            ),
            masks=scene.mask,
            attributes=said[0] if subject and said else {},
        )
