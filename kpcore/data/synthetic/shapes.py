"""Coloured shapes of any colour on grounds of any colour; they may cover each other in part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpcore.data.synthetic.drawing import Body, Outline, Patch, scene, scene_clip
from kpcore.data.synthetic.motion import reflected
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 3
OUTLINES: tuple[Outline, ...] = ("ellipse", "box", "triangle")
CONTRAST = 0.35
"""Least difference to the ground in some channel."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """One to five discs, squares and triangles of 9 to 15 pixels in 64, ground softly shaded.

    Attributes:
        apart: least distance of two centres as a share of the sum of their half sides; below 1
            shapes may cover each other in part.
        title: for people.
    """

    apart: float = 0.8
    title: str = "coloured shapes on coloured grounds"

    def _world(
        self, random: np.random.Generator, size: int
    ) -> tuple[np.ndarray, list[Body], np.ndarray]:
        ground = random.uniform(0.0, 1.0, 3)
        shade = random.uniform(-0.08, 0.08, 2)
        along = np.linspace(-1, 1, size)
        light = 1.0 + shade[0] * along[None, :] + shade[1] * along[:, None]
        picture = np.clip(light * ground[:, None, None], 0.0, 1.0).astype(np.float32)
        bodies: list[Body] = []
        count = int(random.integers(1, 6))
        for _ in range(200):
            if len(bodies) == count:
                break
            half = float(random.uniform(4.5, 7.5)) / 64.0
            place = random.uniform(half, 1.0 - half, 2)
            colour = random.uniform(0.0, 1.0, 3)
            outline = OUTLINES[int(random.integers(3))]
            near = [
                np.hypot(*(place - np.asarray(b.place))) < self.apart * (half + b.scale)
                for b in bodies
            ]
            if any(near) or np.abs(colour - ground).max() < CONTRAST:
                continue
            patch = Patch(
                outline, (1.0, 1.0), (float(colour[0]), float(colour[1]), float(colour[2]))
            )
            upright = -float(np.pi) / 2 if outline == "triangle" else 0.0
            bodies.append(Body((patch,), (float(place[0]), float(place[1])), upright, half))
        velocity = random.normal(0.0, 0.012, (len(bodies), 2))
        return picture, bodies, velocity

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        ground, bodies, _ = self._world(generator(seed, index, STREAM), size)
        return scene(ground, bodies, range(len(bodies)))

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip: shapes drift, turn back at the edges and pass over each other."""
        ground, bodies, velocity = self._world(generator(seed, index, STREAM), size)
        start = np.asarray([b.place for b in bodies])
        margin = np.asarray([b.scale for b in bodies])
        places = reflected(start, velocity, margin, frames)
        moved = [
            [
                Body(b.patches, (float(p[0]), float(p[1])), b.angle, b.scale)
                for b, p in zip(bodies, row, strict=True)
            ]
            for row in places
        ]
        return scene_clip(ground, moved, range(len(bodies)))
