"""Are the digits of MNIST-Hard found, and does a prototype stand for a class?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import linear_sum_assignment

BOX_EDGE = 20.0 / 80.0
"""Side of a prediction's box, in picture edges: 20 of 80 pixels."""
ENOUGH = 0.5
"""Overlap (intersection over union) above which a digit counts as found."""


def overlaps(
    position: Float[ndarray, "K 2"],
    centre: Float[ndarray, " 2"],
    side: float = BOX_EDGE,
    true_side: float = BOX_EDGE,
) -> Float[ndarray, " K"]:
    """Return the intersection over union of square boxes around points with one true box.

    Args:
        position: Points in unit coordinates.
        centre: Of the true box, in unit coordinates.
        side: Of the points' boxes, in picture edges.
        true_side: Of the true box, in picture edges.
    """
    a, b = side, true_side
    apart = np.abs(position - centre) / 2.0
    shared = np.clip(np.minimum((a + b) / 2.0 - apart, min(a, b)), 0.0, None).prod(-1)
    return shared / (a * a + b * b - shared)


def matched(
    position: Float[ndarray, "K 2"],
    centres: Float[ndarray, "N 2"],
    true_sides: Float[ndarray, " N"] | None = None,
) -> Int[ndarray, " N"]:
    """Return which prediction finds each digit; -1 where none does.

    Digits choose one after the other the prediction of largest overlap among those that no digit
    before them has taken; it counts if the overlap is above one half, and only then is it taken.

    Source: other_systems.md section 7.
    """
    sides = np.full(len(centres), BOX_EDGE) if true_sides is None else true_sides
    free = np.ones(len(position), bool)
    chosen = np.full(len(centres), -1)
    for digit, (centre, side) in enumerate(zip(centres, sides, strict=True)):
        overlap = np.where(free, overlaps(position, centre, true_side=float(side)), -1.0)
        if len(overlap) and overlap.max() > ENOUGH:
            chosen[digit] = overlap.argmax()
            free[chosen[digit]] = False
    return chosen


@dataclass(frozen=True, slots=True)
class DigitFigures:
    """Shares in percent.

    Attributes:
        localisation: Digits that were found.
        classification: Found digits whose prototype stands for their class, when each prototype
            stands for the class that it was found on most often (several may share a class).
        both: The same, of all digits.
        classification_bipartite: As `classification`, with at most one prototype per class and one
            class per prototype, matched for the highest figure, as the paper says.
        both_bipartite: The same, of all digits.
    """

    localisation: float
    classification: float
    both: float
    classification_bipartite: float
    both_bipartite: float


def digit_figures(table: Int[ndarray, "M C"], digits: int) -> DigitFigures:
    """Return the figures of a count of found digits per prototype and class.

    Args:
        table: How often a digit of class c was found by a keypoint of prototype m.
        digits: How many there were, found or not.

    Source: TUSK sec. 4.1; the released code maps many to one, the paper one to one.
    """
    found, many = int(table.sum()), int(table.max(axis=1, initial=0).sum())
    one = int(table[linear_sum_assignment(table, maximize=True)].sum())

    def share(part: int, whole: int) -> float:
        return 100.0 * part / whole if whole else 0.0

    return DigitFigures(
        localisation=share(found, digits),
        classification=share(many, found),
        both=share(many, digits),
        classification_bipartite=share(one, found),
        both_bipartite=share(one, digits),
    )
