"""A fixed camera above a road: cars and vans on four lanes, under changing light."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kpcore.data.synthetic.drawing import Body, Patch, scene, scene_clip
from kpcore.data.synthetic.scene import Scene, SceneClip, generator

Colour = tuple[float, float, float]

STREAM = 1
SLOPE = -0.14
"""Rise of the road over the picture, radians (negative: up to the right)."""
LANES = (0.29, 0.435, 0.60, 0.755)
"""Where the lanes cross the middle column, in picture heights."""
LANE_SCALE = (0.84, 0.92, 1.00, 1.08)
"""Nearer lanes look larger."""
PERIOD = 1.9
"""Length of the loop a lane's cars run on, in picture widths; 0.95 of it is out of sight."""
PAINTS: tuple[Colour, ...] = (
    (0.80, 0.16, 0.16), (0.16, 0.36, 0.74), (0.92, 0.72, 0.14), (0.22, 0.52, 0.30),
    (0.90, 0.90, 0.88), (0.46, 0.28, 0.62), (0.12, 0.13, 0.16), (0.88, 0.46, 0.14),
    (0.62, 0.66, 0.70), (0.16, 0.60, 0.66),
)  # fmt: skip
BUSHES = ((0.10, 0.13, 0.045), (0.27, 0.07, 0.035), (0.62, 0.05, 0.040), (0.20, 0.955, 0.040),
          (0.55, 0.965, 0.035), (0.84, 0.93, 0.050))  # fmt: skip


def _shade(colour: Colour, factor: float) -> Colour:
    r, g, b = (float(min(max(c * factor, 0.0), 1.0)) for c in colour)
    return r, g, b


def _car(colour: Colour, length: float, width: float) -> tuple[Patch, ...]:
    """A saloon seen from above: shadow, body, glass, roof, lamps."""
    a, b = length / 2, width / 2
    glass = (0.13, 0.16, 0.21)
    return (
        Patch("box", (a, b), (0.08, 0.08, 0.10), (0.0, 0.012), 0.022, 0.45, solid=False),
        Patch("box", (a, b), _shade(colour, 0.80), (0.0, 0.0), 0.022),
        Patch("box", (a * 0.97, b * 0.80), colour, (0.0, -0.10 * b), 0.018),
        Patch("box", (a * 0.50, b * 0.72), glass, (-0.10 * a, -0.10 * b), 0.014),
        Patch("box", (a * 0.27, b * 0.66), _shade(colour, 1.12), (-0.13 * a, -0.10 * b), 0.010),
        Patch("box", (a * 0.05, b * 0.16), (0.98, 0.95, 0.78), (0.93 * a, -0.62 * b)),
        Patch("box", (a * 0.05, b * 0.16), (0.98, 0.95, 0.78), (0.93 * a, 0.55 * b)),
        Patch("box", (a * 0.04, b * 0.16), (0.75, 0.10, 0.08), (-0.95 * a, -0.62 * b)),
        Patch("box", (a * 0.04, b * 0.16), (0.75, 0.10, 0.08), (-0.95 * a, 0.55 * b)),
    )


def _van(colour: Colour, length: float, width: float) -> tuple[Patch, ...]:
    """A van: a long roof and a windscreen at the front."""
    a, b = length / 2, width / 2
    return (
        Patch("box", (a, b), (0.08, 0.08, 0.10), (0.0, 0.016), 0.014, 0.45, solid=False),
        Patch("box", (a, b), _shade(colour, 0.74), (0.0, 0.0), 0.014),
        Patch("box", (a * 0.98, b * 0.82), colour, (0.0, -0.12 * b), 0.012),
        Patch("box", (a * 0.10, b * 0.68), (0.13, 0.16, 0.21), (0.66 * a, -0.12 * b), 0.008),
        Patch("box", (a * 0.66, b * 0.62), _shade(colour, 1.08), (-0.18 * a, -0.12 * b), 0.008),
    )


@dataclass(frozen=True, slots=True)
class _Vehicle:
    lane: int
    start: float
    speed: float
    drift: float
    patches: tuple[Patch, ...]

    def at(self, time: int) -> Body:
        """The vehicle after `time` frames; upper lanes go left, lower lanes go right."""
        forward = self.lane >= 2
        along = (self.start + self.speed * time) % PERIOD - (PERIOD - 1.0) / 2
        along = along if forward else 1.0 - along
        level = LANES[self.lane] + self.drift + (along - 0.5) * float(np.tan(SLOPE))
        angle = SLOPE if forward else SLOPE + float(np.pi)
        return Body(self.patches, (along, level), angle, LANE_SCALE[self.lane])


def _flip(patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    """The same vehicle for the opposite lanes: light still falls from above."""
    return tuple(
        Patch(
            p.outline, p.half, p.colour, (p.centre[0], -p.centre[1]), p.corner, p.opacity, p.solid
        )
        for p in patches
    )


def _vehicles(random: np.random.Generator) -> list[_Vehicle]:
    """One to three vehicles a lane, far lanes first, never closer than a gap."""
    vehicles: list[_Vehicle] = []
    for lane in range(len(LANES)):
        speed = float(random.uniform(0.008, 0.020))
        gap = 0.27 * LANE_SCALE[lane]
        count = int(random.integers(1, 4))
        spare = PERIOD - count * gap
        cuts = np.sort(random.uniform(0.0, spare, count))
        offset = float(random.uniform(0.0, PERIOD))
        for number in range(count):
            base = PAINTS[int(random.integers(len(PAINTS)))]
            light = random.uniform(0.9, 1.1) + random.uniform(-0.04, 0.04, 3)
            r, g, b = (float(c * f) for c, f in zip(base, light, strict=True))
            colour = _shade((r, g, b), 1.0)
            if random.random() < 0.2:
                patches = _van(colour, random.uniform(0.19, 0.205), random.uniform(0.095, 0.105))
            else:
                patches = _car(colour, random.uniform(0.155, 0.19), random.uniform(0.082, 0.096))
            start = offset + float(cuts[number]) + number * gap
            drift = float(random.uniform(-0.016, 0.016))
            vehicles.append(
                _Vehicle(lane, start, speed, drift, patches if lane >= 2 else _flip(patches))
            )
    return vehicles


@functools.lru_cache(maxsize=8)
def _ground_shares(size: int) -> Float[ndarray, "5 H W"]:
    """How much of each pixel is far verge, near verge, road, paint and bush; sums to 1."""
    middle = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = middle[None, :], middle[:, None]
    cos, sin = float(np.cos(SLOPE)), float(np.sin(SLOPE))
    level = (y - (x - 0.5) * np.tan(SLOPE)) * cos
    along = (x - 0.5) * cos + y * sin

    def cover(distance: ndarray) -> ndarray:
        return np.clip(0.5 - distance * size, 0.0, 1.0)

    def line(at: float, half: float) -> ndarray:
        return cover(np.abs(level - at * cos) - half)

    top, bottom = 0.20 * cos, 0.86 * cos
    road = cover(np.maximum(top - level, level - bottom))
    far = cover(level - top)
    dashes = cover(np.abs((along % 0.14) - 0.07) - 0.038)
    paint = np.maximum(line(0.362, 0.0065) * dashes, line(0.678, 0.0075) * dashes)
    paint = np.maximum(paint, np.maximum(line(0.214, 0.004), line(0.846, 0.005)))
    paint = np.maximum(paint, np.maximum(line(0.511, 0.0035), line(0.525, 0.0035)))
    bush = np.zeros((size, size), dtype=np.float32)
    for bx, by, radius in BUSHES:
        bush = np.maximum(bush, cover(np.hypot(x - bx, y - by) - radius))
    bush = bush * (1 - road)
    shares = np.stack(
        [far * (1 - bush), (1 - far - road) * (1 - bush), road * (1 - paint), road * paint, bush]
    )
    return shares.astype(np.float32)


def _ground(random: np.random.Generator, size: int) -> Float[ndarray, "3 H W"]:
    """The road and its verges in the light and season of this scene."""
    anchors = np.asarray(
        [(0.44, 0.58, 0.33), (0.60, 0.58, 0.34), (0.33, 0.49, 0.36), (0.66, 0.57, 0.44)]
    )
    verge = random.dirichlet(np.full(4, 0.7)) @ anchors
    near = verge * random.uniform(0.90, 1.0)
    road = random.uniform(0.40, 0.54) * np.asarray([1.0, 1.0, 1.0]) + np.asarray([-0.01, 0.0, 0.02])
    paint = np.asarray([0.90, 0.89, 0.84]) * random.uniform(0.88, 1.0)
    bush = verge * np.asarray([0.62, 0.78, 0.60])
    colours = np.stack([verge, near, road, paint, bush]) * random.uniform(0.82, 1.06)
    picture = colours.T.astype(np.float32) @ _ground_shares(size).reshape(len(colours), -1)
    slope = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(random.uniform(-0.06, 0.06))
    return picture.reshape(3, size, size) * (1 + slope)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Cars and vans on a four-lane road; they enter, leave, and sometimes touch.

    One camera for all scenes; verge, road, light, vehicles and their speeds differ. Nearer lanes
    are painted last, so a near car covers a far one.
    """

    title: str = "moving traffic, fixed camera"

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """One picture; see `SceneSource`."""
        random = generator(seed, index, STREAM)
        vehicles = _vehicles(random)
        ground = _ground(random, size)
        return scene(ground, [v.at(0) for v in vehicles], range(len(vehicles)))

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """One clip; see `SceneSource`."""
        random = generator(seed, index, STREAM)
        vehicles = _vehicles(random)
        ground = _ground(random, size)
        times = [[v.at(t) for v in vehicles] for t in range(frames)]
        return scene_clip(ground, times, range(len(vehicles)))
