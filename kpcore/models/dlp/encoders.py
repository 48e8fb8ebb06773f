"""From a picture to positions, presence and appearance (DLP sec. 4.2)."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.geometry.glimpses import boxes, cut, cut_masked, exclusive
from kpcore.geometry.heatmaps import gaussian_maps, spatial_softmax
from kpcore.models.dlp.config import DLPConfig, MaskedConfig
from kpcore.models.dlp.particles import Normal, full
from kpcore.nn.blocks import DownCNN, mlp

_HIDDEN = (256, 128)
_GLIMPSE_CHANNELS = (16, 16, 32)
_GLIMPSE_MAPS = 32
_CONTRAST = 3.0
"""Deviation of maps under a softmax; at 1 the softmax stays wide for hundreds of steps."""


def _halves(value: Tensor) -> Normal:
    mean, log_var = full(value).chunk(2, dim=-1)
    return Normal(mean, log_var)


class PositionEncoder(nn.Module):
    """Picture to K maps, and the maps to each particle's position.

    Departs: K maps are flattened, as in the published code (the paper's appendix flattens all 256).
    """

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self.cnn = DownCNN(3, config.encoder_channels, config.particles, first_kernel=7)
        self.head = mlp(config.particles * config.map_side**2, *_HIDDEN, 4 * config.particles)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> tuple[Float[Tensor, "B K F F"], Normal]:
        """Return the maps and the positions on the grid."""
        maps = full(self.cnn(image))
        with torch.autocast(image.device.type, enabled=False):
            stats = self.head(maps.flatten(1)).unflatten(1, (maps.shape[1], 4))
        raw = _halves(stats)
        return maps, Normal(raw.mean.tanh(), raw.log_var)


class SoftmaxPositionEncoder(nn.Module):
    """Picture to K maps, each particle's position by a spatial softmax over its map.

    Departs: the paper's fully connected layers keep only the log-variances here. A softmax follows
    the picture by its convolutions before anything is learned; with the published head, particles
    hardly moved from face to face after 2,000 steps on 3,000 pictures. Which of the two heads is
    better at equal training was not measured. Maps have mean 0 and a fixed deviation, so that
    those that sharpen do not grow, and with them what the decoder is given past the particles.
    """

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self.cnn = DownCNN(3, config.encoder_channels, config.particles, first_kernel=7)
        self.norm = nn.InstanceNorm2d(config.particles)
        self.head = mlp(config.particles * config.map_side**2, *_HIDDEN, 2 * config.particles)

    def start(self) -> None:
        """Draw the convolutions' weights by He's rule: Adam's steps are large beside 0.01."""
        for layer in self.cnn.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> tuple[Float[Tensor, "B K F F"], Normal]:
        """Return the maps and the positions on the grid."""
        maps = _CONTRAST * self.norm(full(self.cnn(image)))
        with torch.autocast(image.device.type, enabled=False):
            log_var = self.head(maps.flatten(1)).unflatten(1, (maps.shape[1], 2))
        return maps, Normal(spatial_softmax(maps, "joint"), log_var)


class PresenceEncoder(nn.Module):
    """Maps, detached, to how far each particle is there: "z_on" (DLP sec. 4.4).

    Departs: a network of its own beside the position encoder's head, as in the published code.
    """

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self.head = mlp(config.particles * config.map_side**2, *_HIDDEN, config.particles)

    def forward(self, maps: Float[Tensor, "B K F F"]) -> Float[Tensor, "B K"]:
        """Return presence in 0..1."""
        return self.head(maps.detach().flatten(1)).sigmoid()


class AlwaysPresent(nn.Module):
    """All particles are there (Masked)."""

    def forward(self, maps: Float[Tensor, "B K F F"]) -> Float[Tensor, "B K"]:
        """Return ones."""
        return maps.new_ones(maps.shape[:2])


class ImageAppearance(nn.Module):
    """Features read from glimpses of the picture (DLP sec. 4.2).

    Departs: channels 16, 16, 32, as in the published code (the paper: 16, 32, 64).
    """

    def __init__(self, config: DLPConfig, exclusive_patches: bool = False) -> None:
        super().__init__()
        self._side = config.glimpse_px
        self._exclusive = exclusive_patches
        self.cnn = DownCNN(3, _GLIMPSE_CHANNELS, _GLIMPSE_MAPS)
        small = -(-self._side // 4)
        self.head = mlp(_GLIMPSE_MAPS * small**2, *_HIDDEN, 2 * config.features)

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        maps: Float[Tensor, "B K F F"],
        position: Float[Tensor, "B K 2"],
        presence: Float[Tensor, "B K"],
    ) -> tuple[Normal, Float[Tensor, "B K C S S"]]:
        """Return the features and the glimpses they were read from."""
        glimpses = self._glimpses(image, position.detach(), presence)
        encoded = self.cnn(glimpses.flatten(0, 1)).flatten(1)
        return _halves(self.head(encoded).unflatten(0, position.shape[:2])), glimpses

    def _glimpses(self, image: Tensor, position: Tensor, presence: Tensor) -> Tensor:
        if not (self._exclusive and self.training):
            return cut(image, position, self._side)
        masks = boxes(position, self._side, image.shape[-1]) * presence[..., None, None]
        return cut_masked(image, exclusive(masks), position, self._side)


class MapAppearance(nn.Module):
    """Features read from small glimpses of the encoder's maps, detached, and the position.

    Departs: the paper cuts the picture (`ImageAppearance`); the published Masked weights read maps.
    """

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self._side = config.map_glimpse
        numbers = config.particles * self._side**2 + 2
        self.head = mlp(numbers, *_HIDDEN, 2 * config.features)

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        maps: Float[Tensor, "B K F F"],
        position: Float[Tensor, "B K 2"],
        presence: Float[Tensor, "B K"],
    ) -> tuple[Normal, Float[Tensor, "B K C S S"]]:
        """Return the features and the glimpses they were read from."""
        position = position.detach()
        glimpses = cut(maps.detach(), position, self._side)
        return _halves(self.head(torch.cat([glimpses.flatten(2), position], dim=-1))), glimpses


class BoxesLeft(nn.Module):
    """What of the maps no particle's box covers (Object)."""

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self._side = config.map_glimpse

    def forward(
        self, maps: Float[Tensor, "B K F F"], mean: Float[Tensor, "B K 2"], position: Tensor
    ) -> Float[Tensor, "B 1 F F"]:
        """Return 1 where no box lies."""
        covered = boxes(mean.detach(), self._side, maps.shape[-1])
        return 1.0 - covered.sum(1, keepdim=True).clamp(0.0, 1.0)


class HeatLeft(nn.Module):
    """What of the maps no particle's heatmap covers (Masked)."""

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self._sigma = config.sigma
        self._threshold = config.mask_threshold

    def forward(
        self, maps: Float[Tensor, "B K F F"], mean: Tensor, position: Float[Tensor, "B K 2"]
    ) -> Float[Tensor, "B 1 F F"]:
        """Return 1 where all heatmaps are at most the threshold."""
        heat = gaussian_maps(position.detach(), maps.shape[-1], self._sigma)
        return 1.0 - union(heat, self._threshold)


def union(heat: Float[Tensor, "B K F F"], threshold: float) -> Float[Tensor, "B 1 F F"]:
    """Return 1 where any heatmap is above the threshold, detached.

    Departs: one union for all channels, strictly above, as in the published code (the paper: a
    mask for each particle, at least the threshold).
    """
    return (heat.detach() > threshold).any(1, keepdim=True).to(heat.dtype)


class BackgroundEncoder(nn.Module):
    """Features of the background particle, from the maps that particles leave uncovered.

    Departs: the background particle is the published code's; the paper has none.
    """

    def __init__(self, config: DLPConfig, left: nn.Module) -> None:
        super().__init__()
        self.left = left
        self.head = mlp(config.particles * config.map_side**2, *_HIDDEN, 2 * config.features)

    def forward(
        self,
        maps: Float[Tensor, "B K F F"],
        mean: Float[Tensor, "B K 2"],
        position: Float[Tensor, "B K 2"],
    ) -> Normal:
        """Return the features.

        Args:
            maps: Of the position encoder; detached here.
            mean: Of the positions.
            position: The positions as sampled; the mean when nothing is sampled.
        """
        uncovered = cast("Tensor", self.left(maps, mean, position)) * maps.detach()
        return _halves(self.head(uncovered.flatten(1)))
