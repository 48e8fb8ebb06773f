"""KeyNet: keypoints of a picture and the appearance of another make the first again."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Context, Decoder, Decoding, Encoding, Evidence, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpcore.models.keynet.config import KeyNetConfig
from kpcore.nn.conv_norm import ConvStack, Renderer, halving, over_ground
from kpcore.nn.edit_rendering import AppearanceDecoder, EditRenderer, Points
from kpcore.nn.feature_pyramid import FeaturePyramid
from kpcore.nn.folding import InferenceCopy
from kpcore.nn.keypoint_head import (
    KeypointHead,
    PyramidKeypoints,
    TrunkKeypoints,
    keypoint_maps,
)
from kpcore.nn.requirements import require_pictures, require_points

_LEVELS = 2


class KeyNet(KeypointModel):
    """Unsupervised landmarks through conditional image generation (Jakab et al., NeurIPS 2018).

    Appearance is all in the reference: points carry places only, so the points of one picture
    decode over the appearance of another (pose transfer).
    """

    def __init__(self, config: KeyNetConfig) -> None:
        super().__init__()
        self.config = config
        self.appearance = ConvStack(3, halving(config.widths), config.norm)
        self.keypoints = _keypoints(config)
        maps = config.keypoints * (2 if config.residual else 1)
        channels = self.appearance.channels + maps
        self.renderer = Renderer(
            channels, config.renderer_widths, config.norm, masked=config.residual
        )
        held = self.appearance.channels
        moving = slice(held, held + config.keypoints)
        self._edit_renderer = InferenceCopy(self.renderer, partial(EditRenderer, moving=moving))

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.keypoints,
            heatmaps=True,
            needs_reference=True,
            ordered=True,
            confidence=True,
        )

    def look(self, reference: Image) -> dict[str, Tensor]:
        """Return what rendering needs of the reference, computed once for all edits."""
        context = {"appearance": self.appearance(reference)}
        if self.config.residual:
            context |= {"picture": reference, "position": self.keypoints(reference)}
        return context

    def maps(self, position: Float[Tensor, "B K 2"]) -> Float[Tensor, "B K h w"]:
        """Return the Gaussian maps of keypoints."""
        return keypoint_maps(position, self.config.side, self.config.sigma)

    def inputs(self, maps: Float[Tensor, "B K h w"], context: Context) -> Float[Tensor, "B C h w"]:
        """Return what the renderer takes."""
        parts = [context["appearance"], maps]
        if self.config.residual:
            parts.append(self.maps(context["position"]))
        return torch.cat(parts, 1)

    def render(
        self, position: Float[Tensor, "B K 2"], context: Context
    ) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B K h w"]]:
        """Return the picture, not clamped, and the Gaussian maps it was made with."""
        maps = self.maps(position)
        picture = self.renderer(self.inputs(maps, context))
        if self.config.residual:
            picture = over_ground(picture, context["picture"])
        return picture, maps

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the keypoints of each image, and the reference's appearance as context.

        Args:
            image: Pictures whose keypoints are wanted.
            reference: Pictures whose appearance is decoded, one for each image; None means the
                images themselves.
        """
        require_pictures(self.config.image_size, image, reference)
        latents = Latents(self.keypoints(image), Topology.flat(self.config.keypoints))
        return Encoding(latents, self.look(image if reference is None else reference))

    def evidence(self, image: Image) -> Evidence:
        """Return the distribution of each keypoint over the picture."""
        return Evidence(self.keypoints.confidence(image))

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of keypoints over the context's appearance."""
        position, context = require_points(latents, self.config.keypoints, context)
        picture, maps = self.render(position, context)
        return Decoding(picture.clamp(0.0, 1.0), heatmaps=maps)

    @torch.no_grad()
    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that keeps what the appearance adds to the first convolution."""
        if self.training:
            return super().decoder_for(encoding)
        count = self.config.keypoints
        position, context = require_points(encoding.latents, count, encoding.context)
        return AppearanceDecoder(
            self._edit_renderer,
            Points(count, self.maps),
            context,
            self.inputs(self.maps(position), context),
            context.get("picture"),
        )


def _keypoints(config: KeyNetConfig) -> TrunkKeypoints | PyramidKeypoints:
    """The network from a picture to its keypoints."""
    if config.trunk == "encoder":
        trunk = ConvStack(3, halving(config.widths), config.norm)
        return TrunkKeypoints(trunk, _head(config, trunk.channels))
    channels = config.pyramid_channels
    pyramid = FeaturePyramid(config.pyramid_widths, _LEVELS, channels, config.norm)
    return PyramidKeypoints(pyramid, _head(config, channels))


def _head(config: KeyNetConfig, channels: int) -> KeypointHead:
    return KeypointHead(
        channels,
        config.keypoints,
        hidden=config.head_widths,
        norm=config.norm,
        form=config.softmax,
        gain=config.softmax_gain,
    )
