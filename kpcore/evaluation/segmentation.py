"""How well a division of pixels agrees with the true objects."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


def adjusted_rand_index(true: Int[ndarray, " n"], other: Int[ndarray, " n"]) -> float:
    """Return the agreement of two divisions of the same things: 1 equal, 0 as by chance.

    Two divisions that both put everything into one part agree: 1.

    Source: Hubert and Arabie, 1985; other_systems.md section 7.
    """
    if len(true) < 2:
        return 1.0
    rows, columns = (
        np.unique(true, return_inverse=True)[1],
        np.unique(other, return_inverse=True)[1],
    )
    table = np.zeros((rows.max() + 1, columns.max() + 1), np.int64)
    np.add.at(table, (rows, columns), 1)

    def pairs(count: ndarray) -> float:
        return float((count * (count - 1)).sum())

    together, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    expected = a * b / (len(true) * (len(true) - 1))
    most = (a + b) / 2.0
    return 1.0 if most == expected else (together - expected) / (most - expected)


def foreground_ari(masks: Bool[ndarray, "N H W"], alphas: Float[ndarray, "K H W"]) -> float | None:
    """Return the adjusted Rand index over the pixels of objects; None where there are none.

    Args:
        masks: Visible pixels of the true objects.
        alphas: Share of each predicted part in each pixel; the largest one has the pixel.
    """
    shown = masks.any(0)
    if not shown.any():
        return None
    return adjusted_rand_index(masks.argmax(0)[shown], alphas.argmax(0)[shown])
