"""Keypoint detector, residual renderer and recurrent dynamics."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.geometry.coordinates import pixel_centres, to_corner_aligned
from kpcore.geometry.heatmaps import gaussian_maps
from kpcore.models.keynet_rnn.config import KeyNetRNNConfig

_EPSILON = 1e-6


class Keypoints(NamedTuple):
    """Keypoints of pictures.

    Attributes:
        position: (x, y) in unit coordinates.
        scale: 0..1, the strength of each keypoint beside the picture's strongest.
        maps: the heat-maps that they were read from.
    """

    position: Float[Tensor, "*n K 2"]
    scale: Float[Tensor, "*n K"]
    maps: Float[Tensor, "*n K h w"]


def with_coordinates(maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c h w"]:
    """Return the maps with two channels more: x and y of each cell."""
    batch, _, height, width = maps.shape
    x = pixel_centres(width, maps.device, maps.dtype).expand(batch, 1, height, width)
    y = pixel_centres(height, maps.device, maps.dtype)[:, None].expand(batch, 1, height, width)
    return torch.cat([maps, x, y], dim=1)


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, 3, stride, 1, padding_mode="replicate")
    nn.init.kaiming_uniform_(conv.weight, a=0.2, nonlinearity="leaky_relu")
    nn.init.zeros_(conv.bias if conv.bias is not None else conv.weight.new_zeros(1))
    return nn.Sequential(conv, nn.LeakyReLU(0.2))


class ImageEncoder(nn.Module):
    """Two convolutions at each size, without batch norm."""

    def __init__(self, config: KeyNetRNNConfig) -> None:
        super().__init__()
        self._block = config.block_px
        first, *_ = config.widths
        layers = [_conv(3 * config.block_px**2 + 2, first), _conv(first, first)]
        for before, width in pairwise(config.widths):
            layers += [_conv(before, width, stride=2), _conv(width, width)]
        self.body = nn.Sequential(*layers)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Return the maps at `map_side`."""
        blocks = F.pixel_unshuffle(image - 0.5, self._block)
        return self.body(with_coordinates(blocks))


class Detector(nn.Module):
    """Pictures to keypoints: the mean place of a softplus heat-map, and its strength.

    Source: Minderer et al. 2019, sec. 3.1; other_systems.md section 4.
    """

    def __init__(self, config: KeyNetRNNConfig) -> None:
        super().__init__()
        self.encoder = ImageEncoder(config)
        self.head = nn.Conv2d(config.widths[-1], config.particles, 1)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Keypoints:
        """Return the keypoints of each picture."""
        maps = F.softplus(self.head(self.encoder(image)))
        mass = maps.sum((-2, -1)) + _EPSILON
        x = (maps.sum(-2) * pixel_centres(maps.shape[-1], maps.device)).sum(-1) / mass
        y = (maps.sum(-1) * pixel_centres(maps.shape[-2], maps.device)).sum(-1) / mass
        scale = mass / (mass.amax(-1, keepdim=True) + _EPSILON)
        return Keypoints(torch.stack([x, y], dim=-1), scale, maps)


class Renderer(nn.Module):
    """Keypoints and a reference picture to a picture: a residual is added to the reference.

    Source: Minderer et al. 2019, sec. 3.1 (there the first frame of the clip).
    """

    def __init__(self, config: KeyNetRNNConfig) -> None:
        super().__init__()
        self._side = config.map_side
        self._sigma = config.map_sigma_cells * 2.0 / config.map_side
        self._block = config.block_px
        widths = config.widths[::-1]
        self.appearance = ImageEncoder(config)
        self.start = nn.Sequential(
            _conv(widths[0] + 2 * config.particles + 2, widths[0]), _conv(widths[0], widths[0])
        )
        self.grow = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                    _conv(before, width),
                    _conv(width, width),
                )
                for before, width in pairwise(widths)
            )
        )
        self.head = nn.Conv2d(widths[-1], 3 * config.block_px**2, 3, padding=1)
        nn.init.normal_(self.head.weight, 0.0, 0.01)

    def maps(
        self, position: Float[Tensor, "B K 2"], scale: Float[Tensor, "B K"]
    ) -> Float[Tensor, "B K h w"]:
        """Return each keypoint's Gaussian, as high as its strength."""
        place = to_corner_aligned(position, self._side)
        sigma = self._sigma * self._side / (self._side - 1)
        return gaussian_maps(place, self._side, sigma) * scale[..., None, None]

    def forward(
        self,
        maps: Float[Tensor, "B K h w"],
        reference: Float[Tensor, "B 3 H W"],
        appearance: Float[Tensor, "B C h w"],
        reference_maps: Float[Tensor, "B K h w"],
    ) -> Float[Tensor, "B 3 H W"]:
        """Return the picture, not clamped.

        Args:
            maps: of the keypoints to draw.
            reference: the picture that the residual is added to.
            appearance: what `self.appearance` makes of it.
            reference_maps: of its keypoints.
        """
        seen = with_coordinates(torch.cat([appearance, maps, reference_maps], dim=1))
        residual = F.pixel_shuffle(self.head(self.grow(self.start(seen))), self._block)
        return reference + residual


class Dynamics(nn.Module):
    """A GRU over the coordinates and strengths of all keypoints; it gives their change.

    Departs: Minderer et al. use a variational recurrent network, whose prior is sampled; this one
    is deterministic and gives the mean.
    """

    def __init__(self, config: KeyNetRNNConfig) -> None:
        super().__init__()
        self._state = 3 * config.particles
        self.cell = nn.GRUCell(self._state, config.hidden)
        self.change = nn.Linear(config.hidden, self._state)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def observe(
        self, points: Float[Tensor, "B K 3"], memory: Float[Tensor, "B M"] | None
    ) -> tuple[Float[Tensor, "B K 3"], Float[Tensor, "B M"]]:
        """Return the expected keypoints of the next frame and the new memory.

        Args:
            points: x, y (unit coordinates) and strength of each keypoint.
            memory: what came before; None at the beginning.
        """
        kept: Tensor = self.cell(points.flatten(1), memory)
        after = points + self.change(kept).view_as(points)
        return torch.cat([after[..., :2], after[..., 2:].clamp(0.0, 1.0)], dim=-1), kept
