"""Cut and place glimpses in small windows instead of on whole canvases, for training.

A glimpse touches only a window one pixel larger than itself, so a batch of many particles costs
windows, not canvases. The numbers are those of `kpcore.geometry.patches` with the "remainder" rule,
to within float rounding; gradients flow to patches, presence and positions alike.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def _corner(
    position: Float[Tensor, "B K 2"], patch: int, size: tuple[int, int]
) -> tuple[Int[Tensor, "B K 2"], Float[Tensor, "B K 2"]]:
    """Whole and fractional pixel of the first patch sample, (x, y).

    What lies far outside, or nowhere (NaN), is held just outside.
    """
    height, width = size
    scale = position.new_tensor([width, height])
    corner = (position + 1.0) * scale / 2.0 - patch / 2.0
    corner = corner.nan_to_num(nan=-patch - 1.0)
    corner = corner.maximum(torch.full_like(scale, -patch - 1.0)).minimum(scale + 0.5)
    whole = corner.detach().floor()
    return whole.long(), corner - whole


def _indices(
    whole: Int[Tensor, "B K 2"], window: int, size: tuple[int, int], margin: int
) -> Int[Tensor, "B K w w"]:
    """Flat indices of each window's pixels on a canvas with `margin` more pixels on each side."""
    width = size[1] + 2 * margin
    steps = torch.arange(window, device=whole.device) + margin
    rows = whole[..., 1, None] + steps
    columns = whole[..., 0, None] + steps
    return rows[..., :, None] * width + columns[..., None, :]


def cut_windows(
    image: Float[Tensor, "B C H W"], position: Float[Tensor, "B K 2"], patch: int
) -> Float[Tensor, "B K C {patch} {patch}"]:
    """Return the glimpse of side `patch` round each position, bilinear, black outside the image.

    Positions get no gradient (DLP cuts glimpses at detached positions).
    """
    batch, channels, height, width = image.shape
    margin = patch + 2
    whole, part = _corner(position.detach(), patch, (height, width))
    padded = torch.nn.functional.pad(image, (margin,) * 4).flatten(2)
    index = _indices(whole, patch + 1, (height, width), margin)
    flat = index.reshape(batch, 1, -1).expand(-1, channels, -1)
    window = padded.gather(2, flat).view(batch, channels, -1, patch + 1, patch + 1).transpose(1, 2)
    x, y = part[..., 0, None, None, None], part[..., 1, None, None, None]
    window = window[..., :-1, :] * (1 - y) + window[..., 1:, :] * y
    return window[..., :-1] * (1 - x) + window[..., 1:] * x


def composite_windows(
    patches: Float[Tensor, "B K 4 S S"],
    position: Float[Tensor, "B K 2"],
    presence: Float[Tensor, "B K"],
    background: Float[Tensor, "B 3 H W"],
    alpha_noise: float = 0.0,
) -> Float[Tensor, "B 3 H W"]:
    """Return the background with every patch over it, low index in front (not clamped).

    Args:
        patches: Straight RGB, then alpha.
        position: Unit coordinates of the patches' middles.
        presence: Multiplies alpha.
        background: The picture behind.
        alpha_noise: Standard deviation of noise on alpha where it is above 0.1 (DLP app. B, noisy
            masks).

    Source: DLP Algorithm 1, as in `kpcore.geometry.patches.composite` with rule "remainder".
    """
    batch, count, _, side, _ = patches.shape
    height, width = background.shape[-2:]
    margin = side + 2
    whole, part = _corner(position, side, (height, width))
    x, y = part[..., 0, None, None, None], part[..., 1, None, None, None]
    pad = torch.nn.functional.pad
    window = pad(patches, (0, 0, 0, 1)) * (1 - y) + pad(patches, (0, 0, 1, 0)) * y
    window = pad(window, (0, 1, 0, 0)) * (1 - x) + pad(window, (1, 0, 0, 0)) * x
    colour, alpha = window.flatten(3).split([3, 1], dim=2)
    alpha = alpha.squeeze(2)
    if alpha_noise:
        alpha = alpha + alpha_noise * torch.randn_like(alpha) * (alpha > 0.1)
    alpha = alpha * presence[..., None]
    index = _indices(whole, side + 1, (height, width), margin).flatten(2)
    canvas = (height + 2 * margin) * (width + 2 * margin)
    with torch.no_grad():
        covered = alpha.new_zeros(batch, canvas)
        left: list[Tensor] = []
        for k in range(count):
            room = 1.0 - covered.gather(1, index[:, k])
            left.append(room)
            covered.scatter_add_(1, index[:, k], torch.minimum(room, alpha[:, k]))
    mask = torch.minimum(torch.stack(left, dim=1), alpha)
    layers = torch.cat([colour * mask[:, :, None], mask[:, :, None]], dim=2)
    total = layers.new_zeros(batch, 4, canvas).scatter_add(
        2, index.flatten(1)[:, None].expand(-1, 4, -1), layers.transpose(1, 2).flatten(2)
    )
    total = total.view(batch, 4, height + 2 * margin, width + 2 * margin)
    seen, used = total[:, :, margin:-margin, margin:-margin].split([3, 1], dim=1)
    return background * (1.0 - used.clamp(0.0, 1.0)) + seen
