"""LAVAE's networks: appearance and location maps, sprites, and the auxiliary VAE."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.1
_QUIET = 0.1
_SEED = 5
"""Side of the small map that a sprite grows from; the paper does not say."""


def _layer(inside: int, outside: int) -> nn.Sequential:
    """Convolution, leaky ReLU and batch norm, in the paper's order."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.BatchNorm2d(outside)
    )


class ResidualBlock(nn.Module):
    """Two convolutions, each with leaky ReLU and then batch norm, added to their input."""

    def __init__(self, width: int, plain: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers.append(nn.Conv2d(width, width, 3, padding=1))
            if not plain:
                layers += [nn.LeakyReLU(_SLOPE), nn.BatchNorm2d(width)]
        self.body = nn.Sequential(*layers)

    def forward(self, maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Return maps of the same shape."""
        return maps + self.body(maps)


def trunk(channels: int, width: int) -> nn.Sequential:
    """Return a stem and four residual blocks at full resolution."""
    blocks = [ResidualBlock(width) for _ in range(4)]
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), *blocks)


class AppearanceMap(nn.Module):
    """Mean and log-variance of an object's appearance, for every pixel that may be its middle.

    The last layer begins quiet. Batch norm sees mostly empty ground, so objects stand out by many
    standard deviations: at the usual size their means would begin at thousands of nats, and the
    appearance would be given up before a sprite has learned to use it.
    """

    def __init__(self, channels: int, width: int, features: int, half: bool) -> None:
        super().__init__()
        self._half = half
        fold = 4 if half else 1
        self.trunk = trunk(channels * fold, width)
        self.head = nn.Conv2d(width, 2 * features * fold, 3, padding=1)
        with torch.no_grad():
            for weight in self.head.parameters():
                weight.mul_(_QUIET)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B F H W"]:
        """Return the maps: first means, then log-variances."""
        if not self._half:
            return self.head(self.trunk(image))
        return F.pixel_shuffle(self.head(self.trunk(F.pixel_unshuffle(image, 2))), 2)


class LocationMap(nn.Module):
    """One logit for every pixel; its last layer works in 32 bits, for ties would be counted."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.trunk = trunk(channels, width)
        self.neck = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
        )
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W"]:
        """Return the logits, before gamma."""
        maps = self.neck(self.trunk(image))
        with torch.autocast(maps.device.type, enabled=False):
            return self.head(maps.float()).squeeze(1)


class SpriteDecoder(nn.Module):
    """An appearance to a sprite (LAVAE sec. 2.2 and appendix)."""

    def __init__(self, features: int, width: int, channels: int, side: int) -> None:
        super().__init__()
        self._side, self._width = side, width
        self.seed = nn.Linear(features, width * _SEED**2)
        self.first = _layer(width, width)
        self.join = _layer(width + features, width)
        self.blocks = nn.Sequential(
            ResidualBlock(width), ResidualBlock(width), ResidualBlock(width, plain=True)
        )
        self.head = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, appearance: Float[Tensor, "N L"]) -> Float[Tensor, "N C S S"]:
        """Return sprites in (0, 1)."""
        small = self.seed(appearance).view(-1, self._width, _SEED, _SEED)
        small = self.first(small)
        side = (self._side, self._side)
        large = F.interpolate(small, side, mode="bilinear", align_corners=False)
        told = appearance[:, :, None, None].expand(-1, -1, *side)
        joined = torch.cat([large, told], dim=1).contiguous(memory_format=torch.channels_last)
        maps = self.blocks(self.join(joined))
        return self.head(maps).float().sigmoid().contiguous()


class GridPosterior(NamedTuple):
    """Mean and log-variance of each cell's numbers."""

    mean: Float[Tensor, "B D h w"]
    log_var: Float[Tensor, "B D h w"]

    def draw(self) -> Float[Tensor, "B D h w"]:
        """Return a sample with its gradient."""
        return self.mean + (0.5 * self.log_var).exp() * torch.randn_like(self.mean)

    def kl(self) -> Float[Tensor, "B h w"]:
        """Return each cell's KL to N(0, 1), in nats."""
        return 0.5 * (self.mean**2 + self.log_var.exp() - 1.0 - self.log_var).sum(1)


class GridVae(nn.Module):
    """A convolutional VAE whose latent is a grid of cells: the auxiliary VAE and the baseline."""

    def __init__(self, channels: int, width: int, features: int, halvings: int) -> None:
        super().__init__()
        down: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        up: list[nn.Module] = [nn.Conv2d(features, width, 3, padding=1), ResidualBlock(width)]
        for _ in range(halvings):
            down += [nn.Conv2d(width, width, 4, stride=2, padding=1), ResidualBlock(width)]
            up += [
                nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),
                ResidualBlock(width),
            ]
        self.encoder = nn.Sequential(*down, nn.Conv2d(width, 2 * features, 3, padding=1))
        self.decoder = nn.Sequential(*up, nn.Conv2d(width, channels, 3, padding=1))

    def posterior(self, image: Float[Tensor, "B C H W"]) -> GridPosterior:
        """Return what a picture says of each cell."""
        mean, log_var = self.encoder(image).chunk(2, dim=1)
        return GridPosterior(mean, log_var.clamp(-12.0, 8.0))

    def forward(self, cells: Float[Tensor, "B D h w"]) -> Float[Tensor, "B C H W"]:
        """Return the logits of each pixel."""
        return self.decoder(cells)
