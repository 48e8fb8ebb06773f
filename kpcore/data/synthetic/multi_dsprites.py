"""Multi-dSprites as in LAVAE: a few saturated shapes scattered on black."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpcore.data.synthetic.drawing import Body, Outline, Patch, scene, scene_clip
from kpcore.data.synthetic.motion import reflected
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 2
OUTLINES: tuple[Outline, ...] = ("box", "ellipse", "triangle")
COLOURS = tuple((float(c >> 2 & 1), float(c >> 1 & 1), float(c & 1)) for c in range(1, 8))
"""The seven saturated colours that are not black."""
SIDE = 64
"""Pixels of the paper's pictures."""
LARGEST = 19.0 / SIDE
"""Largest side of a sprite at scale 1: 19 of 64 pixels."""


def _half(outline: Outline) -> tuple[float, float]:
    """Half extents at scale 1, chosen so that no turn of the shape leaves the largest box."""
    half = LARGEST / 2
    if outline == "box":
        return half / np.sqrt(2.0), half / np.sqrt(2.0)
    if outline == "ellipse":
        return half, half * 0.6
    return half * 0.75, half * 0.66


@dataclass(frozen=True, slots=True)
class MultiDSprites:
    """Squares, ellipses and triangles in seven colours on black, apart from each other.

    Source: LAVAE sec. 3.2: 0 to 3 sprites, six scales in [0.6, 1], 40 orientations, largest sprite
    19 x 19 of 64 x 64 pixels, at whole pixels of these, overlaps avoided. A second instance with
    `least` and `most` at 7 gives the paper's 7-object test set.

    Departs: outlines are anti-aliased rather than binary, so a pixel on an outline is in between.

    Attributes:
        least: fewest sprites of a picture.
        most: most sprites of a picture.
        title: for people.
    """

    least: int = 0
    most: int = 3
    title: str = "multi-dSprites: coloured shapes on black"

    def _bodies(self, random: np.random.Generator) -> tuple[list[Body], np.ndarray]:
        count = int(random.integers(self.least, self.most + 1))
        bodies = self._apart(random, count)
        while len(bodies) < count:
            bodies = self._apart(random, count)
        velocity = random.normal(0.0, 0.012, (len(bodies), 2))
        return bodies, velocity

    def _apart(self, random: np.random.Generator, count: int) -> list[Body]:
        """Sprites that do not overlap; fewer than asked for where no room was found."""
        bodies: list[Body] = []
        edge = LARGEST / 2
        for _ in range(200):
            if len(bodies) == count:
                break
            place = (np.floor(SIDE * random.uniform(edge, 1.0 - edge, 2)) + 0.5) / SIDE
            scale = float(random.choice(np.linspace(0.6, 1.0, 6)))
            angle = float(2.0 * np.pi * random.integers(40) / 40)
            outline = OUTLINES[int(random.integers(3))]
            colour = COLOURS[int(random.integers(7))]
            near = [
                np.hypot(*(place - np.asarray(b.place))) < (scale + b.scale) * edge for b in bodies
            ]
            if not any(near):
                patch = Patch(outline, _half(outline), colour)
                bodies.append(Body((patch,), (float(place[0]), float(place[1])), angle, scale))
        return bodies

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        bodies, _ = self._bodies(generator(seed, index, STREAM))
        ground = np.zeros((3, size, size), dtype=np.float32)
        return scene(ground, bodies, range(len(bodies)))

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip: sprites drift, turn back at the edges and pass over each other."""
        bodies, velocity = self._bodies(generator(seed, index, STREAM))
        ground = np.zeros((3, size, size), dtype=np.float32)
        start = np.asarray([b.place for b in bodies]).reshape(-1, 2)
        margin = np.full(len(bodies), LARGEST / 2)
        places = reflected(start, velocity, margin, frames)
        moved = [
            [
                Body(b.patches, (float(p[0]), float(p[1])), b.angle, b.scale)
                for b, p in zip(bodies, row, strict=True)
            ]
            for row in places
        ]
        return scene_clip(ground, moved, range(len(bodies)))
