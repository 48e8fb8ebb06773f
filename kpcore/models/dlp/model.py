"""The published DLP models: parts, and how a picture passes through them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.api import Context, Decoder, Decoding, Encoding, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import ShapeError
from kpcore.geometry.coordinates import from_corner_aligned, to_corner_aligned
from kpcore.latents import Latents, Topology
from kpcore.models.dlp.config import DLPConfig, MaskedConfig, ObjectConfig
from kpcore.models.dlp.encoders import (
    AlwaysPresent,
    BackgroundEncoder,
    BoxesLeft,
    HeatLeft,
    ImageAppearance,
    MapAppearance,
    PositionEncoder,
    PresenceEncoder,
    SoftmaxPositionEncoder,
)
from kpcore.models.dlp.incremental import IncrementalDecoder, MaskedDecoder
from kpcore.models.dlp.particles import Normal, Particles
from kpcore.models.dlp.prior import PRIORS
from kpcore.models.dlp.renderers import MaskedRenderer, ObjectRenderer
from kpcore.nn.blocks import small_convolutions
from kpcore.nn.folding import InferenceCopy


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What the encoder says of a picture.

    Attributes:
        maps: Of the position encoder.
        position: On the grid.
        presence: 0..1.
    """

    maps: Float[Tensor, "B K F F"]
    position: Normal
    presence: Float[Tensor, "B K"]


class Networks(nn.Module):
    """All that is learned."""

    def __init__(
        self,
        *,
        position: PositionEncoder | SoftmaxPositionEncoder,
        presence: PresenceEncoder | AlwaysPresent,
        appearance: ImageAppearance | MapAppearance,
        background: BackgroundEncoder,
        renderer: ObjectRenderer | MaskedRenderer,
    ) -> None:
        super().__init__()
        self.position = position
        self.presence = presence
        self.appearance = appearance
        self.background = background
        self.renderer = renderer

    def posterior(self, image: Float[Tensor, "B 3 H W"]) -> Posterior:
        """Return positions and presence of each particle."""
        maps, position = self.position(image)
        return Posterior(maps, position, self.presence(maps))


class DLP(KeypointModel):
    """Deep Latent Particles (Daniel and Tamar, ICML 2022) as published with its weights.

    The Object and the Masked model are the same class with other parts. In eval mode without
    gradients an inference copy works, with batch norm folded into the layers before it.
    """

    def __init__(
        self,
        config: DLPConfig,
        networks: Networks,
        capabilities: Capabilities,
        make_decoder: Callable[[DLP, Encoding], Decoder],
    ) -> None:
        """Join the parts.

        Args:
            config: All choices.
            networks: All that is learned beside the prior.
            capabilities: What these parts can do together.
            make_decoder: Of one encoding's edits.
        """
        super().__init__()
        self.config = config
        self.networks = networks
        self.prior = PRIORS[config.prior](config)
        small_convolutions(self)
        if not config.prior_trained:
            self.prior.requires_grad_(False)
        self._capabilities = capabilities
        self._make_decoder = make_decoder
        self._copy = InferenceCopy(networks)

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        return self._capabilities

    @property
    def working(self) -> Networks:
        """The networks to compute with: themselves, or their inference copy where that will do."""
        if self.training or torch.is_grad_enabled():
            return self.networks
        return self._copy()

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the particles of each image, without sampling."""
        size = self.config.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, size, size):
            raise ShapeError(
                f"the image has shape {tuple(image.shape)}; this model takes (B, 3, {size}, {size})"
            )
        nets = self.working
        found = nets.posterior(image)
        mean = found.position.mean
        feature, _ = nets.appearance(image, found.maps, mean, found.presence)
        latents = Latents(
            position=from_corner_aligned(mean, size),
            topology=Topology.flat(self.config.particles),
            position_log_var=found.position.log_var + 2.0 * math.log((size - 1) / size),
            feature=feature.mean,
            feature_log_var=feature.log_var,
            presence=found.presence,
            background=nets.background(found.maps, mean, mean).mean,
        )
        return Encoding(latents, nets.renderer.context(found.maps))

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of particles."""
        particles = self.particles(latents)
        return self.working.renderer.decode(particles, latents, self.checked(latents, context))

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that keeps what an edit does not change."""
        return self._make_decoder(self, encoding)

    def particles(self, latents: Latents) -> Particles:
        """Return latents as the renderer takes them.

        Raises:
            ShapeError: They do not fit the model.
        """
        c = self.config
        if len(latents.batch_shape) != 1 or latents.count != c.particles:
            raise ShapeError(
                f"the positions have shape {tuple(latents.position.shape)}; this model decodes "
                f"(B, {c.particles}, 2), all its particles: hide one by presence 0"
            )
        position = to_corner_aligned(latents.position, c.image_size)
        background = _wide("background", latents.background, c.features)
        presence = latents.presence
        return Particles(
            position=position,
            feature=_wide("feature", latents.feature, c.features),
            presence=position.new_ones(position.shape[:2]) if presence is None else presence,
            background_position=torch.zeros_like(position[:, 0]),
            background=background,
        )

    def checked(self, latents: Latents, context: Context | None) -> Context:
        """Return the context that decoding these latents needs.

        Raises:
            ShapeError: It is missing or belongs to other latents.
        """
        c, batch = self.config, latents.position.shape[0]
        maps = latents.position.new_empty(0, c.particles, c.map_side, c.map_side)
        for name, empty in self.networks.renderer.context(maps).items():
            want = (batch, *empty.shape[1:])
            seen = None if context is None or name not in context else tuple(context[name].shape)
            if seen != want:
                raise ShapeError(
                    f"context '{name}' has shape {seen}, wanted {want}; decode latents together "
                    f"with the context that encode returned"
                )
        return context or {}


def _wide(name: str, value: Tensor | None, width: int) -> Tensor:
    """The value itself, if its rows have `width` numbers."""
    if value is None or value.shape[-1] != width:
        seen = "none" if value is None else f"shape {tuple(value.shape)}"
        raise ShapeError(f"{name}: {seen}; this model decodes rows of {width} numbers")
    return value


def build_object(config: ObjectConfig) -> DLP:
    """Return an untrained Object model."""
    networks = Networks(
        position=PositionEncoder(config),
        presence=PresenceEncoder(config),
        appearance=ImageAppearance(config, config.exclusive_patches),
        background=BackgroundEncoder(config, BoxesLeft(config)),
        renderer=ObjectRenderer(config),
    )
    able = _capabilities(config, layers=True, glimpse_px=config.glimpse_px)
    return DLP(config, networks, able, IncrementalDecoder)


def build_masked(config: MaskedConfig) -> DLP:
    """Return an untrained Masked model."""
    appearance = {"maps": MapAppearance, "image": ImageAppearance}[config.appearance]
    position = {"linear": PositionEncoder, "softmax": SoftmaxPositionEncoder}[config.positions]
    networks = Networks(
        position=position(config),
        presence=AlwaysPresent(),
        appearance=appearance(config),
        background=BackgroundEncoder(config, HeatLeft(config)),
        renderer=MaskedRenderer(config),
    )
    able = _capabilities(config, layers=False, glimpse_px=0)
    model = DLP(config, networks, able, MaskedDecoder)
    if isinstance(networks.position, SoftmaxPositionEncoder):
        networks.position.start()
    return model


def _capabilities(config: DLPConfig, *, layers: bool, glimpse_px: int) -> Capabilities:
    return Capabilities(
        image_size=(config.image_size, config.image_size),
        particles=config.particles,
        features=config.features,
        uncertainty=True,
        presence="gate",
        layers=layers,
        heatmaps=True,
        glimpse_px=glimpse_px,
        fixed_count=True,
    )
