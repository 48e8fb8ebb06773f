"""The one coordinate convention of the project.

Unit coordinates: (x, y), x to the right, y down, image *edges* at -1 and +1, so the centre of
pixel i of n lies at (2 i + 1) / n - 1. Nothing outside this module and `units`, whose pure-number
functions are offered here too, writes the half pixel.

Some published networks use a grid with pixel *centres* at +-1 ("corner-aligned"). A value v on that
grid is v (n - 1) / n here; the two functions below convert, and are called only inside a family.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.geometry.units import pixel_to_unit as pixel_to_unit
from kpcore.geometry.units import unit_to_pixel as unit_to_pixel


def pixel_centres(
    size: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Float[Tensor, " size"]:
    """Return the unit coordinates of the centres of `size` pixels."""
    return (2.0 * torch.arange(size, device=device, dtype=dtype) + 1.0) / size - 1.0


def corner_aligned(
    size: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Float[Tensor, " size"]:
    """Return the published networks' grid, linspace(-1, 1), with pixel centres at +-1."""
    return torch.linspace(-1.0, 1.0, size, device=device, dtype=dtype)


def from_corner_aligned(value: Tensor, size: int) -> Tensor:
    """Convert coordinates with pixel centres at +-1 into unit coordinates (edges at +-1)."""
    return value * ((size - 1) / size)


def to_corner_aligned(value: Tensor, size: int) -> Tensor:
    """Convert unit coordinates (edges at +-1) into coordinates with pixel centres at +-1."""
    return value * (size / (size - 1))
