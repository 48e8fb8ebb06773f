"""Thin-plate splines: smooth maps of the plane that carry given points to given places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_NEAR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ThinPlate:
    """A map p -> affine(p) + sum_n weight_n U(|p - centre_n|) with U(r) = r^2 log r^2.

    As a warp it maps the coordinates of the warped picture to those of its source.

    Attributes:
        centres: Control points.
        weights: Pull of each.
        affine: Rows: offset, factor of x, factor of y.
    """

    centres: Float[Tensor, "B N 2"]
    weights: Float[Tensor, "B N 2"]
    affine: Float[Tensor, "B 3 2"]

    def __call__(self, points: Float[Tensor, "B M 2"]) -> Float[Tensor, "B M 2"]:
        """Return where the points go."""
        bent = _kernel(points, self.centres) @ self.weights
        return self.affine[:, :1] + points @ self.affine[:, 1:] + bent


def _kernel(a: Tensor, b: Tensor) -> Float[Tensor, "B M N"]:
    square = (a[:, :, None] - b[:, None]).square().sum(-1)
    return square * (square + _NEAR).log()


def thin_plate(
    centres: Float[Tensor, "B N 2"], places: Float[Tensor, "B N 2"], stiffness: float = 1e-6
) -> ThinPlate:
    """Return the spline of least bending that carries `centres` to `places`.

    Args:
        centres: At least three, not all on one line.
        places: Where they go.
        stiffness: Above zero, places are missed a little for less bending; keeps the system
            solvable when centres coincide.
    """
    batch, count = centres.shape[:2]
    ones = torch.ones_like(centres[..., :1])
    plain = torch.cat([ones, centres], dim=-1)
    system = centres.new_zeros(batch, count + 3, count + 3)
    eye = torch.eye(count, device=centres.device, dtype=centres.dtype)
    system[:, :count, :count] = _kernel(centres, centres) + stiffness * eye
    system[:, :count, count:] = plain
    system[:, count:, :count] = plain.mT
    known = torch.cat([places, places.new_zeros(batch, 3, 2)], dim=1)
    # In double precision: the kernel of close points is nearly singular.
    solved = torch.linalg.solve(system.double(), known.double()).to(centres.dtype)
    return ThinPlate(centres, solved[:, :count], solved[:, count:])
