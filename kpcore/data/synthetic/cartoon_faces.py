"""Drawn faces with landmarks: one that fills the picture, one anywhere, or two or three."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kpcore.data.labelled import Facts
from kpcore.data.synthetic.drawing import Body, Patch, paint
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

STREAM = 17
LANDMARKS = (
    "left eye",
    "right eye",
    "nose",
    "left mouth corner",
    "right mouth corner",
    "left brow",
    "right brow",
    "chin",
)
"""As the viewer sees them; the first five are MAFL's, in its order."""

Layout = Literal["aligned", "wild", "several"]
Colour = tuple[float, float, float]

_EYES, _BROWS, _MOUTH = (0.42, -0.12), (0.42, -0.42), 0.50
"""Places in half widths of a head, from its middle."""


@dataclass(frozen=True, slots=True)
class _Face:
    """What one face looks like; lengths in half widths of the head.

    Attributes:
        place: Middle of the head in side units.
        half: Half width of the head in side units.
        roll: Turn in the picture's plane, radians.
        yaw: -1 to 1; inner features move by that times 15 % of the head's width.
        smile: How far the corners of the mouth lie above its middle.
        gape: Half opening of the mouth.
        brow: How far the brows are raised.
        length: Height of the head by its width.
        skin, hair, iris: Colours.
        fringe: How far the hair comes down over the forehead.
    """

    place: tuple[float, float]
    half: float
    roll: float
    yaw: float
    smile: float
    gape: float
    brow: float
    length: float
    skin: Colour
    hair: Colour
    iris: Colour
    fringe: float


@dataclass(frozen=True, slots=True)
class CartoonFaces:
    """Heads with hair, ears, eyes, brows, nose and mouth that turn, nod and smile.

    Attributes:
        layout: "aligned" as CelebA's crops are; "wild": a head of over 30 % of the picture anywhere
            in it; "several": two or three smaller heads side by side, for models that learned from
            one (TUSK, figure 1).
        title: For people.

    Source: other_systems.md section 8, cartoon faces and the two-face test.
    """

    layout: Layout = "aligned"
    title: str = "drawn faces"

    def _faces(self, random: np.random.Generator) -> list[_Face]:
        if self.layout == "several":
            count = int(random.integers(2, 4))
            slots = (np.arange(count) + 0.5) / count
            places = [(float(x), float(random.uniform(0.35, 0.65))) for x in slots]
            halves = [float(random.uniform(0.36, 0.42)) / count for _ in places]
        elif self.layout == "wild":
            half = float(random.uniform(0.27, 0.36))
            room = max(0.0, 0.5 - 1.1 * half)
            x, y = (float(c) for c in 0.5 + random.uniform(-room, room, 2))
            places, halves = [(x, y)], [half]
        else:
            x, y = (float(c) for c in random.uniform(-0.03, 0.03, 2))
            places, halves = [(0.5 + x, 0.52 + y)], [0.33 * float(random.uniform(0.9, 1.1))]
        return [_face(random, p, h) for p, h in zip(places, halves, strict=True)]

    def _world(self, seed: int, index: int, size: int) -> tuple[ndarray, list[_Face]]:
        random = generator(seed, index, STREAM)
        ground = _ground(random, size)
        return ground, self._faces(random)

    @property
    def landmark_facts(self) -> Facts:
        """Names of the landmarks; errors are in distances of the eyes."""
        return Facts("drawn faces", "procedural", LANDMARKS, (0, 1), ((0, 1), (3, 4), (5, 6)))

    def landmarks(self, seed: int, index: int) -> Float[ndarray, "N 8 2"]:
        """Return `LANDMARKS` of every face of picture `index`, in unit coordinates."""
        _, faces = self._world(seed, index, 8)
        return np.stack([_landmarks(face) for face in faces])

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        ground, faces = self._world(seed, index, size)
        return _scene(ground, faces)

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip: heads turn to and fro and mouths open and close; see `SceneSource`."""
        ground, faces = self._world(seed, index, size)
        random = generator(seed, index, STREAM + 1)
        rates = random.uniform(0.05, 0.2, (len(faces), 4))
        scenes = [
            _scene(ground, [_moved(f, t * r) for f, r in zip(faces, rates, strict=True)])
            for t in range(frames)
        ]
        return SceneClip(
            image=np.stack([s.image for s in scenes]),
            position=np.stack([s.position for s in scenes]),
            mask=np.stack([s.mask for s in scenes]),
            visible=np.stack([s.visible for s in scenes]),
            identity=scenes[0].identity,
        )


def _face(random: np.random.Generator, place: tuple[float, float], half: float) -> _Face:
    tone = float(random.uniform(0.25, 1.0))
    dark, light = np.array([0.30, 0.18, 0.12]), np.array([0.98, 0.82, 0.70])
    skin = dark + tone * (light - dark) + random.uniform(-0.03, 0.03, 3)
    shade = float(random.uniform(0.05, 0.9))
    hair = shade * np.array([1.0, 0.75, 0.45]) * random.uniform(0.7, 1.0, 3)
    iris = random.uniform(0.1, 0.6, 3)
    return _Face(
        place=place,
        half=half,
        roll=float(np.radians(random.uniform(-15.0, 15.0))),
        yaw=float(random.uniform(-1.0, 1.0)),
        smile=float(random.uniform(-0.08, 0.16)),
        gape=float(max(0.0, random.uniform(-0.06, 0.14))),
        brow=float(random.uniform(-0.04, 0.10)),
        length=float(random.uniform(1.15, 1.35)),
        skin=_colour(skin),
        hair=_colour(hair),
        iris=_colour(iris),
        fringe=float(random.uniform(0.0, 0.22)),
    )


def _moved(face: _Face, phase: ndarray) -> _Face:
    """The face a little later; it starts as it is."""
    turn, nod, smile, gape = np.sin(phase)
    x, y = face.place
    return _Face(
        place=(x + 0.06 * face.half * float(turn), y + 0.04 * face.half * float(nod)),
        half=face.half,
        roll=face.roll + 0.15 * float(nod),
        yaw=float(np.clip(face.yaw + 0.8 * turn, -1.0, 1.0)),
        smile=face.smile + 0.06 * float(smile),
        gape=max(0.0, face.gape + 0.10 * float(gape)),
        brow=face.brow,
        length=face.length,
        skin=face.skin,
        hair=face.hair,
        iris=face.iris,
        fringe=face.fringe,
    )


def _colour(values: ndarray) -> Colour:
    r, g, b = (float(v) for v in np.clip(values, 0.0, 1.0))
    return r, g, b


def _ground(random: np.random.Generator, size: int) -> Float[ndarray, "3 H W"]:
    top, bottom = random.uniform(0.1, 0.9, (2, 3))
    down = (np.arange(size, dtype=np.float32) + 0.5) / size
    rows = top[:, None] + (bottom - top)[:, None] * down
    picture = np.broadcast_to(rows[:, :, None], (3, size, size))
    bodies = []
    for _ in range(int(random.integers(0, 4))):
        half = float(random.uniform(0.05, 0.25))
        x, y = (float(c) for c in random.uniform(0.0, 1.0, 2))
        blob = Patch("ellipse", (half, half), _colour(random.uniform(0.1, 0.9, 3)), opacity=0.5)
        bodies.append(Body((blob,), (x, y)))
    return paint(np.ascontiguousarray(picture, np.float32), bodies)[0]


def _inner(face: _Face) -> float:
    """Shift of the inner features to the right, in half widths."""
    return 0.30 * face.yaw


def _places(face: _Face, points: Float[ndarray, "T 2"]) -> Float[ndarray, "T 2"]:
    """Points of the head's own frame, in side units."""
    cos, sin = np.cos(face.roll), np.sin(face.roll)
    turned = points @ np.array([[cos, sin], [-sin, cos]])
    return np.asarray(face.place) + face.half * turned


def _features(face: _Face) -> Float[ndarray, "8 2"]:
    """`LANDMARKS` in the head's own frame."""
    shift = _inner(face)
    # The far side of a turned head is seen shorter.
    near, far = _EYES[0] * (1.0 - 0.18 * face.yaw), _EYES[0] * (1.0 + 0.18 * face.yaw)
    width = 0.36
    corner = _MOUTH - face.smile
    return np.array(
        [
            [shift - far, _EYES[1]],
            [shift + near, _EYES[1]],
            [1.25 * shift, 0.20],
            [shift - width, corner],
            [shift + width, corner],
            [shift - far, _BROWS[1] - face.brow],
            [shift + near, _BROWS[1] - face.brow],
            [0.35 * shift, face.length * 0.98],
        ]
    )


def _landmarks(face: _Face) -> Float[ndarray, "8 2"]:
    return (2.0 * _places(face, _features(face)) - 1.0).astype(np.float32)


def _bodies(face: _Face) -> list[Body]:
    """The head's parts, farthest first."""
    skin, dark = face.skin, _colour(0.75 * np.asarray(face.skin))
    points = _features(face)
    shift = _inner(face)

    def disc(x: float, y: float, a: float, b: float, colour: Colour, turn: float = 0.0) -> Body:
        place = _places(face, np.array([[x, y]]))[0]
        patch = Patch("ellipse", (a, b), colour)
        return Body((patch,), (float(place[0]), float(place[1])), face.roll + turn, face.half)

    def stroke(a: ndarray, b: ndarray, radius: float, colour: Colour) -> Body:
        ends = _places(face, np.stack([a, b]))
        middle, along = ends.mean(0), ends[1] - ends[0]
        long = float(np.hypot(*along)) / face.half / 2.0 + radius
        patch = Patch("box", (long, radius), colour, corner=radius)
        angle = float(np.arctan2(along[1], along[0]))
        return Body((patch,), (float(middle[0]), float(middle[1])), angle, face.half)

    lips = _colour(np.asarray(skin) * np.array([0.85, 0.45, 0.45]))
    bodies = [
        disc(0.0, -0.12, 1.12, face.length * 1.02, face.hair),
        disc(-1.0 + 0.1 * shift, 0.05, 0.16, 0.24, dark),
        disc(1.0 + 0.1 * shift, 0.05, 0.16, 0.24, dark),
        disc(0.0, 0.0, 1.0, face.length, skin),
        disc(-0.25 * shift, -face.length * 0.92, 0.85, 0.22 + face.fringe, face.hair),
    ]
    for eye in points[:2]:
        x, y = float(eye[0]), float(eye[1])
        bodies += [
            disc(x, y, 0.19, 0.12, (0.97, 0.97, 0.97)),
            disc(x + 0.04 * face.yaw, y, 0.085, 0.085, face.iris),
            disc(x + 0.04 * face.yaw, y, 0.04, 0.04, (0.02, 0.02, 0.02)),
        ]
    for brow in points[5:7]:
        ends = np.array([[-0.18, 0.02], [0.18, 0.02]]) + brow
        bodies.append(stroke(ends[0], ends[1], 0.045, face.hair))
    nose = points[2]
    bodies.append(stroke(np.array([shift, -0.05]), nose, 0.06, dark))
    bodies.append(disc(float(nose[0]), float(nose[1]), 0.12, 0.08, dark))
    left, right = points[3], points[4]
    middle = (left + right) / 2.0 + np.array([0.0, face.smile])
    bodies.append(
        disc(float(middle[0]), float(middle[1]), 0.24, 0.04 + face.gape, (0.25, 0.05, 0.08))
    )
    across = np.linspace(0.0, 1.0, 5)[:, None]
    curve = left + across * (right - left)
    curve[:, 1] += 4.0 * face.smile * (across * (1.0 - across))[:, 0]
    for sign in (-1.0, 1.0):
        lip = curve.copy()
        lip[:, 1] += sign * face.gape * 4.0 * (across * (1.0 - across))[:, 0]
        bodies += [stroke(a, b, 0.045, lips) for a, b in itertools.pairwise(lip)]
    return bodies


def _scene(ground: ndarray, faces: list[_Face]) -> Scene:
    """The faces over the ground, each one an object at the middle of its bounding box."""
    parts = [_bodies(face) for face in faces]
    picture, masks, _ = paint(ground, [body for bodies in parts for body in bodies])
    ends = np.cumsum([0, *(len(bodies) for bodies in parts)])
    whole = [np.asarray(masks[a:b].any(0)) for a, b in itertools.pairwise(ends)]
    return Scene(
        image=np.clip(picture, 0.0, 1.0),
        position=np.stack([_middle(mask) for mask in whole]),
        mask=np.stack(whole),
        visible=np.ones(len(faces), np.float32),
        identity=np.arange(len(faces), dtype=np.int64),
        attributes=tuple(_attributes(face) for face in faces),
    )


def _attributes(face: _Face) -> dict[str, str]:
    """What holds of a face, by CelebA's names; each holds of a third to a half of all faces."""
    holds = {
        "Arched_Eyebrows": face.brow > 0.04,
        "Mouth_Slightly_Open": face.gape > 0.04,
        "Oval_Face": face.length > 1.25,
        "Receding_Hairline": face.fringe < 0.09,
        "Smiling": face.smile > 0.04,
        "Black_Hair": max(face.hair) < 0.33,
        "Pale_Skin": face.skin[0] > 0.74,
    }
    return {name: "yes" if so else "no" for name, so in holds.items()}


def _middle(mask: ndarray) -> Float[ndarray, " 2"]:
    rows, columns = np.nonzero(mask)
    box = np.asarray([columns.min() + columns.max(), rows.min() + rows.max()])
    return ((box + 1.0) / mask.shape[-1] - 1.0).astype(np.float32)
