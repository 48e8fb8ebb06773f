"""A person of 17 joints: what the body looks like, how actions move it, where its joints are.

Stands in for Human3.6M: the same joints, eleven kinds of action, people who differ in build and
clothes. Angles are radians; lengths are in heights of the person.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

JOINTS = (
    "pelvis",
    "right hip", "right knee", "right ankle",
    "left hip", "left knee", "left ankle",
    "spine", "thorax", "neck", "head",
    "left shoulder", "left elbow", "left wrist",
    "right shoulder", "right elbow", "right wrist",
)  # fmt: skip
"""Names in the order of Human3.6M's 17 joints; left and right are the person's own."""

PAIRS = ((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16))
"""(left, right) joints that are exchanged when a person is seen from the other side."""

_CHANNELS: tuple[str, ...] = (
    "hip_l", "hip_r", "spread_l", "spread_r", "knee_l", "knee_r",
    "arm_l", "arm_r", "raise_l", "raise_r", "elbow_l", "elbow_r",
    "lean", "side", "turn",
)  # fmt: skip
"""Pitch of the thighs (forward), their spread (sideways), bend of the knees; pitch of the upper
arms (forward, up), their raise (sideways, up), bend of the elbows; the trunk's lean forward and to
its left; the turn of the whole person."""

Wave = tuple[float, float, float, float]
"""Mean, amplitude, cycles per cycle of the action, phase in cycles."""

ACTIONS: dict[str, dict[str, Wave]] = {
    "walking": {
        "hip_l": (0.0, 0.50, 1, 0.0), "hip_r": (0.0, 0.50, 1, 0.5),
        "knee_l": (0.35, 0.35, 1, 0.75), "knee_r": (0.35, 0.35, 1, 0.25),
        "arm_l": (0.0, 0.45, 1, 0.5), "arm_r": (0.0, 0.45, 1, 0.0),
        "elbow_l": (0.3, 0.1, 1, 0.5), "elbow_r": (0.3, 0.1, 1, 0.0),
    },
    "marching": {
        "hip_l": (0.6, 0.75, 1, 0.0), "hip_r": (0.6, 0.75, 1, 0.5),
        "knee_l": (0.8, 0.8, 1, 0.0), "knee_r": (0.8, 0.8, 1, 0.5),
        "arm_l": (0.4, 0.8, 1, 0.5), "arm_r": (0.4, 0.8, 1, 0.0),
        "elbow_l": (1.2, 0.2, 1, 0.5), "elbow_r": (1.2, 0.2, 1, 0.0),
    },
    "waving": {
        "raise_l": (2.4, 0.15, 1, 0.0), "elbow_l": (0.2, 0.1, 2, 0.0), "arm_l": (0.1, 0.4, 2, 0.0),
        "raise_r": (0.2, 0.05, 1, 0.0), "side": (0.0, 0.06, 1, 0.0),
    },
    "clapping": {
        "arm_l": (1.3, 0.15, 2, 0.0), "arm_r": (1.3, 0.15, 2, 0.0),
        "raise_l": (0.35, 0.45, 1, 0.0), "raise_r": (0.35, 0.45, 1, 0.0),
        "elbow_l": (0.5, 0.3, 1, 0.5), "elbow_r": (0.5, 0.3, 1, 0.5),
    },
    "jumping jack": {
        "raise_l": (1.4, 1.2, 1, 0.0), "raise_r": (1.4, 1.2, 1, 0.0),
        "spread_l": (0.3, 0.28, 1, 0.0), "spread_r": (0.3, 0.28, 1, 0.0),
    },
    "squatting": {
        "hip_l": (0.8, 0.75, 1, 0.0), "hip_r": (0.8, 0.75, 1, 0.0),
        "knee_l": (1.2, 1.1, 1, 0.0), "knee_r": (1.2, 1.1, 1, 0.0),
        "arm_l": (0.9, 0.6, 1, 0.0), "arm_r": (0.9, 0.6, 1, 0.0), "lean": (0.2, 0.2, 1, 0.0),
    },
    "bowing": {
        "lean": (0.55, 0.55, 1, 0.0), "arm_l": (0.4, 0.4, 1, 0.0), "arm_r": (0.4, 0.4, 1, 0.0),
        "knee_l": (0.1, 0.05, 1, 0.0), "knee_r": (0.1, 0.05, 1, 0.0),
    },
    "stretching": {
        "raise_l": (1.7, 0.9, 1, 0.0), "raise_r": (1.7, 0.9, 1, 0.5),
        "side": (0.0, 0.35, 1, 0.25), "spread_l": (0.2, 0.05, 1, 0.0),
        "spread_r": (0.2, 0.05, 1, 0.0),
    },
    "boxing": {
        "arm_l": (0.9, 0.5, 2, 0.0), "arm_r": (0.9, 0.5, 2, 0.5),
        "elbow_l": (1.2, 0.9, 2, 0.5), "elbow_r": (1.2, 0.9, 2, 0.0),
        "hip_l": (0.25, 0.1, 1, 0.0), "hip_r": (-0.2, 0.1, 1, 0.5), "turn": (0.0, 0.25, 2, 0.0),
    },
    "kicking": {
        "hip_r": (0.45, 0.75, 1, 0.0), "knee_r": (0.55, 0.5, 1, 0.5),
        "arm_l": (0.4, 0.5, 1, 0.0), "raise_l": (0.4, 0.1, 1, 0.0), "raise_r": (0.6, 0.2, 1, 0.5),
        "lean": (-0.1, 0.12, 1, 0.5),
    },
    "phoning": {
        "arm_r": (0.5, 0.08, 1, 0.0), "raise_r": (0.5, 0.1, 1, 0.0), "elbow_r": (2.3, 0.1, 1, 0.3),
        "arm_l": (0.2, 0.15, 1, 0.5), "elbow_l": (0.6, 0.4, 2, 0.0), "side": (0.0, 0.10, 1, 0.0),
        "turn": (0.0, 0.5, 1, 0.0),
    },
}  # fmt: skip
"""The kinds of action and how each moves the body; channels left out hang at rest."""

CYCLE = 40.0
"""Frames of one cycle of an action, before a video's own pace."""


@dataclass(frozen=True, slots=True)
class Person:
    """Build and clothes.

    Attributes:
        height: Of the person, in picture sides.
        legs: Length of a leg; the rest is trunk and head.
        arms: Length of an arm.
        shoulders: Half the distance of the shoulders.
        hips: Half the distance of the hips.
        girth: Factor on the thickness of all limbs.
        shirt: Colour.
        trousers: Colour.
        skin: Colour.
        hair: Colour.
    """

    height: float
    legs: float
    arms: float
    shoulders: float
    hips: float
    girth: float
    shirt: tuple[float, float, float]
    trousers: tuple[float, float, float]
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]


_SHIRTS = ((0.80, 0.20, 0.18), (0.16, 0.42, 0.80), (0.94, 0.78, 0.20), (0.22, 0.62, 0.34),
           (0.92, 0.92, 0.90), (0.55, 0.28, 0.66), (0.90, 0.48, 0.16))  # fmt: skip
_TROUSERS = ((0.14, 0.18, 0.34), (0.34, 0.26, 0.18), (0.10, 0.10, 0.12), (0.46, 0.48, 0.52),
             (0.20, 0.30, 0.52), (0.70, 0.64, 0.50), (0.24, 0.34, 0.24))  # fmt: skip
_SKINS = ((0.94, 0.78, 0.66), (0.80, 0.58, 0.42), (0.52, 0.34, 0.24), (0.90, 0.70, 0.56),
          (0.66, 0.46, 0.34), (0.96, 0.82, 0.72), (0.74, 0.54, 0.40))  # fmt: skip
_HAIRS = ((0.14, 0.10, 0.08), (0.42, 0.26, 0.12), (0.08, 0.08, 0.10), (0.78, 0.62, 0.30),
          (0.30, 0.16, 0.10), (0.56, 0.30, 0.14), (0.20, 0.20, 0.22))  # fmt: skip

SUBJECTS = len(_SHIRTS)
"""People there are; the last `TEST_SUBJECTS` are met in held-out streams only."""
TEST_SUBJECTS = 2


@functools.cache
def person(subject: int) -> Person:
    """Return one of the people, always the same under the same number."""
    random = np.random.default_rng((subject, 36))
    legs = float(random.uniform(0.46, 0.52))
    return Person(
        height=float(random.uniform(0.72, 0.84)),
        legs=legs,
        arms=float(random.uniform(0.36, 0.42)),
        shoulders=float(random.uniform(0.095, 0.125)),
        hips=float(random.uniform(0.05, 0.065)),
        girth=float(random.uniform(0.9, 1.2)),
        shirt=_SHIRTS[subject],
        trousers=_TROUSERS[subject],
        skin=_SKINS[subject],
        hair=_HAIRS[subject],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """One video's worth of one person doing one action.

    Attributes:
        action: Index in `ACTIONS`.
        subject: Number of the person.
        mean: Of each channel.
        amplitude: Of each channel.
        cycles: Of each channel per cycle of the action.
        phase: Of each channel, in cycles.
        pace: Cycles per frame.
        yaw: Where the person looks; 0 is into the camera, then towards the picture's right.
        sway: Amplitude, cycles per frame and phase of the root's drift along x, picture sides.
    """

    action: int
    subject: int
    mean: Float[ndarray, " C"]
    amplitude: Float[ndarray, " C"]
    cycles: Float[ndarray, " C"]
    phase: Float[ndarray, " C"]
    pace: float
    yaw: float
    sway: tuple[float, float, float]


def perform(action: int, subject: int, random: np.random.Generator) -> Performance:
    """Return one way of doing an action: pace, size, phase and view are drawn."""
    name = tuple(ACTIONS)[action]
    rest: Wave = (0.0, 0.02, 1, 0.0)
    waves = np.asarray([ACTIONS[name].get(channel, rest) for channel in _CHANNELS], np.float64)
    count = len(_CHANNELS)
    mean = waves[:, 0] + random.normal(0.0, 0.06, count)
    mean[[_CHANNELS.index("elbow_l"), _CHANNELS.index("elbow_r")]] += 0.15
    mean[[_CHANNELS.index("raise_l"), _CHANNELS.index("raise_r")]] += 0.12
    return Performance(
        action=action,
        subject=subject,
        mean=mean,
        amplitude=waves[:, 1] * random.uniform(0.8, 1.2, count),
        cycles=waves[:, 2],
        phase=waves[:, 3] + random.uniform() + random.normal(0.0, 0.02, count),
        pace=float(random.uniform(0.75, 1.3)) / CYCLE,
        yaw=float(random.uniform(-np.pi, np.pi)),
        sway=(
            float(random.uniform(0.01, 0.06)),
            float(random.uniform(0.3, 0.8)) / CYCLE,
            float(random.uniform()),
        ),
    )


def _swing(pitch: ndarray, spread: ndarray, side: float) -> ndarray:
    """Direction (forward, left, up) of a limb that hangs down when both angles are 0."""
    return np.stack(
        [np.sin(pitch) * np.cos(spread), side * np.sin(spread), -np.cos(pitch) * np.cos(spread)], -1
    )


def pose(performance: Performance, times: Float[ndarray, " T"]) -> Float[ndarray, "T 17 3"]:
    """Return the joints at some moments: x right, y down in picture sides, z towards the camera.

    The lowest foot stays on the ground, and the person's middle in the picture's.
    """
    p, who = performance, person(performance.subject)
    turn = 2.0 * np.pi * (times[:, None] * p.pace * p.cycles + p.phase)
    values = p.mean + p.amplitude * np.sin(turn)
    a: dict[str, ndarray] = dict(zip(_CHANNELS, values.T, strict=True))
    a["knee_l"], a["knee_r"] = np.maximum(a["knee_l"], 0.0), np.maximum(a["knee_r"], 0.0)
    a["elbow_l"], a["elbow_r"] = np.maximum(a["elbow_l"], 0.0), np.maximum(a["elbow_r"], 0.0)
    count = len(times)
    left = np.tile([0.0, 1.0, 0.0], (count, 1))
    upright = np.stack([np.sin(a["lean"]), np.sin(a["side"]), np.zeros(count)], -1)
    upright[:, 2] = np.sqrt(np.maximum(0.05, 1.0 - (upright[:, :2] ** 2).sum(-1)))
    trunk = 1.0 - who.legs
    joints = np.zeros((count, 17, 3))
    for side, hip, knee, ankle, tag in ((1.0, 4, 5, 6, "l"), (-1.0, 1, 2, 3, "r")):
        joints[:, hip] = side * who.hips * left
        thigh = _swing(a[f"hip_{tag}"], a[f"spread_{tag}"], side)
        shin = _swing(a[f"hip_{tag}"] - a[f"knee_{tag}"], a[f"spread_{tag}"], side)
        joints[:, knee] = joints[:, hip] + 0.5 * who.legs * thigh
        joints[:, ankle] = joints[:, knee] + 0.5 * who.legs * shin
    for joint, share in ((7, 0.28), (8, 0.56), (9, 0.70), (10, 0.98)):
        joints[:, joint] = share * trunk * upright
    for side, shoulder, elbow, wrist, tag in ((1.0, 11, 12, 13, "l"), (-1.0, 14, 15, 16, "r")):
        joints[:, shoulder] = joints[:, 8] + side * who.shoulders * left
        upper = _swing(a[f"arm_{tag}"], a[f"raise_{tag}"], side)
        lower = _swing(a[f"arm_{tag}"] + a[f"elbow_{tag}"], a[f"raise_{tag}"], side)
        joints[:, elbow] = joints[:, shoulder] + 0.5 * who.arms * upper
        joints[:, wrist] = joints[:, elbow] + 0.5 * who.arms * lower
    joints[..., 2] -= joints[:, [3, 6], 2].min(1)[:, None]
    yaw = p.yaw + a["turn"]
    return _seen(joints, yaw, who.height, p, times)


def _seen(joints: ndarray, yaw: ndarray, height: float, p: Performance, times: ndarray) -> ndarray:
    """Body coordinates (forward, left, up) as the camera, a little above, sees them."""
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    forward, left, up = joints[..., 0], joints[..., 1], joints[..., 2]
    x = forward * sin + left * cos
    near = forward * cos - left * sin
    amplitude, pace, phase = p.sway
    middle = 0.5 + amplitude * np.sin(2.0 * np.pi * (times * pace + phase))
    tilt = 0.16
    y = 0.5 + 0.48 * height - height * (up * np.cos(tilt) - near * np.sin(tilt))
    return np.stack([middle[:, None] + height * x, y, height * near], -1)
