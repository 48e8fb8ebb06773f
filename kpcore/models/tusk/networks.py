"""TUSK's two networks, and what leads from a score map to keypoints and back to maps."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.geometry.coordinates import pixel_centres
from kpcore.models.tusk.config import TuskConfig
from kpcore.nn.unet import UNet


def _widths(config: TuskConfig) -> tuple[int, ...]:
    return tuple(config.width * factor for factor in (1, 2, 4, 8))


class Maps(NamedTuple):
    """What the encoder makes of pictures: one score map for all keypoints, and features."""

    score: Float[Tensor, "B h w"]
    feature: Float[Tensor, "B C h w"]


class MapEncoder(nn.Module):
    """A U-Net makes the features, and a small head on them one score map in [0, 1].

    The head's last norm sees its single channel alone: every score map has mean 0 and variance 1
    before a learned scale and shift, which keeps the sigmoid after it from saturating. It is in the
    released code, not in the paper.
    """

    def __init__(self, config: TuskConfig) -> None:
        super().__init__()
        channels = config.descriptor
        self.fold = config.fold
        padding = "replicate" if config.salient else "zeros"
        self.body = UNet(3 * config.fold**2, channels, _widths(config), config.groups, padding)
        last = nn.Conv2d(channels, 1, 3, padding=1, padding_mode=padding)
        if config.salient:
            with torch.no_grad():
                last.weight.abs_()
        self.head = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding),
            nn.GroupNorm(math.gcd(config.groups, channels), channels),
            nn.ReLU(inplace=True),
            last,
            nn.GroupNorm(1, 1),
        )

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Maps:
        """Return both maps."""
        feature = self.body(F.pixel_unshuffle(image, self.fold))
        return Maps(self.head(feature).squeeze(1).sigmoid(), feature)

    @torch.no_grad()
    def standardise(self, norm: nn.BatchNorm1d) -> None:
        """Give features the mean and variance that `norm` takes from them; scores stay the same.

        The mean stays where the score map's head sees zeros beyond the picture's edges, for these
        would stand out then.
        """
        mean, variance, last = norm.running_mean, norm.running_var, self.body.head.bias
        first = self.head[0]
        if mean is None or variance is None or last is None or not isinstance(first, nn.Conv2d):
            return
        spread = (variance + norm.eps).sqrt()
        shift = mean.clone() if first.padding_mode == "replicate" else torch.zeros_like(mean)
        self.body.head.weight.div_(spread[:, None, None, None])
        last.sub_(shift).div_(spread)
        if first.bias is not None:
            first.bias.add_(first.weight.sum((2, 3)) @ shift)
        first.weight.mul_(spread[:, None, None])
        mean.sub_(shift).div_(spread)
        variance.fill_(1.0 - norm.eps)


class MapDecoder(nn.Module):
    """A U-Net from keypoints' maps to colours and, when blending by alpha, a logit of it."""

    def __init__(self, config: TuskConfig) -> None:
        super().__init__()
        self.fold = config.fold
        channels = (3 if config.blend == "sum" else 4) * config.fold**2
        self.body = UNet(config.descriptor, channels, _widths(config), config.groups)
        if config.first_colour != 0.5 and self.body.head.bias is not None:
            odds = config.first_colour / (1.0 - config.first_colour)
            nn.init.constant_(self.body.head.bias, math.log(odds))

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return colours in [0, 1] and, where there is one, the logit."""
        maps = maps.contiguous(memory_format=torch.channels_last)
        drawn = F.pixel_shuffle(self.body(maps), self.fold)
        return torch.cat([drawn[:, :3].sigmoid(), drawn[:, 3:]], dim=1)


@torch.no_grad()
def smoothed(score: Float[Tensor, "B H W"], sigma: float) -> Float[Tensor, "B H W"]:
    """Return score maps blurred by a Gaussian of that many places; edges count as going on."""
    if sigma == 0.0:
        return score
    side = 2 * math.ceil(3.0 * sigma) + 1
    blur = gaussian_blur2d(score[:, None], (side, side), (sigma, sigma), border_type="replicate")
    return blur[:, 0]


class Peaks(NamedTuple):
    """The highest places of score maps, best first."""

    row: Int[Tensor, "B K"]
    column: Int[Tensor, "B K"]
    found: Float[Tensor, "B K"]
    """1 where the place is the highest of its window, 0 where no more such places were left."""


@torch.no_grad()
def peaks(score: Float[Tensor, "B H W"], count: int, window: int) -> Peaks:
    """Return the `count` highest of those places that are the highest of the window around them.

    Of equal scores in one window, the first in reading order stays, so that a flat ground gives one
    place and not all of it. Where fewer places stay than are asked for, the highest others fill up.

    Source: TUSK sec. 3.1, non-maximum suppression.
    """
    height, width = score.shape[-2:]
    # Doubles hold the scores exactly and leave room below them for the order of pixels.
    order = torch.arange(height * width, device=score.device, dtype=torch.float64)
    ranked = (score.flatten(1).double() - 1e-14 * order).view(-1, 1, height, width)
    highest = F.max_pool2d(ranked, (window, 1), 1, (window // 2, 0))
    highest = F.max_pool2d(highest, (1, window), 1, (0, window // 2))
    stays = ranked == highest
    kept = torch.where(stays, ranked, ranked - 2.0).flatten(1)
    place = kept.topk(count, dim=1).indices
    found = stays.flatten(1).gather(1, place).to(score.dtype)
    return Peaks(place // width, place % width, found)


def refined(
    score: Float[Tensor, "B H W"], peak: Peaks, window: int, softness: float
) -> Float[Tensor, "B K 2"]:
    """Return (x, y) in unit coordinates: the mean place around each peak, weighted by score.

    Scores are 0 outside of the picture. A place outside is brought back to the edge.

    Source: TUSK eq. 5.
    """
    height, width = score.shape[-2:]
    half = window // 2
    step = torch.arange(window, device=score.device)
    padded = F.pad(score, (half,) * 4)
    rows = (peak.row[..., None] + step)[..., :, None]
    columns = (peak.column[..., None] + step)[..., None, :]
    batch = torch.arange(len(score), device=score.device)[:, None, None, None]
    share = (padded[batch, rows, columns] / softness).flatten(2).softmax(-1)
    share = share.unflatten(2, (window, window))
    offset = (step - half).to(score.dtype)
    x = peak.column + (share.sum(2) * offset).sum(-1)
    y = peak.row + (share.sum(3) * offset).sum(-1)
    unit = torch.stack([(2.0 * x + 1.0) / width, (2.0 * y + 1.0) / height], dim=-1) - 1.0
    return unit.clamp(-1.0, 1.0)


def read(
    maps: Float[Tensor, "B C H W"], position: Float[Tensor, "B K 2"], mode: str = "bilinear"
) -> Float[Tensor, "B K C"]:
    """Return the map's values at unit positions."""
    found = F.grid_sample(
        maps, position[:, :, None], mode=mode, padding_mode="border", align_corners=False
    )
    return found.squeeze(-1).mT


def splats(
    position: Float[Tensor, "B K 2"], side: int, var_px: float
) -> tuple[Float[Tensor, "B K H"], Float[Tensor, "B K W"]]:
    """Return the rows' and columns' factors of a Gaussian at each position that sums to 1.

    Source: TUSK sec. 3.2; the variance is in squared pixels (other_systems.md section 1).
    """
    along = pixel_centres(side, position.device, position.dtype)
    far_px = (along - position[..., None]) * (side / 2.0)
    share = (-far_px.square() / (2.0 * var_px)).softmax(-1)
    return share[:, :, 1], share[:, :, 0]


def nearest_prototype(
    descriptor: Float[Tensor, "*n C"], prototypes: Float[Tensor, "M C"]
) -> Int[Tensor, "*n"]:
    """Return the row of the nearest prototype; all vectors have length 1."""
    return (descriptor @ prototypes.mT).argmax(-1)
