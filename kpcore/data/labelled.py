"""Pictures with what people (or generators) know of them: landmarks, objects, masks.

Places are in unit coordinates of the picture they belong to (image edges at +-1), so that a
framing carries them from the source to the model's picture without a half pixel lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from kpcore.data.resample import apply_framing, frame_masks
from kpcore.errors import InputError, nearest
from kpcore.geometry.framing import FramingRule


@dataclass(frozen=True, slots=True, eq=False)
class LabelledObject:
    """One object of a picture.

    Attributes:
        position: (x, y) of its middle; None where only its mask is known.
        attributes: What is said of it, e.g. {"shape": "cube", "colour": "red"}.
    """

    position: tuple[float, float] | None
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What is known of one picture.

    Attributes:
        landmarks: (x, y) of each landmark in the order of `LabelledPictures.landmark_names`; NaN
            where it is not annotated. None where pictures have none.
        objects: In the order of the masks.
        masks: Visible pixels of each object; None where they are not known.
        attributes: What is said of the whole picture, e.g. {"subject": "S9", "action": "Walking"}.
    """

    landmarks: Float[ndarray, "T 2"] | None = None
    objects: tuple[LabelledObject, ...] = ()
    masks: Bool[ndarray, "N H W"] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Facts:
    """What a set of labelled pictures is.

    Attributes:
        title: Shown name.
        citation: Whom to cite, and under what licence it comes.
        landmark_names: Of every picture's landmarks.
        span: Two landmarks whose distance is the unit of errors (the eyes of faces); None where
            errors are in picture edges.
        mirrored: Pairs of landmarks that swap when a picture is mirrored: (left, right).
        splits: Names of the parts, e.g. ("train", "test").
    """

    title: str
    citation: str
    landmark_names: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    mirrored: tuple[tuple[int, int], ...] = ()
    splits: tuple[str, ...] = ("train", "test")


@runtime_checkable
class NamedPictures(Protocol):
    """Pictures that lie in files of their own."""

    def name(self, index: int) -> str:
        """Return the file of a picture."""
        ...


@runtime_checkable
class FilmedPictures(Protocol):
    """Pictures that are frames of video."""

    def clips(self, split: str) -> list[list[int]]:
        """Return the numbers of a split's pictures, clip by clip in the order of time.

        Raises:
            InputError: There is no such split.
        """
        ...


class LabelledPictures(Protocol):
    """Random access to labelled pictures, each at its own size."""

    @property
    def facts(self) -> Facts:
        """What this set is."""
        ...

    def __len__(self) -> int:
        """Pictures in all splits together."""
        ...

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split.

        Raises:
            InputError: There is no such split.
        """
        ...

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a picture.

        Raises:
            DataError: It is missing or damaged.
        """
        ...

    def labels(self, index: int) -> Labels:
        """Return what is known of a picture."""
        ...


def framed(
    pictures: LabelledPictures, index: int, size: tuple[int, int], rule: FramingRule | None = None
) -> tuple[UInt8[ndarray, "H W 3"], Labels]:
    """Return one picture at a model's `size` (H, W), with its labels carried along."""
    picture, labels = pictures.picture(index), pictures.labels(index)
    height, width = picture.shape[:2]
    framing = (rule or FramingRule()).resolve((height, width), size)
    landmarks = labels.landmarks
    if landmarks is not None:
        moved = [framing.to_model(float(x), float(y)) for x, y in landmarks]
        landmarks = np.array(moved, np.float64).reshape(-1, 2)
    objects = tuple(
        replace(item, position=item.position and framing.to_model(*item.position))
        for item in labels.objects
    )
    masks = labels.masks
    if masks is not None:
        masks = frame_masks(framing, masks)
    return apply_framing(framing, picture), replace(
        labels, landmarks=landmarks, objects=objects, masks=masks
    )


def check_split(split: str, known: Sequence[str]) -> None:
    """Raise unless `split` is one of the known ones.

    Raises:
        InputError: It is not.
    """
    if split not in known:
        raise InputError(
            f"there is no split '{split}'; known: {', '.join(known)}.{nearest(split, known)}"
        )
