"""Gaussian heatmaps of keypoints, and keypoints of heatmaps.

Both work on the published networks' grid, where the first and last pixel centres are -1 and +1
(`kpcore.geometry.coordinates.corner_aligned`).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.geometry.coordinates import corner_aligned

SoftmaxForm = Literal["marginal", "joint"]
"""Two different things that papers call spatial softmax: the map's mean over one axis through a
softmax along the other (as the published IMM and Transporter do it), or one softmax over all
cells (as the formulas read). The first needs maps some sixteen times larger to be as sharp."""

_LEAST = 1e-15
"""Of a Gaussian along one axis."""


def gaussian_maps(
    position: Float[Tensor, "*n 2"], side: int, sigma: float
) -> Float[Tensor, "*n {side} {side}"]:
    """Return exp(-|u - position|^2 / (2 sigma^2)) over a square grid; its peak is at most 1.

    Less than 1e-15 along an axis is 0. Products of such tails leave the range in which processors
    compute at full speed: on one a convolution of these maps took twenty times as long.

    Args:
        position: (x, y) on the corner-aligned grid.
        side: Of the map.
        sigma: In the same unit as the positions.

    Source: DLP sec. 3, Gaussian heatmaps (Jakab et al., 2018).
    """
    along = corner_aligned(side, position.device, position.dtype)
    fall = (-0.5 / sigma**2 * (along - position[..., None]).square()).exp()
    fall = nn.functional.threshold(fall, _LEAST, 0.0)
    return fall[..., 1, :, None] * fall[..., 0, None, :]


def spatial_softmax(
    maps: Float[Tensor, "*n h w"], form: SoftmaxForm = "marginal"
) -> Float[Tensor, "*n 2"]:
    """Return the expected (x, y) of each map on the corner-aligned grid.

    Args:
        maps: Not normalised.
        form: "marginal" takes the mean over one axis, then the softmax along the other; "joint"
            takes the softmax over the whole map.

    Source: DLP sec. 3, spatial softmax; dlp.md section 3.3; other_systems.md section 0.
    """
    if form == "joint":
        return mean_place(softmax_share(maps))
    height, width = maps.shape[-2:]
    across = corner_aligned(width, maps.device, maps.dtype)
    down = corner_aligned(height, maps.device, maps.dtype)
    x = (maps.mean(-2).softmax(-1) * across).sum(-1)
    y = (maps.mean(-1).softmax(-1) * down).sum(-1)
    return torch.stack([x, y], dim=-1)


def softmax_share(
    maps: Float[Tensor, "*n h w"], form: SoftmaxForm = "joint"
) -> Float[Tensor, "*n h w"]:
    """Return the distribution over each map whose mean `spatial_softmax` of this form is."""
    if form == "joint":
        return maps.flatten(-2).softmax(-1).unflatten(-1, maps.shape[-2:])
    down, across = maps.mean(-1).softmax(-1), maps.mean(-2).softmax(-1)
    return down[..., :, None] * across[..., None, :]


def mean_place(share: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n 2"]:
    """Return the mean (x, y) of distributions over maps on the corner-aligned grid.

    Args:
        share: Each map sums to 1.
    """
    across = corner_aligned(share.shape[-1], share.device, share.dtype)
    down = corner_aligned(share.shape[-2], share.device, share.dtype)
    x, y = (share.sum(-2) * across).sum(-1), (share.sum(-1) * down).sum(-1)
    return torch.stack([x, y], dim=-1)
