"""Several futures from one past: draws of the particles' posterior, and how far they spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.errors import CapabilityError, InputError
from kpcore.latents import Latents


def drawn(past: Sequence[Latents], futures: int, seed: int = 0) -> list[Latents]:
    """Return the past of every future: each frame's particles, drawn from their posterior.

    The first future is the likeliest: it has the means. A predictor rolls all of them out as one
    batch.

    Args:
        past: Frames of one picture each, batch shape (1,).
        futures: How many, N; the frames returned have batch shape (N,).
        seed: Of the draws.

    Raises:
        InputError: `futures` is below 1, or a frame holds another number of pictures.
        CapabilityError: More than one future of particles without log-variances.
    """
    if futures < 1:
        raise InputError(f"{futures} futures were asked for; use at least 1")
    if any(latents.batch_shape != (1,) for latents in past):
        raise InputError(
            f"futures are drawn for one picture, batch shape (1,); got {past[0].batch_shape}"
        )
    if futures > 1 and any(latents.position_log_var is None for latents in past):
        raise CapabilityError(
            "this model says nothing of its uncertainty, so there is one future only; use a "
            "predictor over a DLP model, or ask for 1 future"
        )
    chance = torch.Generator().manual_seed(seed)
    return [_drawn(latents, futures, chance) for latents in past]


def _drawn(latents: Latents, futures: int, chance: torch.Generator) -> Latents:
    many = Latents.stack([latents] * futures)
    changed: dict[str, Tensor] = {}
    for name in ("position", "feature"):
        fields = many.named()
        mean, log_var = fields.get(name), fields.get(f"{name}_log_var")
        if mean is not None and log_var is not None:
            noise = torch.randn(mean.shape, generator=chance).to(mean)
            noise[0] = 0.0
            changed[name] = mean + (0.5 * log_var).exp() * noise
    return replace(many, **changed)


def spread(position: Float[Tensor, "N K 2"]) -> Float[Tensor, " K"]:
    """Return how far each particle's places in N futures lie from their mean, unit coordinates.

    The root of the mean squared distance; 0 for a single future.
    """
    away = position - position.mean(0, keepdim=True)
    return away.square().sum(-1).mean(0).sqrt()
