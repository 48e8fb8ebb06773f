"""Predictors without learning, which any other must beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import KeypointModel
from kpcore.errors import InputError
from kpcore.latents import Latents
from kpcore.tracking import GATE, match


class ConstantVelocity:
    """Every particle goes on as it moved between the last two frames; a `VideoPredictor`.

    Particles of the two frames are matched by position and feature, where the family does not keep
    them in order; one without a partner, or that is not present, stays where it is. Everything else
    is that of the last frame.
    """

    history = 2

    def __init__(self, renderer: KeypointModel, gate: float = GATE) -> None:
        """Take the model whose particles move.

        Args:
            renderer: Any image model.
            gate: Farthest that a particle moves from frame to frame, unit coordinates.
        """
        self.renderer = renderer
        self._gate = gate

    def predict(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        """Yield the latents of each next frame.

        Raises:
            InputError: Fewer than two frames are given.
        """
        if len(past) < self.history:
            raise InputError(f"{len(past)} past frames were given; a velocity needs 2")
        velocity = self.velocity(past[-2], past[-1])
        last = past[-1]
        for step in range(1, steps + 1):
            yield replace(last, position=last.position + step * velocity)

    def velocity(self, before: Latents, last: Latents) -> Float[Tensor, "B K 2"]:
        """Return how far each particle of `last` moved since `before`, unit coordinates."""
        if self.renderer.capabilities.ordered:
            return last.position - before.position
        moved = torch.zeros_like(last.position)
        for row in range(len(last.position)):
            pairs = match(before.image(row), last.image(row), gate=self._gate).pairs
            for old, new in pairs:
                moved[row, new] = last.position[row, new] - before.position[row, old]
        return moved
