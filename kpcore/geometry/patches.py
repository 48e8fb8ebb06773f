"""Place decoded glimpses on a canvas and let them cover each other.

Placement by translation is bilinear and separable: a canvas row depends on y only and a column on
x only, so a patch is placed by two small matrix products instead of a canvas sampler.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.geometry.coordinates import pixel_centres
from kpcore.geometry.windows import composite_windows

Rule = Literal["remainder", "over", "sum"]
"""How layers cover each other: "remainder" gives each layer what the ones before it left
(DLP Algorithm 1; low index in front); "over" is ordinary alpha compositing, low index in front;
"sum" adds them to the background (LAVAE eq. 5)."""


def placement_weights(
    centre: Float[Tensor, "*n"], patch: int, canvas: int
) -> Float[Tensor, "*n N S"]:
    """Return the bilinear weights that carry patch samples to canvas pixels along one axis.

    Args:
        centre: Unit coordinate of the patch's middle.
        patch: Samples of the patch, one canvas pixel apart.
        canvas: Pixels of the canvas.
    """
    target = pixel_centres(canvas, centre.device, centre.dtype) * (canvas / 2)
    source = pixel_centres(patch, centre.device, centre.dtype) * (patch / 2)
    distance = target[:, None] - source[None, :] - centre[..., None, None] * (canvas / 2)
    return (1.0 - distance.abs()).clamp_min(0.0)


def place(
    patches: Float[Tensor, "*n C S S"], position: Float[Tensor, "*n 2"], size: tuple[int, int]
) -> Float[Tensor, "*n C H W"]:
    """Return each patch on its own empty canvas of `size`, centred at its unit position."""
    side = patches.shape[-1]
    rows = placement_weights(position[..., 1], side, size[0])
    columns = placement_weights(position[..., 0], side, size[1])
    return rows.unsqueeze(-3) @ patches @ columns.unsqueeze(-3).transpose(-1, -2)


def visible(
    alpha: Float[Tensor, "B K 1 H W"], rule: Rule
) -> tuple[Float[Tensor, "B K 1 H W"], Float[Tensor, "B 1 H W"]]:
    """Return how much of each layer is seen, low index in front, and of the background.

    Source: DLP Algorithm 1 ("remainder"), with the first mask kept in the running sum.
    """
    if rule == "sum":
        return alpha, torch.ones_like(alpha[:, 0])
    if rule == "over":
        clear = torch.cumprod(1.0 - alpha, dim=1)
        before = torch.cat([torch.ones_like(clear[:, :1]), clear[:, :-1]], dim=1)
        return alpha * before, clear[:, -1]
    used = torch.zeros_like(alpha[:, 0])
    masks: list[Tensor] = []
    for layer in alpha.unbind(1):
        mask = torch.minimum(1.0 - used.detach(), layer)
        masks.append(mask)
        used = used + mask
    return torch.stack(masks, dim=1), 1.0 - used.clamp(0.0, 1.0)


def composite_on_canvases(
    patches: Float[Tensor, "B K 4 S S"],
    position: Float[Tensor, "B K 2"],
    presence: Float[Tensor, "B K"],
    background: Float[Tensor, "B 3 H W"],
    rule: Rule,
) -> Float[Tensor, "B 3 H W"]:
    """Return what `composite` does, with each glimpse on a canvas of its own: plain, but slow."""
    canvas = place(patches, position, (background.shape[-2], background.shape[-1]))
    canvas = canvas.clamp(0.0, 1.0)
    masks, rest = visible(canvas[:, :, 3:] * presence[:, :, None, None, None], rule)
    return rest * background + (masks * canvas[:, :, :3]).sum(dim=1)


def composite(
    patches: Float[Tensor, "B K 4 S S"],
    position: Float[Tensor, "B K 2"],
    presence: Float[Tensor, "B K"] | None,
    background: Float[Tensor, "B 3 H W"],
    rule: Rule,
) -> Float[Tensor, "B 3 H W"]:
    """Return the background with every patch over it (not clamped).

    Args:
        patches: Straight RGB, then alpha.
        position: Unit coordinates of the patches' middles.
        presence: Multiplies alpha; None means 1.
        background: The picture behind.
        rule: How layers cover each other.
    """
    if patches.shape[1] == 0:
        return background
    shown = position.new_ones(position.shape[:2]) if presence is None else presence
    if rule == "remainder":
        return composite_windows(patches.clamp(0.0, 1.0), position, shown, background)
    return composite_on_canvases(patches, position, shown, background, rule)
