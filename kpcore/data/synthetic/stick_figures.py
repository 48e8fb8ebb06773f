"""Articulated figures that act: one person per video in front of a still ground of its own."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kpcore.data.labelled import Facts
from kpcore.data.synthetic.drawing import Body, Patch, paint
from kpcore.data.synthetic.scene import HELD_OUT_SEED, Scene, SceneClip, generator
from kpcore.data.synthetic.skeleton import (
    ACTIONS,
    JOINTS,
    PAIRS,
    SUBJECTS,
    TEST_SUBJECTS,
    Performance,
    Person,
    perform,
    person,
    pose,
)

STREAM = 11
FRAMES = 250
"""Frames of a video, as far as a reference may lie from its picture."""

Colour = tuple[float, float, float]

_LIMBS = (
    # from, to, half thickness, part
    (4, 5, 0.044, "trousers"), (5, 6, 0.036, "trousers"),
    (1, 2, 0.044, "trousers"), (2, 3, 0.036, "trousers"),
    (11, 12, 0.034, "shirt"), (12, 13, 0.028, "skin"),
    (14, 15, 0.034, "shirt"), (15, 16, 0.028, "skin"),
    (0, 8, 0.066, "shirt"), (11, 14, 0.038, "shirt"), (1, 4, 0.044, "trousers"),
    (8, 9, 0.028, "skin"),
)  # fmt: skip
_HEAD = 0.068


@dataclass(frozen=True, slots=True)
class FigureTruth:
    """What is known of a video.

    Attributes:
        joints: (x, y) of the 17 joints in unit coordinates, in the order of `skeleton.JOINTS`.
        action: Index in `skeleton.ACTIONS`.
        subject: Number of the person.
    """

    joints: Float[ndarray, "T 17 2"]
    action: int
    subject: int


def _capsule(a: ndarray, b: ndarray, radius: float, colour: Colour) -> Body:
    """A limb from a to b with round ends."""
    along = b[:2] - a[:2]
    length = float(np.hypot(*along))
    middle = (a[:2] + b[:2]) / 2.0
    patch = Patch("box", (length / 2.0 + radius, radius), colour, corner=radius)
    angle = float(np.arctan2(along[1], along[0]))
    return Body((patch,), (float(middle[0]), float(middle[1])), angle)


def _shaded(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(1.0, max(0.0, c * factor)) for c in colour)
    return r, g, b


def _bodies(joints: Float[ndarray, "17 3"], who: Person) -> list[Body]:
    """The figure's parts, farthest first; nearer parts are a little lighter."""
    scale, girth = who.height, who.girth
    colours = {"shirt": who.shirt, "trousers": who.trousers, "skin": who.skin}
    parts: list[tuple[float, Body]] = []
    middle = float(joints[:, 2].mean())
    for first, last, radius, part in _LIMBS:
        depth = float(joints[first, 2] + joints[last, 2]) / 2.0
        shade = 1.0 + 1.2 * (depth - middle)
        limb = _capsule(
            joints[first], joints[last], radius * girth * scale, _shaded(colours[part], shade)
        )
        parts.append((depth, limb))
    across = joints[11] - joints[14]
    trunk = joints[9] - joints[0]
    forward = np.cross(across, trunk)
    forward /= max(1e-6, float(np.linalg.norm(forward)))
    head = (joints[9] + joints[10]) / 2.0
    parts.append((float(head[2]), _disc(head, _HEAD * scale, who.hair)))
    face = head + 0.036 * scale * forward
    parts.append((float(head[2] + 0.05 * forward[2]), _disc(face, 0.050 * scale, who.skin)))
    badge = (joints[8] + joints[7]) / 2.0 + 0.05 * girth * scale * forward
    light = _shaded(who.shirt, 0.45)
    if forward[2] > 0.0:
        parts.append((float(joints[[0, 8], 2].mean() + 0.04), _disc(badge, 0.026 * scale, light)))
    return [body for _, body in sorted(parts, key=lambda part: part[0])]


def _disc(centre: ndarray, radius: float, colour: Colour) -> Body:
    return Body((Patch("ellipse", (radius, radius), colour),), (float(centre[0]), float(centre[1])))


@functools.lru_cache(maxsize=64)
def _ground(seed: int, index: int, size: int) -> Float[ndarray, "3 H W"]:
    """The still ground of a video: a wall and a floor, smooth light over both."""
    random = np.random.default_rng((seed, index, STREAM, 1))
    wall = random.uniform(0.3, 0.75) + random.uniform(-0.1, 0.1, 3)
    floor = random.uniform(0.25, 0.65) + random.uniform(-0.1, 0.1, 3)
    picture = np.broadcast_to(wall[:, None, None], (3, size, size)).astype(np.float32).copy()
    picture[:, round(size * random.uniform(0.72, 0.86)) :] = floor[:, None, None]
    slope = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    across, down = random.uniform(-0.12, 0.12, 2)
    light = 1.0 + across * slope[None, :] + down * slope[:, None]
    return np.clip(picture * light.astype(np.float32), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class StickFigures:
    """A person of 17 joints who walks, waves, squats, ... seen from anywhere around.

    Index i of a stream is a video of action i mod 11; people 0 to 4 act in training streams and
    5, 6 in held-out ones, as Human3.6M is split by its subjects. Every video has a still ground of
    its own.

    Source: other_systems.md section 8, stick figures.
    """

    title: str = "acting stick figures, still grounds"

    def performance(self, seed: int, index: int) -> Performance:
        """Return who does what, and how, in video `index`."""
        random = generator(seed, index, STREAM)
        people = SUBJECTS - TEST_SUBJECTS
        subject = (
            people + index // len(ACTIONS) % TEST_SUBJECTS
            if seed >= HELD_OUT_SEED
            else index // len(ACTIONS) % people
        )
        return perform(index % len(ACTIONS), subject, random)

    def truth(self, seed: int, index: int, frames: int, first: int = 0) -> FigureTruth:
        """Return the joints of some frames of a video, its action and its person."""
        acting = self.performance(seed, index)
        joints = pose(acting, np.arange(first, first + frames, dtype=np.float64))
        unit = (joints[..., :2] * 2.0 - 1.0).astype(np.float32)
        return FigureTruth(unit, acting.action, acting.subject)

    @property
    def landmark_facts(self) -> Facts:
        """Names of the joints and which are left and right; errors are in picture edges."""
        return Facts("stick figures", "procedural", JOINTS, mirrored=PAIRS)

    def landmarks(self, seed: int, index: int) -> Float[ndarray, "1 17 2"]:
        """Return the joints in the first frame of video `index`, in unit coordinates."""
        return self.truth(seed, index, 1).joints

    def frame(self, seed: int, index: int, size: int, time: int) -> Scene:
        """Return one frame of a video, without drawing those before it."""
        acting = self.performance(seed, index)
        joints = pose(acting, np.asarray([float(time)]))[0]
        return _scene(_ground(seed, index, size), joints, person(acting.subject))

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        return self.frame(seed, index, size, 0)

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip; see `SceneSource`."""
        acting = self.performance(seed, index)
        ground, who = _ground(seed, index, size), person(acting.subject)
        poses = pose(acting, np.arange(frames, dtype=np.float64))
        scenes = [_scene(ground, joints, who) for joints in poses]
        return SceneClip(
            image=np.stack([s.image for s in scenes]),
            position=np.stack([s.position for s in scenes]),
            mask=np.stack([s.mask for s in scenes]),
            visible=np.stack([s.visible for s in scenes]),
            identity=scenes[0].identity,
        )


def _scene(ground: ndarray, joints: Float[ndarray, "17 3"], who: Person) -> Scene:
    """The person as one object over the ground, at the middle of its bounding box."""
    picture, masks, _ = paint(ground, _bodies(joints, who))
    mask = np.asarray(masks.any(0))
    size = ground.shape[-1]
    rows, columns = np.nonzero(mask)
    box = np.asarray([columns.min() + columns.max(), rows.min() + rows.max()])
    middle = (box + 1.0) / size - 1.0
    return Scene(
        image=np.clip(picture, 0.0, 1.0),
        position=middle[None].astype(np.float32),
        mask=mask[None],
        visible=np.ones(1, np.float32),
        identity=np.zeros(1, np.int64),
    )
