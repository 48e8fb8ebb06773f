"""Pairs of thin-plate-spline warps of one picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from kornia.geometry.transform import warp_points_tps
from torch import Tensor
from torch.nn import functional as F

_CONTROL = 10
_EVERY = 4
"""Splines are worked out at so many pixels' distance; they bend little between."""
_OFFSET, _RARE_OFFSET = 0.001, 0.01
_SHIFT, _SCALE, _TURN = 0.1, 0.1, 5.0 * math.pi / 180.0


def warp_pair(
    image: Float[Tensor, "B C H W"], first: float = 0.1, margin: int = 16
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
    """Return the picture lightly warped, and that result warped again at full strength.

    Args:
        image: The pictures.
        first: Strength of the first warp, as a share of the second's.
        margin: Pixels by which edges are repeated while warping; the published pipeline warps a
            larger picture and crops this much afterwards.

    Source: dlp.md section 12, TPS pair; Jakab et al., 2018.
    """
    size = image.shape[-2:]
    wide = torch.nn.functional.pad(image, (margin,) * 4, mode="replicate") if margin else image
    light = _warp(wide, first)
    strong = _warp(light, 1.0)
    inner = slice(margin, margin + size[0]), slice(margin, margin + size[1])
    return light[..., inner[0], inner[1]], strong[..., inner[0], inner[1]]


def _warp(image: Tensor, strength: float) -> Tensor:
    """One random warp per picture: control points that pull, and a similarity."""
    batch = image.shape[0]
    along = torch.linspace(-1.0, 1.0, _CONTROL, device=image.device)
    centres = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1).view(1, -1, 2)
    pull = torch.randn(batch, _CONTROL**2, 2, device=image.device) * _OFFSET
    rare = torch.rand_like(pull) > 0.5
    pull = torch.where(rare, torch.randn_like(pull) * _RARE_OFFSET, pull) * strength
    noise = torch.randn(batch, 4, device=image.device) * strength
    shift, scale, turn = noise[:, :2] * _SHIFT, 1.0 + noise[:, 2] * _SCALE, noise[:, 3] * _TURN
    cosine, sine = scale * turn.cos(), scale * turn.sin()
    affine = torch.stack(
        [shift, torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], dim=1
    )
    centres = centres.expand(batch, -1, -1)
    # kornia's kernel is half of r^2 log(r^2), hence the factor 2.
    grid = smooth_field(
        lambda places: warp_points_tps(places.expand(batch, -1, -1), centres, 2.0 * pull, affine),
        torch.linspace(-1.0, 1.0, image.shape[-2], device=image.device),
        torch.linspace(-1.0, 1.0, image.shape[-1], device=image.device),
    )
    return F.grid_sample(image, grid, align_corners=True)


def smooth_field(
    go: Callable[[Float[Tensor, "1 M 2"]], Float[Tensor, "B M 2"]],
    y: Float[Tensor, " H"],
    x: Float[Tensor, " W"],
    every: int = 4,
) -> Float[Tensor, "B H W 2"]:
    """Return a smooth map of places at every pixel, from its values at a few.

    A spline costs as much per place as it has control points, which at every pixel would be most
    of a small model's training step.

    Args:
        go: The map of (x, y), applied to all its places at once.
        y: Rows of the pixels, evenly spaced.
        x: Columns of the pixels, evenly spaced.
        every: Pixels between places at which the map is worked out; interpolated between.
    """
    axes = [
        torch.linspace(float(along[0]), float(along[-1]), 1 + -(-len(along) // every))
        for along in (y, x)
    ]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1).view(1, -1, 2)
    coarse = go(places.to(y)).unflatten(1, (len(axes[0]), len(axes[1]))).permute(0, 3, 1, 2)
    size = (len(y), len(x))
    fine = F.interpolate(coarse, size, mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def two_views(
    image: Float[Tensor, "B C H W"], reference: Float[Tensor, "B C H W"] | None
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
    """Return a picture to explain and another view of the same scene.

    Args:
        image: The pictures.
        reference: Other frames of the same clips; None, for pictures that stand alone, makes both
            views by warping (the strong warp is the reference, as in Jakab et al., 2018).
    """
    return warp_pair(image) if reference is None else (image, reference)
