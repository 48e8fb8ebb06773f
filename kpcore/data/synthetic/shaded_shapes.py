"""Shaded cubes, balls and cylinders on a grey floor: a procedural stand-in for CLEVR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from kpcore.data.synthetic.motion import reflected
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 14
SHAPES = ("cube", "ball", "cylinder")
COLOURS = {
    "grey": (0.34, 0.34, 0.34),
    "red": (0.68, 0.14, 0.14),
    "blue": (0.16, 0.29, 0.84),
    "green": (0.11, 0.41, 0.08),
    "brown": (0.51, 0.29, 0.10),
    "purple": (0.51, 0.15, 0.75),
    "cyan": (0.16, 0.82, 0.82),
    "yellow": (1.0, 0.93, 0.20),
}
SIZES = {"large": 0.105, "small": 0.060}
"""Half the height of an object at the front, in picture edges."""
MATERIALS = ("rubber", "metal")
_FINE = 2
"""Pictures are painted so many times finer, then averaged."""
_CHECKED, _ENOUGH = 48, 0.33
"""Side in pixels at which things are checked for how much of each shows, and the least share."""
_NEAREST = 0.9
_TRIES = 60


@dataclass(frozen=True, slots=True)
class _Thing:
    shape: str
    colour: str
    size: str
    material: str
    x: float
    y: float
    turn: float

    @property
    def half(self) -> float:
        """Half height in picture edges: things farther back, higher up, look smaller."""
        return SIZES[self.size] * (0.7 + 0.4 * self.y)


@dataclass(frozen=True, slots=True)
class ShadedShapes:
    """Three shapes, eight colours, two sizes and two materials, nearer ones in front.

    Stands in for CLEVR, whose renderer is not needed here; the attributes and counts are CLEVR's,
    light and perspective are simple formulas. Objects may cover each other in part, but at least a
    third of each shows.

    Source: other_systems.md section 8.

    Attributes:
        least: fewest objects of a picture.
        most: most objects; 6 as in CLEVR6, 10 for the larger test.
        title: for people.
    """

    least: int = 3
    most: int = 6
    title: str = "shaded cubes, balls and cylinders"

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        things = self._shown(generator(seed, index, STREAM))
        drawn = _paint(things, size)
        return Scene(
            image=drawn.image,
            position=_places(things),
            mask=drawn.mask,
            visible=drawn.visible,
            identity=np.arange(len(things)),
            attributes=tuple(
                {"shape": t.shape, "colour": t.colour, "size": t.size, "material": t.material}
                for t in things
            ),
        )

    def _shown(self, random: np.random.Generator) -> list[_Thing]:
        """Things, farthest first, of each of which enough shows."""
        while True:
            things = sorted(self._things(random), key=lambda thing: thing.y)
            if not things or _paint(things, _CHECKED).visible.min() > _ENOUGH:
                return things

    def _things(self, random: np.random.Generator) -> list[_Thing]:
        count = int(random.integers(self.least, self.most + 1))
        things: list[_Thing] = []
        for _ in range(_TRIES):
            if len(things) == count:
                break
            thing = _Thing(
                SHAPES[int(random.integers(len(SHAPES)))],
                list(COLOURS)[int(random.integers(len(COLOURS)))],
                list(SIZES)[int(random.integers(len(SIZES)))],
                MATERIALS[int(random.integers(len(MATERIALS)))],
                float(random.uniform(0.12, 0.88)),
                float(random.uniform(0.28, 0.86)),
                float(random.uniform(0.0, np.pi / 2)),
            )
            if all(
                np.hypot(thing.x - other.x, 1.4 * (thing.y - other.y))
                > _NEAREST * (thing.half + other.half)
                for other in things
            ):
                things.append(thing)
        return things

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip: things slide sideways over the floor and turn back near the edges."""
        random = generator(seed, index, STREAM)
        things = self._shown(random)
        velocity = random.normal(0.0, 0.01, (len(things), 2)) * (1.0, 0.0)
        start = np.array([(thing.x, thing.y) for thing in things])
        paths = reflected(start, velocity, np.full(len(things), 0.1), frames)
        moved = [
            [replace(t, x=float(x)) for t, (x, _) in zip(things, row, strict=True)] for row in paths
        ]
        drawn = [_paint(row, size) for row in moved]
        return SceneClip(
            image=np.stack([one.image for one in drawn]),
            position=np.stack([_places(row) for row in moved]),
            mask=np.stack([one.mask for one in drawn]),
            visible=np.stack([one.visible for one in drawn]),
            identity=np.arange(len(things)),
        )


def _places(things: Sequence[_Thing]) -> Float[ndarray, "N 2"]:
    return np.array([(thing.x * 2 - 1, thing.y * 2 - 1) for thing in things], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    image: Float[ndarray, "3 H W"]
    mask: Bool[ndarray, "N H W"]
    visible: Float[ndarray, " N"]


def _paint(things: list[_Thing], size: int) -> _Drawn:
    """Paint things from back to front, twice as fine, and average."""
    fine = size * _FINE
    along = (np.arange(fine, dtype=np.float32) + 0.5) / fine
    x, y = np.meshgrid(along, along)
    glow = 0.58 - 0.22 * ((x - 0.5) ** 2 + (y - 0.6) ** 2)
    picture = np.repeat(glow[None], 3, axis=0)
    masks = np.zeros((len(things), fine, fine), bool)
    whole = np.ones(len(things))
    for number, thing in enumerate(things):
        shadow = ((x - thing.x - 0.5 * thing.half) / (1.5 * thing.half)) ** 2
        shadow += ((y - thing.y - 0.8 * thing.half) / (0.5 * thing.half)) ** 2
        picture *= 1.0 - 0.35 * np.clip(1.2 - shadow, 0.0, 1.0)
        u, v = (x - thing.x) / thing.half, (y - thing.y) / thing.half
        inside, light, gloss = _SURFACES[thing.shape](u, v, thing.turn)
        shine = 0.9 if thing.material == "metal" else 0.15
        body = np.array(COLOURS[thing.colour], np.float32)[:, None, None] * light + shine * gloss
        picture = np.where(inside, np.clip(body, 0.0, 1.0), picture)
        masks[:number] &= ~inside
        masks[number] = inside
        whole[number] = max(1, int(inside.sum()))
    visible = masks.sum((1, 2)) / whole
    return _Drawn(
        _smaller(picture),
        _smaller(masks.astype(np.float32)) > 0.5,
        visible.astype(np.float32),
    )


def _smaller(fine: Float[ndarray, "C h w"]) -> Float[ndarray, "C H W"]:
    count, side = fine.shape[0], fine.shape[-1] // _FINE
    return fine.reshape(count, side, _FINE, side, _FINE).mean((2, 4)).astype(np.float32)


Surface = tuple[ndarray, ndarray, ndarray]
"""Which points a thing covers, its brightness there, and the highlight on it."""


def _spot(u: ndarray, v: ndarray) -> ndarray:
    return np.exp(-((u + 0.35) ** 2 + (v + 0.45) ** 2) / 0.03)


def _ball(u: ndarray, v: ndarray, turn: float) -> Surface:
    square = u**2 + v**2
    height = np.sqrt(np.clip(1.0 - square, 0.0, 1.0))
    light = 0.45 + 0.75 * np.clip(-0.45 * u - 0.6 * v + 0.66 * height, 0.0, 1.0)
    return square < 1.0, light, _spot(u, v)


def _cylinder(u: ndarray, v: ndarray, turn: float) -> Surface:
    wide, flat = 0.85, 0.28
    lid = (u / wide) ** 2 + ((v + 0.7) / flat) ** 2 < 1.0
    foot = (u / wide) ** 2 + ((v - 0.7) / flat) ** 2 < 1.0
    side = (np.abs(u) < wide) & (np.abs(v) < 0.7)
    round_ = np.sqrt(np.clip(1.0 - (u / wide) ** 2, 0.0, 1.0))
    light = np.where(lid, 1.15, 0.45 + 0.55 * np.clip(-0.5 * u / wide + 0.8 * round_, 0.0, 1.0))
    gloss = np.exp(-((u + 0.4) ** 2) / 0.01) * ~lid * 0.7
    return lid | foot | side, light, gloss


def _cube(u: ndarray, v: ndarray, turn: float) -> Surface:
    """A cube turned about the vertical: its top is a square seen at a slant, two sides below."""
    angles = turn + np.arange(4) * (np.pi / 2.0)
    corner = np.stack([np.cos(angles), 0.42 * np.sin(angles)], axis=1) * 1.0
    lid = np.ones(u.shape, bool)
    for a, b in zip(corner, np.roll(corner, -1, axis=0), strict=True):
        lid &= (b[0] - a[0]) * (v + 0.55 - a[1]) - (b[1] - a[1]) * (u - a[0]) > 0.0
    inside, light = lid.copy(), np.where(lid, 1.15, 0.0)
    for a, b in zip(corner, np.roll(corner, -1, axis=0), strict=True):
        if a[0] <= b[0]:
            continue
        share = (u - b[0]) / max(a[0] - b[0], 1e-6)
        edge = b[1] + share * (a[1] - b[1]) - 0.55
        face = (share > 0.0) & (share < 1.0) & (v >= edge) & (v < edge + 1.1)
        bright = 0.55 + 0.35 * np.clip(-(a[1] - b[1]) / 0.6, -1.0, 1.0)
        light = np.where(face & ~lid, bright, light)
        inside |= face
    return inside, light, _spot(u, v) * 0.4


_SURFACES = {"ball": _ball, "cylinder": _cylinder, "cube": _cube}
