"""Do predicted particles stay with the objects that they stood on? Error against true tracks.

Distances are pixels of the picture.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.optimize import linear_sum_assignment

from kpcore.data.synthetic.scene import SceneClip

PRESENT = 0.5
"""A particle counts as present from this presence on."""
SEEN = 0.5
"""An object counts where at least this share of it is visible and its centre is in the picture."""
REACH = 0.125
"""A particle stands for an object at most this far from it, in picture sides."""


def seen(truth: SceneClip) -> Bool[ndarray, "T N"]:
    """Return which objects count in which frames."""
    return (truth.visible >= SEEN) & (np.abs(truth.position).max(-1) <= 1.0)


def assign(
    position: Float[ndarray, "K 2"],
    presence: Float[ndarray, " K"] | None,
    truth: Float[ndarray, "N 2"],
    counted: Bool[ndarray, " N"],
) -> tuple[tuple[int, int], ...]:
    """Return which present particle stands for which object, each for one at most.

    The sum of distances is least; an object with no particle within `REACH` has none.

    Args:
        position: of the particles, unit coordinates.
        presence: of the particles; None when all are present.
        truth: centres of the objects, unit coordinates.
        counted: objects that count.
    """
    particles = (
        np.arange(len(position)) if presence is None else np.flatnonzero(presence >= PRESENT)
    )
    objects = np.flatnonzero(counted)
    reach = 2.0 * REACH
    apart = np.linalg.norm(position[particles][:, None] - truth[objects][None], axis=-1)
    rows, columns = linear_sum_assignment(np.where(apart <= reach, apart, reach))
    return tuple(
        (int(particles[row]), int(objects[column]))
        for row, column in zip(rows, columns, strict=True)
        if apart[row, column] <= reach
    )


def errors_px(
    position: Float[ndarray, "T K 2"],
    pairs: tuple[tuple[int, int], ...],
    truth: Float[ndarray, "T N 2"],
    counted: Bool[ndarray, "T N"],
    size: int,
) -> Float[ndarray, "T P"]:
    """Return the distance of each pair's particle from its object, NaN where that does not count.

    Args:
        position: predicted, unit coordinates; particle k is followed by its index.
        pairs: (particle, object) as of the last given frame.
        truth: centres of the objects in the frames predicted.
        counted: objects that count in each of them.
        size: side of the picture in pixels.
    """
    if not pairs:
        return np.zeros((len(position), 0))
    particles, objects = (list(side) for side in zip(*pairs, strict=True))
    gap = (position[:, particles] - truth[:, objects]) * (size / 2.0)
    return np.where(counted[:, objects], np.linalg.norm(gap, axis=-1), np.nan)
