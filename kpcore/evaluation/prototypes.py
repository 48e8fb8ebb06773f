"""Does a prototype stand for a shape, a colour, a size?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

SOLID = 0.8
"""Alpha above which a pixel belongs to a keypoint."""
MOST = 0.5
"""Share of a keypoint's pixels above which the object under them is the keypoint's."""


def owned_objects(
    alphas: Float[ndarray, "K H W"], masks: Bool[ndarray, "N H W"]
) -> Int[ndarray, " K"]:
    """Return the object of each keypoint; -1 where it has none.

    It is the object that covers more than half of the pixels in which the keypoint's alpha is above
    0.8.

    Source: other_systems.md section 7.
    """
    owners = np.full(len(alphas), -1)
    for keypoint, alpha in enumerate(alphas):
        solid = alpha > SOLID
        if not solid.any() or not len(masks):
            continue
        covered = masks[:, solid].mean(1)
        if covered.max() > MOST:
            owners[keypoint] = covered.argmax()
    return owners


def attribute_accuracy(
    seen: Iterable[tuple[int, Mapping[str, str]]], names: Sequence[str]
) -> dict[str, float]:
    """Return, per attribute, the share in percent of keypoints whose prototype tells it.

    Each prototype stands for the value that it was seen with most often; several may stand for one.

    Args:
        seen: Prototype of each keypoint that has an object, and what is said of that object.
        names: Attributes to judge.
    """
    tables: dict[str, dict[int, Counter[str]]] = {name: {} for name in names}
    for prototype, said in seen:
        for name in names:
            if name in said:
                tables[name].setdefault(prototype, Counter())[said[name]] += 1
    figures: dict[str, float] = {}
    for name, table in tables.items():
        whole = sum(count.total() for count in table.values())
        right = sum(max(count.values()) for count in table.values())
        figures[name] = 100.0 * right / whole if whole else 0.0
    return figures
