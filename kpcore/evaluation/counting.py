"""How often the number of objects is right, and how well pictures are explained.

Source: LAVAE sec. 3.2 and 3.3: count accuracy, and the importance-weighted bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Image, KeypointModel
from kpcore.errors import CapabilityError


@runtime_checkable
class Explains(Protocol):
    """A model whose pictures have a likelihood."""

    def log_weights(self, image: Image, samples: int) -> Float[Tensor, "samples B"]:
        """Return log p(x, z) - log q(z | x) of draws z."""
        ...


@dataclass(frozen=True, slots=True)
class CountFigures:
    """What was counted.

    Attributes:
        accuracy: Pictures whose number of objects is right, percent.
        by_number: The same for pictures of each number of objects that occurs.
        too_many: Pictures in which objects are counted that are not there, percent.
        pictures: How many were counted.
    """

    accuracy: float
    by_number: dict[int, float]
    too_many: float
    pictures: int


@torch.inference_mode()
def count(model: KeypointModel, batches: Iterable[tuple[Image, list[int]]]) -> CountFigures:
    """Return how often `model` counts right.

    Args:
        model: Of presence "count", "gate" or "score"; a particle counts from one half on.
        batches: Pictures, and the number of objects in each.

    Raises:
        CapabilityError: All of the model's particles are always present.
    """
    if model.capabilities.presence == "none":
        raise CapabilityError(
            "this model's particles are always present, so it counts nothing; give a checkpoint "
            "whose particles have presence"
        )
    pairs: list[tuple[int, int]] = []
    for image, true in batches:
        presence = model.encode(image).latents.presence
        found = [] if presence is None else (presence > 0.5).sum(-1).tolist()
        pairs += zip(true, found, strict=True)
    total = max(1, len(pairs))
    numbers = sorted({true for true, _ in pairs})
    by_number = {
        n: 100.0 * _share([found == n for true, found in pairs if true == n]) for n in numbers
    }
    return CountFigures(
        100.0 * sum(true == found for true, found in pairs) / total,
        by_number,
        100.0 * sum(found > true for true, found in pairs) / total,
        len(pairs),
    )


def _share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


@dataclass(frozen=True, slots=True)
class BoundFigures:
    """How well pictures are explained.

    Attributes:
        nats: Bound on -log p, mean over pictures.
        error: Its standard error, from the spread over pictures.
        pictures: How many were explained.
    """

    nats: float
    error: float
    pictures: int


@torch.inference_mode()
def bound(model: Explains, batches: Iterable[Image], samples: int = 100) -> BoundFigures:
    """Return the importance-weighted bound on -log p, in nats.

    log p(x) >= E log 1/S sum_s p(x, z_s) / q(z_s | x); more samples bring it closer (Burda et al.,
    2016).

    Args:
        model: That explains pictures.
        batches: Pictures.
        samples: S; LAVAE has 100.
    """
    values: list[Tensor] = []
    for image in batches:
        weights = model.log_weights(image, samples)
        values.append(math.log(samples) - weights.logsumexp(0))
    whole = torch.cat(values)
    spread = float(whole.std()) if len(whole) > 1 else math.inf
    return BoundFigures(float(whole.mean()), spread / math.sqrt(len(whole)), len(whole))
