"""Tetrominoes: three coloured pieces of four squares each on black, apart from each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 11
SIDE, CELL, PIECES = 35, 5, 3
"""Pixels of a picture's side and of a square's, and pieces of a picture."""
_TRIES = 300

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
        return _scene(_pieces(generator(seed, index, STREAM)), size)

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip: pieces go a pixel at a time, where there is room."""
        random = generator(seed, index, STREAM)
        pieces = _pieces(random)
        scenes = [_scene(pieces, size)]
        heading = random.integers(-1, 2, (PIECES, 2))
        heading[0] = (1, 0) if pieces[0].column < SIDE // 2 else (-1, 0)
        for _ in range(frames - 1):
            for number, (down, right) in enumerate(heading):
                moved = pieces[number].moved(int(down), int(right))
                others = [piece for other, piece in enumerate(pieces) if other != number]
                if moved.inside() and moved.free(others):
                    pieces[number] = moved
                else:
                    heading[number] = random.integers(-1, 2, 2)
            scenes.append(_scene(pieces, size))
        return SceneClip(
            image=np.stack([scene.image for scene in scenes]),
            position=np.stack([scene.position for scene in scenes]),
            mask=np.stack([scene.mask for scene in scenes]),
            visible=np.stack([scene.visible for scene in scenes]),
            identity=scenes[0].identity,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A shape in a colour, with its top left pixel."""

    shape: int
    colour: str
    row: int
    column: int

    @property
    def pixels(self) -> Bool[ndarray, "r c"]:
        return np.kron(SHAPES[self.shape][1], np.ones((CELL, CELL), bool))

    def moved(self, down: int, right: int) -> _Piece:
        return replace(self, row=self.row + down, column=self.column + right)

    def inside(self) -> bool:
        high, wide = self.pixels.shape
        return 0 <= self.row <= SIDE - high and 0 <= self.column <= SIDE - wide

    def mask(self) -> Bool[ndarray, "H W"]:
        mask = np.zeros((SIDE, SIDE), bool)
        pixels = self.pixels
        high, wide = pixels.shape
        mask[self.row : self.row + high, self.column : self.column + wide] = pixels
        return mask

    def free(self, others: Sequence[_Piece]) -> bool:
        own = self.mask()
        return not any((own & other.mask()).any() for other in others)


def _pieces(random: np.random.Generator) -> list[_Piece]:
    """Random pieces at random free places; all anew where one found none."""
    while True:
        pieces: list[_Piece] = []
        for _ in range(_TRIES):
            if len(pieces) == PIECES:
                return pieces
            shape = int(random.integers(len(SHAPES)))
            colour = list(COLOURS)[int(random.integers(len(COLOURS)))]
            high, wide = (CELL * cells for cells in SHAPES[shape][1].shape)
            row = int(random.integers(SIDE - high + 1))
            column = int(random.integers(SIDE - wide + 1))
            piece = _Piece(shape, colour, row, column)
            if piece.free(pieces):
                pieces.append(piece)


def _scene(pieces: Sequence[_Piece], size: int) -> Scene:
    pixels = ((np.arange(size) + 0.5) * (SIDE / size)).astype(int)
    mask = np.stack([piece.mask()[pixels[:, None], pixels] for piece in pieces])
    colours = np.array([COLOURS[piece.colour] for piece in pieces], np.float32)
    middles = [
        (piece.column + piece.pixels.shape[1] / 2, piece.row + piece.pixels.shape[0] / 2)
        for piece in pieces
    ]
    return Scene(
        image=np.einsum("nhw,nc->chw", mask.astype(np.float32), colours),
        position=(np.array(middles) * (2.0 / SIDE) - 1.0).astype(np.float32),
        mask=mask,
        visible=np.ones(len(pieces), np.float32),
        identity=np.arange(len(pieces)),
        attributes=tuple(
            {"shape": SHAPES[piece.shape][0], "colour": piece.colour} for piece in pieces
        ),
    )
