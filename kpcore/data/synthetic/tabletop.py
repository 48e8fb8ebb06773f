"""A robot arm that pushes three toys about on a table, seen from above."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kpcore.data.labelled import Facts
from kpcore.data.synthetic.drawing import Body, Patch, scene, scene_clip
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 12
FRAMES = 30
"""Frames of a video of the data set this stands in for."""
ARM = (0.34, 0.30, 0.10)
"""Lengths of the links from the base on, picture sides; the last one is the gripper."""
BASE = (0.5, -0.02)
"""Where the arm stands: beyond the upper edge."""
TOYS = 3

LANDMARKS = ("elbow", "wrist", "tip", "bear", "duck", "block")
"""Of the arm, whose base never moves, and the middle of each toy."""

_ARM_COLOURS = ((0.16, 0.17, 0.20), (0.24, 0.26, 0.30), (0.86, 0.52, 0.14))
_THICKNESS = (0.034, 0.028, 0.022)
_REACH = 0.055
"""Distance from the gripper at which a toy is pushed, beyond the toy's own radius."""


@dataclass(frozen=True, slots=True)
class TabletopTruth:
    """What is known of a clip, in unit coordinates.

    Attributes:
        arm: Base, elbow, wrist and tip of the arm.
        toys: Middle of each toy.
        turned: Angle of each toy, radians.
    """

    arm: Float[ndarray, "T 4 2"]
    toys: Float[ndarray, "T 3 2"]
    turned: Float[ndarray, "T 3"]


def _elbow(tip: ndarray) -> ndarray:
    """Base, elbow, wrist and tip of an arm whose gripper reaches for `tip` straight from above."""
    base = np.asarray(BASE)
    upper, fore, gripper = ARM
    way = tip - base
    direction = way / max(1e-6, float(np.hypot(*way)))
    wrist = tip - gripper * direction
    span = wrist - base
    distance = float(np.clip(np.hypot(*span), abs(upper - fore) + 1e-3, upper + fore - 1e-3))
    along = span / max(1e-6, float(np.hypot(*span)))
    wrist = base + distance * along
    foot = (upper**2 - fore**2 + distance**2) / (2.0 * distance)
    height = np.sqrt(max(0.0, upper**2 - foot**2))
    elbow = base + foot * along + height * np.asarray([-along[1], along[0]])
    return np.stack([base, elbow, wrist, wrist + gripper * direction])


def _toy(number: int, hue: float) -> tuple[Patch, ...]:
    """A plush toy of radius 1: a bear, a duck, a block, told apart by shape."""
    body = colorsys.hsv_to_rgb(hue, 0.62, 0.82)
    dark = colorsys.hsv_to_rgb(hue, 0.70, 0.52)
    if number == 0:
        return (
            Patch("ellipse", (0.36, 0.36), dark, (0.72, -0.62)),
            Patch("ellipse", (0.36, 0.36), dark, (0.72, 0.62)),
            Patch("ellipse", (1.0, 0.86), body),
            Patch("ellipse", (0.30, 0.34), dark, (0.45, 0.0)),
        )
    if number == 1:
        return (
            Patch("ellipse", (1.0, 0.62), body, (-0.1, 0.0)),
            Patch("ellipse", (0.46, 0.42), body, (0.72, 0.0)),
            Patch("triangle", (0.22, 0.20), dark, (1.16, 0.0)),
        )
    return (
        Patch("box", (0.82, 0.82), body, corner=0.24),
        Patch("box", (0.62, 0.14), dark),
    )


@dataclass(frozen=True, slots=True)
class Tabletop:
    """An arm of three links and three toys; what the gripper touches is pushed and turned.

    Objects are the toys and then the links, from the base on.

    Stands in for the Bot-and-Objects videos of Keypoint Pyramids: 30 frames of random moves of a
    gripper among three toys on one table.

    Rearranged, the arm and the toys stand elsewhere from one frame to the next, each with even
    odds, rather than being moved by the gripper: in pushed clips a pair of frames differs by the
    arm and little else, and keypoints learned from pairs heed what differs.

    Source: other_systems.md section 8, tabletop.
    """

    title: str = "robot arm and three toys on a table"
    rearranged: bool = False

    def _world(
        self, seed: int, index: int, frames: int
    ) -> tuple[ndarray, ndarray, ndarray, ndarray, float]:
        """Arm (T, 4, 2), toys (T, 3, 2), their angles (T, 3), radii (3,), light; side units."""
        random = generator(seed, index, STREAM)
        radius = random.uniform(0.065, 0.085, TOYS)
        light = float(random.uniform(0.85, 1.08))
        toys = np.zeros((TOYS, 2))
        for number in range(TOYS):
            _put(random, toys, radius, number, range(number))
        angle = random.uniform(-np.pi, np.pi, TOYS)
        tip = random.uniform([0.2, 0.2], [0.8, 0.6])
        goal, tips, places, angles = tip.copy(), [], [], []
        for _ in range(frames):
            tips.append(tip.copy())
            places.append(toys.copy())
            angles.append(angle.copy())
            if self.rearranged:
                tip = _rearrange(random, tip, toys, angle, radius)
                continue
            if np.hypot(*(goal - tip)) < 0.06:
                # Mostly through a toy and on, so that toys are often displaced.
                aim = toys[int(random.integers(TOYS))] + random.normal(0.0, 0.1, 2)
                goal = np.clip(aim, [0.12, 0.12], [0.88, 0.68])
            step = goal - tip
            pace = min(float(np.hypot(*step)), float(random.uniform(0.05, 0.1)))
            tip = tip + pace * step / max(1e-6, float(np.hypot(*step)))
            _push(tip, toys, angle, radius)
        arm = np.stack([_elbow(place) for place in tips])
        return arm, np.stack(places), np.stack(angles), radius, light

    def truth(self, seed: int, index: int, frames: int) -> TabletopTruth:
        """Return where the arm's joints and the toys are in each frame of a clip."""
        arm, toys, turned, _, _ = self._world(seed, index, frames)
        unit = (np.concatenate([arm, toys], 1) * 2.0 - 1.0).astype(np.float32)
        return TabletopTruth(unit[:, :4], unit[:, 4:], turned.astype(np.float32))

    @property
    def landmark_facts(self) -> Facts:
        """Names of the arm's joints and of the toys; errors are in picture edges."""
        return Facts("tabletop", "procedural", LANDMARKS)

    def landmarks(self, seed: int, index: int) -> Float[ndarray, "1 6 2"]:
        """Return `LANDMARKS` in the first frame of clip `index`, in unit coordinates."""
        truth = self.truth(seed, index, 1)
        return np.concatenate([truth.arm[:, 1:], truth.toys], axis=1)

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        ground, bodies = self._drawn(seed, index, size, 1)
        return scene(ground, bodies[0], range(TOYS + len(ARM)))

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip; see `SceneSource`."""
        ground, bodies = self._drawn(seed, index, size, frames)
        return scene_clip(ground, bodies, range(TOYS + len(ARM)))

    def _drawn(
        self, seed: int, index: int, size: int, frames: int
    ) -> tuple[Float[ndarray, "3 H W"], list[list[Body]]]:
        """The table, and toys and links of each frame (the arm, nearest, last)."""
        arm, toys, angles, radius, light = self._world(seed, index, frames)
        hues = (0.08, 0.14, 0.58)
        bodies = [
            [
                *(
                    Body(
                        _toy(number, hues[number]),
                        (float(toys[t, number, 0]), float(toys[t, number, 1])),
                        float(angles[t, number]),
                        float(radius[number]),
                    )
                    for number in range(TOYS)
                ),
                *_arm(arm[t]),
            ]
            for t in range(frames)
        ]
        grain = np.linspace(-0.05, 0.05, size, dtype=np.float32)
        wood = np.asarray([0.62, 0.55, 0.46], np.float32) * np.float32(light)
        ground = wood[:, None, None] * (1.0 + grain[None, :, None] + 0.0 * grain[None, None, :])
        return np.clip(ground, 0.0, 1.0), bodies


def _put(
    random: np.random.Generator,
    toys: ndarray,
    radius: ndarray,
    number: int,
    others: Sequence[int],
) -> None:
    """Put a toy where it is clear of some others, if such a place is found."""
    kept = list(others)
    for _ in range(200):
        toys[number] = random.uniform([0.15, 0.30], [0.85, 0.85])
        gaps = np.hypot(*(toys[kept] - toys[number]).T)
        if (gaps > radius[kept] + radius[number] + 0.02).all():
            break


def _rearrange(
    random: np.random.Generator, tip: ndarray, toys: ndarray, angle: ndarray, radius: ndarray
) -> ndarray:
    """Put about half of the toys elsewhere, turned, and return where the gripper is now."""
    for number in range(TOYS):
        if random.random() < 0.5:
            _put(random, toys, radius, number, [n for n in range(TOYS) if n != number])
            angle[number] = random.uniform(-np.pi, np.pi)
    if random.random() < 0.5:
        tip = random.uniform([0.12, 0.12], [0.88, 0.68])
    _push(tip, toys, angle, radius)
    return tip


def _push(tip: ndarray, toys: ndarray, angle: ndarray, radius: ndarray) -> None:
    """Move what the gripper touches, and what that touches in turn, out of the way."""
    for number in range(TOYS):
        away = toys[number] - tip
        distance = max(1e-6, float(np.hypot(*away)))
        overlap = radius[number] + _REACH - distance
        if overlap > 0.0:
            toys[number] += overlap * away / distance
            angle[number] += 4.0 * overlap * (1.0 if number % 2 else -1.0)
    for first in range(TOYS):
        for second in range(first + 1, TOYS):
            gap = toys[second] - toys[first]
            distance = max(1e-6, float(np.hypot(*gap)))
            overlap = radius[first] + radius[second] - distance
            if overlap > 0.0:
                toys[first] -= 0.5 * overlap * gap / distance
                toys[second] += 0.5 * overlap * gap / distance
    np.clip(toys, 0.09, 0.91, out=toys)


def _arm(joints: Float[ndarray, "4 2"]) -> list[Body]:
    """The links, from the base on: each is a rigid body with round ends."""
    links: list[Body] = []
    for a, b, half, colour in zip(joints, joints[1:], _THICKNESS, _ARM_COLOURS, strict=False):
        middle, along = (a + b) / 2.0, b - a
        length = float(np.hypot(*along))
        patch = Patch("box", (length / 2.0 + half, half), colour, corner=half)
        angle = float(np.arctan2(along[1], along[0]))
        links.append(Body((patch,), (float(middle[0]), float(middle[1])), angle))
    return links
