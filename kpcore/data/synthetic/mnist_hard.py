"""MNIST-Hard: nine digits on black at random places, several of which may be of one class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from kpcore.data.synthetic.scene import Scene, SceneClip, generator, rows_of, still_clip
from kpcore.opencv import cv2

STREAM = 10
SIDE, BOX, DIGITS = 80, 20, 9
"""Pixels of a picture's side and of the box that a digit fills, and digits of a picture."""
_MARGIN, _APART = 10.0, 17.0
_TRIES = 200


@dataclass(frozen=True, slots=True)
class MnistHard:
    """Nine digits whose longer side is 20 of 80 pixels, at places apart from each other.

    The generator of Angles et al. (MIST) was never published; it places digits "from a Poisson
    distribution". Here places are drawn one after the other, at least 17 pixels apart and 10 from
    the edges, until nine are found: Poisson-disc sampling. Where digits overlap, the brighter
    pixel shows, and belongs to the digit that shows.

    Held-out pictures show other digits; see `rows_of`.

    Attributes:
        digits: grey pictures of digits.
        labels: the digit that each shows.
        title: for people.
    """

    digits: UInt8[ndarray, "N h w"]
    labels: UInt8[ndarray, " N"]
    title: str = "MNIST-Hard: nine digits on black"

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        random = generator(seed, index, STREAM)
        chosen = random.integers(*rows_of(seed, len(self.digits)), DIGITS)
        places = _apart(random)
        layers = np.zeros((DIGITS, SIDE, SIDE), np.float32)
        for layer, row, (x, y) in zip(layers, chosen, places, strict=True):
            ink = _ink(self.digits[row])
            high_px, wide_px = ink.shape
            top, left = round(y - high_px / 2), round(x - wide_px / 2)
            layer[top : top + high_px, left : left + wide_px] = ink
        mask = (layers > 0.5) & (layers.argmax(0) == np.arange(DIGITS)[:, None, None])
        whole = np.maximum((layers > 0.5).sum((1, 2)), 1)
        visible = (mask.sum((1, 2)) / whole).astype(np.float32)
        grey = layers.max(0)
        if size != SIDE:
            grey, mask = _resized(grey, size), np.stack([_resized(m, size) > 0.5 for m in mask])
        return Scene(
            image=np.repeat(grey[None], 3, axis=0),
            position=(places * (2.0 / SIDE) - 1.0).astype(np.float32),
            mask=mask,
            visible=visible,
            identity=np.arange(DIGITS),
            attributes=tuple({"digit": str(self.labels[row])} for row in chosen),
        )

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """The picture, standing still."""
        return still_clip(self.sample(seed, index, size), frames)


def _apart(random: np.random.Generator) -> Float[ndarray, "N 2"]:
    """Middles (x, y) of the digits in pixels."""
    while True:
        found: list[ndarray] = []
        for _ in range(_TRIES):
            place = random.uniform(_MARGIN, SIDE - _MARGIN, 2)
            if all(np.hypot(*(place - other)) >= _APART for other in found):
                found.append(place)
                if len(found) == DIGITS:
                    return np.array(found)


def _ink(digit: UInt8[ndarray, "h w"]) -> Float[ndarray, "r c"]:
    """The digit without its empty border, its longer side `BOX` pixels."""
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    ink = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255.0
    high, wide = ink.shape
    longest = max(high, wide)
    if longest == BOX:
        return ink
    size = max(1, round(wide * BOX / longest)), max(1, round(high * BOX / longest))
    return cv2.resize(ink, size, interpolation=cv2.INTER_LINEAR).clip(0.0, 1.0)


def _resized(grey: ndarray, size: int) -> Float[ndarray, "S S"]:
    return cv2.resize(grey.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
