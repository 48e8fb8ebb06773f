"""How far a picture is from its reconstruction, in pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_EDGE_LEVELS = 3


def squared_error(a: Float[Tensor, "B *n"], b: Float[Tensor, "B *n"]) -> Float[Tensor, ""]:
    """Return the squared error, summed over an image and averaged over the batch.

    Source: dlp.md section 10.
    """
    return (a - b).square().sum() / a.shape[0]


def psnr_db(a: Float[Tensor, "B *n"], b: Float[Tensor, "B *n"]) -> Float[Tensor, ""]:
    """Return the peak signal-to-noise ratio in decibels of values in [0, 1]."""
    return -10.0 * (a - b).square().mean().log10()


def border_window(
    side: int, border: float, ramp: float, device: torch.device | None = None
) -> Float[Tensor, "{side} {side}"]:
    """Return weights that are 0 along the edges of a picture and rise smoothly to 1.

    Args:
        side: Of the picture in pixels.
        border: Share of the side, at each edge, that weighs nothing.
        ramp: Share of the side over which the weight rises as a tanh from there.
        device: Where to make it.

    Source: the loss of Jakab et al., 2018, 10 and 20 pixels of 128; other_systems.md section 4.
    The ramp's slope is not given there; here tanh runs from -2 to 2 across it and is scaled to
    [0, 1].
    """
    if border <= 0.0 and ramp <= 0.0:
        return torch.ones(side, side, device=device)
    inwards = torch.arange(side, device=device) + 0.5
    inwards = torch.minimum(inwards, side - inwards) / side - border
    along = (inwards > 0.0).float()
    if ramp > 0.0:
        rise = (inwards / ramp).clamp(0.0, 1.0)
        along = 0.5 + 0.5 * (4.0 * rise - 2.0).tanh() / torch.tensor(2.0).tanh().item()
    return along[:, None] * along[None, :]


def edge_errors(
    a: Float[Tensor, "B 3 H W"],
    b: Float[Tensor, "B 3 H W"],
    weight: Float[Tensor, "H W"],
) -> list[Float[Tensor, ""]]:
    """Return how far the edges of two pictures differ at full, half and quarter size.

    The mean absolute difference between the slopes of their grey values: what is evenly lit and
    its colour cost nothing, so features are heeded rather than large blobs.

    Args:
        a: Pictures.
        b: Other pictures.
        weight: Of each pixel; a slope weighs as the lighter of the two pixels it lies between.

    Source: other_systems.md section 4, in place of the features of a network that is not to be
    had.
    """
    grey = (a - b).mean(1, keepdim=True)
    scale = weight[None, None]
    errors: list[Tensor] = []
    for level in range(_EDGE_LEVELS):
        if level:
            grey, scale = F.avg_pool2d(grey, 2), F.avg_pool2d(scale, 2)
        beside = torch.minimum(scale[..., 1:], scale[..., :-1])
        below = torch.minimum(scale[..., 1:, :], scale[..., :-1, :])
        across = (grey[..., 1:] - grey[..., :-1]).abs() * beside
        down = (grey[..., 1:, :] - grey[..., :-1, :]).abs() * below
        errors.append(across.mean() + down.mean())
    return errors


class RunningBalance:
    """Divides each of several losses by a running mean of itself, so that all weigh alike.

    Source: Jakab et al., 2018 (decay 0.99); other_systems.md section 4.

    Departs: a mean begins at the first value seen rather than at a constant that was measured for
    VGG16.

    Attributes:
        means: By name; the memory of a phase of training.
    """

    def __init__(self, decay: float = 0.99) -> None:
        self._decay = decay
        self.means: dict[str, Tensor] = {}

    def __call__(self, terms: dict[str, Float[Tensor, ""]]) -> dict[str, Float[Tensor, ""]]:
        """Return the terms balanced; each counts towards its mean first."""
        balanced: dict[str, Tensor] = {}
        for name, term in terms.items():
            value = term.detach()
            mean = self.means.get(name, value).to(value.device)
            mean = self._decay * mean + (1.0 - self._decay) * value
            self.means[name] = mean
            balanced[name] = term / mean.clamp(min=1e-8)
        return balanced
