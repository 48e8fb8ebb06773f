"""MNIST as it is: one digit a picture, white on black, in the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data.synthetic.scene import Scene, SceneClip, generator, rows_of, still_clip
from kpcore.opencv import cv2

STREAM = 18


@dataclass(frozen=True, slots=True)
class MnistSingle:
    """One digit, at 28 pixels as MNIST has it; pictures of other sizes are resampled.

    Held-out pictures show other digits; see `rows_of`.

    Attributes:
        digits: grey pictures of digits.
        labels: the digit that each shows.
        title: for people.
    """

    digits: UInt8[ndarray, "N h w"]
    labels: UInt8[ndarray, " N"]
    title: str = "MNIST: one digit on black"

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        rows = rows_of(seed, len(self.digits))
        row = int(generator(seed, index, STREAM).integers(*rows))
        grey = self.digits[row].astype(np.float32) / 255.0
        if grey.shape != (size, size):
            way = cv2.INTER_AREA if size < max(grey.shape) else cv2.INTER_LINEAR
            grey = np.asarray(cv2.resize(grey, (size, size), interpolation=way))
        mask = grey > 0.5
        y, x = np.nonzero(mask)
        edges = (x, y) if len(y) else ([0, size - 1],) * 2
        middle = [(min(edge) + max(edge) + 1.0) / size - 1.0 for edge in edges]
        return Scene(
            image=np.repeat(grey[None], 3, axis=0),
            position=np.array([middle], np.float32),
            mask=mask[None],
            visible=np.ones(1, np.float32),
            identity=np.arange(1),
            attributes=({"digit": str(self.labels[row])},),
        )

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """The picture, standing still."""
        return still_clip(self.sample(seed, index, size), frames)
