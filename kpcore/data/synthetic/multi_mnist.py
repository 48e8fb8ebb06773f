"""Multi-MNIST as in LAVAE: a few binary digits on black that do not overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray

from kpcore.data.synthetic.scene import HELD_OUT_SEED, Scene, SceneClip, generator, still_clip
from kpcore.opencv import cv2

STREAM = 12
SIDE, DIGIT = 64, 15
"""Pixels of a picture's side and of a digit's."""
_TRIES = 100


@dataclass(frozen=True, slots=True)
class MultiMnist:
    """Digits of 15 of 64 pixels, black or white, whole and apart from each other.

    Source: LAVAE sec. 3.1: 28 x 28 digits shrunk bilinearly to 15 x 15 and rounded; a pool of
    1,000 or 10,000 digits; 0 to 3 of them a picture. Pictures of other sizes are enlarged or
    reduced by area.

    Attributes:
        digits: grey pictures of digits.
        labels: the digit that each shows.
        pool: so many of them are used; held-out pictures show the same digits at other places and
            in other company, as in the paper.
        least: fewest digits of a picture.
        most: most digits of a picture.
        title: for people.
    """

    digits: UInt8[ndarray, "N h w"]
    labels: UInt8[ndarray, " N"]
    pool: int = 1_000
    least: int = 0
    most: int = 3
    title: str = "multi-MNIST: binary digits on black"

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        random = generator(seed % HELD_OUT_SEED, index, STREAM + (seed >= HELD_OUT_SEED))
        rows = random.integers(0, min(self.pool, len(self.digits)), self.most)
        count = int(random.integers(self.least, self.most + 1))
        masks = np.zeros((count, SIDE, SIDE), bool)
        for mask, (x, y), row in zip(masks, _apart(random, count), rows, strict=False):
            mask[y : y + DIGIT, x : x + DIGIT] = _binary(self.digits[row])
        if size != SIDE:
            masks = np.array([_resized(mask, size) for mask in masks], bool).reshape(-1, size, size)
        grey = np.asarray(masks.any(0)) if count else np.zeros((size, size), bool)
        return Scene(
            image=np.repeat(grey[None].astype(np.float32), 3, axis=0),
            position=np.array([_middle(mask) for mask in masks], np.float32).reshape(-1, 2),
            mask=masks,
            visible=np.ones(count, np.float32),
            identity=np.arange(count),
            attributes=tuple({"digit": str(self.labels[row])} for row in rows[:count]),
        )

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """The picture, standing still."""
        return still_clip(self.sample(seed, index, size), frames)


def _apart(random: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Left and top pixels of boxes that do not overlap."""
    while True:
        found: list[tuple[int, int]] = []
        for _ in range(_TRIES):
            if len(found) == count:
                return found
            x, y = (int(v) for v in random.integers(0, SIDE - DIGIT + 1, 2))
            if all(abs(x - a) >= DIGIT or abs(y - b) >= DIGIT for a, b in found):
                found.append((x, y))


def _binary(digit: UInt8[ndarray, "h w"]) -> Bool[ndarray, "r c"]:
    small = np.asarray(cv2.resize(digit, (DIGIT, DIGIT), interpolation=cv2.INTER_LINEAR))
    return small > 127


def _resized(mask: Bool[ndarray, "H W"], size: int) -> Bool[ndarray, "S S"]:
    small = cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return small > 0.5


def _middle(mask: Bool[ndarray, "H W"]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0, 0.0
    size = mask.shape[-1]
    x, y = columns.min() + columns.max(), rows.min() + rows.max()
    return float((x + 1.0) / size - 1.0), float((y + 1.0) / size - 1.0)
