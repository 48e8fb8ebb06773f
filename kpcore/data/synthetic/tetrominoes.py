"""Tetrominoes: three coloured pieces of four squares each on black, apart from each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from kpcore.data.synthetic.scene import Scene, SceneClip, generator, still_clip

STREAM = 11
SIDE, CELL, PIECES = 35, 5, 3
"""Pixels of a picture's side and of a square's, and pieces of a picture."""

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
}

_FIRST = {
    "I": ("####",),
    "O": ("##", "##"),
    "S": (".##", "##."),
    "Z": ("##.", ".##"),
    "T": ("###", ".#."),
    "L": ("#.", "#.", "##"),
    "J": (".#", ".#", "##"),
}


def _turned() -> Iterator[tuple[str, Bool[ndarray, "r c"]]]:
    """Every different quarter turn of the seven pieces."""
    for name, rows in _FIRST.items():
        piece = np.array([[mark == "#" for mark in row] for row in rows])
        known: set[tuple[tuple[int, ...], bytes]] = set()
        for quarter in range(4):
            turned = np.rot90(piece, quarter)
            key = (turned.shape, turned.tobytes())
            if key not in known:
                known.add(key)
                yield f"{name}{len(known)}", turned


SHAPES: tuple[tuple[str, Bool[ndarray, "r c"]], ...] = tuple(_turned())
"""The 19 shapes with their names: I2 O1 S2 Z2 T4 L4 J4."""


@dataclass(frozen=True, slots=True)
class Tetrominoes:
    """Three of 19 shapes in six colours, 35 x 35 pixels, without overlap.

    The pieces stand on whole pixels; at another size each pixel is repeated, as TUSK enlarges its
    pictures.

    Source: the multi-object collection, as TUSK sec. 4.2 uses it (other_systems.md section 8).
    """

    title: str = "Tetrominoes: coloured pieces of four squares on black"

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        random = generator(seed, index, STREAM)
        taken = np.full((SIDE, SIDE), -1)
        attributes: list[dict[str, str]] = []
        while len(attributes) < PIECES:
            taken[:] = -1
            attributes = []
            for number in range(PIECES):
                name, shape = SHAPES[int(random.integers(len(SHAPES)))]
                colour = list(COLOURS)[int(random.integers(len(COLOURS)))]
                if not self._put(
                    random, taken, np.kron(shape, np.ones((CELL, CELL), bool)), number
                ):
                    break
                attributes.append({"shape": name, "colour": colour})
        pixels = ((np.arange(size) + 0.5) * (SIDE / size)).astype(int)
        taken = taken[pixels[:, None], pixels]
        mask = taken == np.arange(PIECES)[:, None, None]
        colours = np.array([COLOURS[a["colour"]] for a in attributes], np.float32)
        image = np.einsum("nhw,nc->chw", mask.astype(np.float32), colours)
        return Scene(
            image=image,
            position=np.stack([_middle(m) for m in mask]),
            mask=mask,
            visible=np.ones(PIECES, np.float32),
            identity=np.arange(PIECES),
            attributes=tuple(attributes),
        )

    @staticmethod
    def _put(
        random: np.random.Generator, taken: Int[ndarray, "H W"], piece: ndarray, number: int
    ) -> bool:
        """Put a piece at a random free place; False when none was found."""
        high, wide = piece.shape
        for _ in range(100):
            row = int(random.integers(SIDE - high + 1))
            column = int(random.integers(SIDE - wide + 1))
            window = taken[row : row + high, column : column + wide]
            if not (window[piece] >= 0).any():
                window[piece] = number
                return True
        return False

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """The picture, standing still."""
        return still_clip(self.sample(seed, index, size), frames)


def _middle(mask: Bool[ndarray, "H W"]) -> ndarray:
    """Mean place of a mask's pixels in unit coordinates."""
    rows, columns = np.nonzero(mask)
    size = mask.shape[-1]
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5], np.float32) * (2.0 / size) - 1.0
