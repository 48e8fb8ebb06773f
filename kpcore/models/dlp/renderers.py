"""From particles to a picture (DLP sec. 4.3 and 4.4)."""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kpcore.api import Context, Decoding, Layers
from kpcore.geometry.coordinates import to_corner_aligned
from kpcore.geometry.heatmaps import gaussian_maps
from kpcore.latents import Latents
from kpcore.models.dlp.config import DLPConfig, MaskedConfig, ObjectConfig
from kpcore.models.dlp.encoders import union
from kpcore.models.dlp.particles import Particles, full
from kpcore.nn.blocks import UpCNN, mlp
from kpcore.nn.pointnet import PointNet


class Renderer(Protocol):
    """What turns particles into a picture."""

    def context(self, maps: Float[Tensor, "B K F F"]) -> Context:
        """Return what decoding needs beside the latents."""
        ...

    def decode(self, particles: Particles, latents: Latents, context: Context) -> Decoding:
        """Return the picture of latents, given as particles too."""
        ...


def _picture_decoder(config: DLPConfig, maps: int) -> UpCNN:
    """The upsampling decoder from `maps` maps.

    Departs: its last width is the smallest multiple of K + 1 above the first encoder width, as in
    the published code (the paper: 32).
    """
    first, *rest = config.encoder_channels
    nodes = config.particles + 1
    return UpCNN(maps, [*reversed(rest), nodes * (first // nodes + 1)], 3)


class GlimpseDecoder(nn.Module):
    """Features to straight RGB and alpha of a glimpse.

    Departs: one hidden layer and 32 channels before the end, as in the published code (the paper:
    two hidden layers, 64 channels).
    """

    def __init__(self, config: ObjectConfig) -> None:
        super().__init__()
        doublings = config.glimpse_px.bit_length() - 4
        self.seed = nn.Sequential(mlp(config.features, 256, 32 * 8 * 8), nn.ReLU())
        self.grow = UpCNN(32, [64] * doublings + [32], 4)

    def forward(self, feature: Float[Tensor, "N D"]) -> Float[Tensor, "N 4 S S"]:
        """Return RGB, then alpha, in 0..1."""
        return self.grow(self.seed(feature).view(-1, 32, 8, 8)).sigmoid()


class ObjectRenderer(nn.Module):
    """A background from heatmaps and graph, and decoded glimpses stitched over it."""

    def __init__(self, config: ObjectConfig) -> None:
        super().__init__()
        self._sigma, self._side = config.sigma, config.map_side
        self._size = config.image_size
        self._scale = config.image_size / (config.image_size - 1)
        self.graph = PointNet(config.features, config.particles, config.map_side)
        self.picture = _picture_decoder(config, 2 * config.particles)
        self.glimpses = GlimpseDecoder(config)

    def context(self, maps: Float[Tensor, "B K F F"]) -> Context:
        """Return nothing: particles say all."""
        return {}

    def background(
        self, particles: Particles
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B K F F"]]:
        """Return the picture behind the glimpses, and the heatmaps."""
        heat = gaussian_maps(particles.position, self._side, self._sigma)
        maps = self.graph(*particles.nodes())
        return full(self.picture(torch.cat([heat, maps.to(heat.dtype)], dim=1))), heat

    def patches(self, feature: Float[Tensor, "B K D"]) -> Float[Tensor, "B K 4 S S"]:
        """Return the decoded glimpse of every particle."""
        return full(self.glimpses(feature.flatten(0, 1))).unflatten(0, feature.shape[:2])

    def layers(
        self, patches: Float[Tensor, "B K 4 S S"], background: Float[Tensor, "B 3 H W"]
    ) -> Layers:
        """Return decoded parts as layers.

        The published code places a patch by a transformer whose +-1 are pixel edges, at a position
        whose +-1 are pixel centres; `position_scale` says so.
        """
        return Layers(patches, background, "remainder", self._scale)

    def draw(
        self,
        position: Float[Tensor, "B K 2"],
        patches: Float[Tensor, "B K 4 S S"],
        feature: Float[Tensor, "B K D"],
        presence: Float[Tensor, "B K"],
        background: Float[Tensor, "B D"],
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B 3 H W"], Float[Tensor, "B K F F"]]:
        """Return the picture, the background and the heatmaps, of nothing but tensors.

        Args:
            position: In unit coordinates.
            patches: The particles' decoded glimpses.
            feature: Their appearance.
            presence: 0..1.
            background: Appearance of the background particle.
        """
        on_grid = to_corner_aligned(position, self._size)
        middle = torch.zeros_like(position[:, 0])
        ground, heat = self.background(Particles(on_grid, feature, presence, middle, background))
        return self.layers(patches, ground).drawn(position, presence), ground, heat

    def decode(self, particles: Particles, latents: Latents, context: Context) -> Decoding:
        """Return the picture of latents, given as particles too."""
        background, heat = self.background(particles)
        layers = self.layers(self.patches(particles.feature), background)
        return Decoding(layers.composite(latents), layers, heat)


class MaskedRenderer(nn.Module):
    """One picture from heatmaps, graph where particles are, and encoder maps where they are not."""

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self._sigma, self._side = config.sigma, config.map_side
        self._threshold = config.mask_threshold
        self.graph = PointNet(
            config.features, config.particles, config.map_side, config.graph_widths
        )
        self.picture = _picture_decoder(config, 3 * config.particles)

    def context(self, maps: Float[Tensor, "B K F F"]) -> Context:
        """Return the encoder's maps: the bypass."""
        return {"maps": maps.detach()}

    def forward(
        self,
        particles: Particles,
        maps: Float[Tensor, "B K F F"],
        present: Bool[Tensor, "B K"] | None = None,
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B K F F"]]:
        """Return the picture, not clamped, and the heatmaps.

        Args:
            particles: Presence fades their heatmaps.
            maps: Of the encoder; detached here.
            present: Particles that take part in the graph; None means all.
        """
        heat = gaussian_maps(particles.position, self._side, self._sigma)
        heat = heat * particles.presence[..., None, None]
        taking_part = (
            None if present is None else torch.nn.functional.pad(present, (0, 1), value=True)
        )
        graph = self.graph(*particles.nodes(), taking_part)
        mask = union(heat, self._threshold)
        inputs = [heat, (mask * graph).to(heat.dtype), (1.0 - mask) * maps.detach()]
        return full(self.picture(torch.cat(inputs, dim=1))), heat

    def draw(
        self,
        position: Float[Tensor, "B K 2"],
        feature: Float[Tensor, "B K D"],
        presence: Float[Tensor, "B K"],
        background: Float[Tensor, "B D"],
        maps: Float[Tensor, "B K F F"],
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B K F F"]]:
        """Return the picture and the heatmaps, of nothing but tensors.

        Args:
            position: On the grid.
            feature: The particles' appearance.
            presence: 0..1.
            background: Appearance of the background particle.
            maps: Of the encoder.
        """
        middle = torch.zeros_like(position[:, 0])
        particles = Particles(position, feature, presence, middle, background)
        image, heat = self(particles, maps, presence > 0)
        return image.clamp(0.0, 1.0), heat

    def decode(self, particles: Particles, latents: Latents, context: Context) -> Decoding:
        """Return the picture of latents, given as particles too."""
        image, heat = self(particles, context["maps"], particles.presence > 0)
        return Decoding(image.clamp(0.0, 1.0), None, heat)
