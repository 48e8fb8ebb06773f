"""Straight flight between walls, alone or with collisions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def reflected(
    start: Float[ndarray, "N 2"],
    velocity: Float[ndarray, "N 2"],
    margin: Float[ndarray, " N"],
    frames: int,
) -> Float[ndarray, "T N 2"]:
    """Places of points that fly straight and turn back at the walls of [0, 1], not at each other.

    Args:
        start: places in the first frame.
        velocity: side units per frame.
        margin: distance each point keeps from the walls.
        frames: T.
    """
    room = 1.0 - 2.0 * margin[:, None]
    time = np.arange(frames)[:, None, None]
    way = (start - margin[:, None] + velocity * time) % (2.0 * room)
    return margin[:, None] + np.where(way > room, 2.0 * room - way, way)


def collided(
    start: Float[ndarray, "N 2"],
    velocity: Float[ndarray, "N 2"],
    radius: Float[ndarray, " N"],
    frames: int,
    substeps: int = 4,
) -> Float[ndarray, "T N 2"]:
    """Places of discs that bounce elastically off the walls of [0, 1] and off each other.

    Args:
        start: places in the first frame.
        velocity: side units per frame.
        radius: of each disc; its mass is the radius squared.
        frames: T.
        substeps: steps of the simulation per frame.
    """
    place, speed = start.astype(np.float64).copy(), velocity.astype(np.float64).copy()
    places = [place.copy()]
    for _ in range(1, frames):
        for _ in range(substeps):
            place += speed / substeps
            _bounce_walls(place, speed, radius)
            _bounce_pairs(place, speed, radius)
        places.append(place.copy())
    return np.stack(places)


def _bounce_walls(place: ndarray, speed: ndarray, radius: ndarray) -> None:
    low = place < radius[:, None]
    high = place > 1.0 - radius[:, None]
    speed[low] = np.abs(speed[low])
    speed[high] = -np.abs(speed[high])


def _bounce_pairs(place: ndarray, speed: ndarray, radius: ndarray) -> None:
    for i in range(len(place)):
        for j in range(i + 1, len(place)):
            gap = place[j] - place[i]
            distance = float(np.hypot(*gap))
            if distance >= radius[i] + radius[j] or distance == 0.0:
                continue
            along = gap / distance
            closing = float((speed[i] - speed[j]) @ along)
            if closing <= 0.0:
                continue
            mass_i, mass_j = radius[i] ** 2, radius[j] ** 2
            push = 2.0 * closing / (mass_i + mass_j)
            speed[i] -= push * mass_j * along
            speed[j] += push * mass_i * along
