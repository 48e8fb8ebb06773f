"""Pairs of thin-plate-spline warps of one picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from kornia.geometry.transform import warp_points_tps
from torch import Tensor
from torch.nn import functional as F

_CONTROL = 10


@dataclass(frozen=True, slots=True)
class WarpStrength:
    """Standard deviations of a random warp; lengths in unit coordinates (edges at +-1).

    Attributes:
        pull: Of the spline's weights, which are drawn rather than solved for.
        rare_pull: Of the half of the weights that are drawn with this one instead.
        shift: Of the translation.
        scale: Of the scale, about 1.
        turn: Of the rotation, in radians.
    """

    pull: float = 0.001
    rare_pull: float = 0.01
    shift: float = 0.1
    scale: float = 0.1
    turn: float = 5.0 * math.pi / 180.0

    def times(self, factor: float) -> WarpStrength:
        """Return a warp of all these deviations times a factor."""
        return WarpStrength(
            self.pull * factor,
            self.rare_pull * factor,
            self.shift * factor,
            self.scale * factor,
            self.turn * factor,
        )


FULL = WarpStrength()
UNWARPED = FULL.times(0.0)
"""Leaves a picture as it is."""
KEYNET_TARGET = WarpStrength(rare_pull=0.005, scale=0.0, turn=0.0)
"""How KeyNet warps the picture that is to be explained (other_systems.md section 4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Two views of one scene.

    Attributes:
        image: The pictures to explain.
        reference: Other views, whose appearance explains them.
        grid: Where in `image` each pixel of `reference` comes from, on the corner-aligned grid;
            None where the views are two frames.
    """

    image: Float[Tensor, "B C H W"]
    reference: Float[Tensor, "B C H W"]
    grid: Float[Tensor, "B H W 2"] | None = None

    def to_image(self, places: Float[Tensor, "B K 2"]) -> Float[Tensor, "B K 2"]:
        """Return where places of the reference lie in the image; both corner-aligned.

        Raises:
            ValueError: The views are two frames, between which no map is known.
        """
        if self.grid is None:
            raise ValueError("two frames have no known map between them")
        field = self.grid.permute(0, 3, 1, 2)
        found = F.grid_sample(field, places[:, None], align_corners=True, padding_mode="border")
        return found[:, :, 0].transpose(1, 2)


def warp_pair(
    image: Float[Tensor, "B C H W"], first: float | WarpStrength = 0.1, margin: int = 16
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
    """Return the picture lightly warped, and that result warped again at full strength.

    Args:
        image: The pictures.
        first: Strength of the first warp; a number is a share of the second's.
        margin: Pixels by which edges are repeated while warping; the published pipeline warps a
            larger picture and crops this much afterwards.

    Source: dlp.md section 12, TPS pair; Jakab et al., 2018.
    """
    views = warped_views(image, first, margin)
    return views.image, views.reference


def warped_views(
    image: Float[Tensor, "B C H W"], first: float | WarpStrength = 0.1, margin: int = 16
) -> Views:
    """Return what `warp_pair` returns, with the map between the two."""
    height, width = image.shape[-2:]
    wide = F.pad(image, (margin,) * 4, mode="replicate") if margin else image
    light, _ = _warp(wide, first if isinstance(first, WarpStrength) else FULL.times(first))
    strong, grid = _warp(light, FULL)
    rows, columns = slice(margin, margin + height), slice(margin, margin + width)
    # Places of the padded picture, in those of the picture: its edges lie further out.
    outer = grid.new_tensor(
        [(width + 2 * margin - 1) / (width - 1), (height + 2 * margin - 1) / (height - 1)]
    )
    return Views(
        light[..., rows, columns], strong[..., rows, columns], grid[:, rows, columns] * outer
    )


def _warp(image: Tensor, strength: WarpStrength) -> tuple[Tensor, Tensor]:
    """One random warp per picture, control points that pull and a similarity; and its grid."""
    batch = image.shape[0]
    along = torch.linspace(-1.0, 1.0, _CONTROL, device=image.device)
    centres = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1).view(1, -1, 2)
    pull = torch.randn(batch, _CONTROL**2, 2, device=image.device) * strength.pull
    rare = torch.rand_like(pull) > 0.5
    pull = torch.where(rare, torch.randn_like(pull) * strength.rare_pull, pull)
    noise = torch.randn(batch, 4, device=image.device)
    shift = noise[:, :2] * strength.shift
    scale, turn = 1.0 + noise[:, 2] * strength.scale, noise[:, 3] * strength.turn
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
    return F.grid_sample(image, grid, align_corners=True), grid


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
