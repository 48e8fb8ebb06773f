"""Values that pass between the parts of the published DLP models.

Inside this family positions lie on the published networks' grid: (x, y) with the centres of the
picture's first and last pixels at -1 and +1. `Latents` have image edges at +-1; the model converts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Mean and log-variance of independent normal numbers."""

    mean: Float[Tensor, "*n"]
    log_var: Float[Tensor, "*n"]

    def sample(self) -> Float[Tensor, "*n"]:
        """Return one draw, with gradient to both."""
        return self.mean + (0.5 * self.log_var).exp() * torch.randn_like(self.mean)


@dataclass(frozen=True, slots=True, eq=False)
class Particles:
    """What a renderer draws.

    Attributes:
        position: On the grid.
        feature: Appearance.
        presence: 0..1.
        background_position: Of the background particle, on the grid; (0, 0) unless sampled.
        background: Appearance of the background particle.
    """

    position: Float[Tensor, "B K 2"]
    feature: Float[Tensor, "B K D"]
    presence: Float[Tensor, "B K"]
    background_position: Float[Tensor, "B 2"]
    background: Float[Tensor, "B D"]

    def nodes(self) -> tuple[Float[Tensor, "B P 2"], Float[Tensor, "B P D"]]:
        """Return positions, detached, and features of all particles, background last."""
        position = torch.cat([self.position, self.background_position[:, None]], dim=1)
        feature = torch.cat([self.feature, self.background[:, None]], dim=1)
        return position.detach(), feature


def full(value: Tensor) -> Tensor:
    """Return a value in at least single precision: bfloat16 places a particle to half a pixel."""
    return value if value.dtype == torch.float64 else value.float()
