"""Balls of different size and colour that bounce off walls and off each other."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from kpcore.data.synthetic.drawing import Body, Patch, scene, scene_clip
from kpcore.data.synthetic.motion import collided
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 4


def _ball(hue: float) -> tuple[Patch, ...]:
    """A ball of radius 1: rim, face and a highlight."""
    rim = colorsys.hsv_to_rgb(hue, 0.75, 0.72)
    face = colorsys.hsv_to_rgb(hue, 0.68, 0.90)
    light = colorsys.hsv_to_rgb(hue, 0.20, 1.00)
    return (
        Patch("ellipse", (1.0, 1.0), rim),
        Patch("ellipse", (0.80, 0.80), face, (-0.06, -0.10)),
        Patch("ellipse", (0.22, 0.22), light, (-0.32, -0.36)),
    )


@dataclass(frozen=True, slots=True)
class Bouncing:
    """Two to six balls in a dark box; elastic collisions, no friction, no gravity."""

    title: str = "bouncing balls"

    def _world(
        self, random: np.random.Generator, size: int
    ) -> tuple[np.ndarray, list[Body], np.ndarray]:
        ground = np.asarray(colorsys.hsv_to_rgb(random.random(), 0.35, random.uniform(0.10, 0.28)))
        picture = np.broadcast_to(ground.astype(np.float32)[:, None, None], (3, size, size))
        bodies: list[Body] = []
        count = int(random.integers(2, 7))
        hues = random.permutation(np.arange(8)) / 8.0 + random.uniform(-0.03, 0.03, 8)
        for _ in range(400):
            if len(bodies) == count:
                break
            radius = float(random.uniform(0.06, 0.11))
            place = random.uniform(radius, 1.0 - radius, 2)
            near = [
                np.hypot(*(place - np.asarray(b.place))) < radius + b.scale + 0.01 for b in bodies
            ]
            if not any(near):
                ball = _ball(float(hues[len(bodies)]) % 1.0)
                bodies.append(Body(ball, (float(place[0]), float(place[1])), 0.0, radius))
        heading = random.uniform(0.0, 2.0 * np.pi, len(bodies))
        pace = random.uniform(0.01, 0.03, len(bodies))
        velocity = np.stack([np.cos(heading), np.sin(heading)], axis=1) * pace[:, None]
        return picture, bodies, velocity

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        ground, bodies, _ = self._world(generator(seed, index, STREAM), size)
        return scene(ground, bodies, range(len(bodies)))

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip; see `SceneSource`."""
        ground, bodies, velocity = self._world(generator(seed, index, STREAM), size)
        start = np.asarray([b.place for b in bodies])
        places = collided(start, velocity, np.asarray([b.scale for b in bodies]), frames)
        moved = [
            [
                Body(b.patches, (float(p[0]), float(p[1])), b.angle, b.scale)
                for b, p in zip(bodies, row, strict=True)
            ]
            for row in places
        ]
        return scene_clip(ground, moved, range(len(bodies)))
