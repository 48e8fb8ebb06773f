"""Transporter: features moved between two frames at their keypoints make one from the other."""

from __future__ import annotations

import torch
from torch import Tensor

from kpcore.api import Context, Decoder, Decoding, Encoding, Evidence, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpcore.models.transporter.config import TransporterConfig
from kpcore.nn.conv_norm import ConvStack, Renderer, halving
from kpcore.nn.edit_rendering import Points, TransportDecoder, fast_renderer
from kpcore.nn.feature_pyramid import FeaturePyramid
from kpcore.nn.folding import InferenceCopy
from kpcore.nn.keypoint_head import (
    KeypointHead,
    PyramidKeypoints,
    TrunkKeypoints,
    keypoint_maps,
)
from kpcore.nn.requirements import require_pictures, require_points
from kpcore.nn.transport import transport, transport_moved

_LEVELS = 2


class Transporter(KeypointModel):
    """Unsupervised learning of object keypoints (Kulkarni et al., NeurIPS 2019).

    An edit has no second frame to take features from. A keypoint that is moved is taken out of
    the reference at its old place, and the features that lay there in the picture itself are put
    in at the new place, so that the object moves and no ground is pasted
    (other_systems.md section 9).
    """

    def __init__(self, config: TransporterConfig) -> None:
        super().__init__()
        self.config = config
        steps = halving(config.widths)
        self.features = ConvStack(3, steps, config.norm)
        if config.trunk == "encoder":
            trunk = ConvStack(3, steps, config.norm)
            head = self._head(trunk.channels)
            self.keypoints: TrunkKeypoints | PyramidKeypoints = TrunkKeypoints(trunk, head)
        else:
            pyramid = FeaturePyramid(
                config.pyramid_widths, _LEVELS, config.pyramid_channels, config.norm
            )
            self.keypoints = PyramidKeypoints(pyramid, self._head(config.pyramid_channels))
        self.decoder = Renderer(self.features.channels, config.decoder_widths, config.norm)
        self._fast_decoder = InferenceCopy(self.decoder, fast_renderer)

    def _head(self, channels: int) -> KeypointHead:
        c = self.config
        return KeypointHead(
            channels,
            c.keypoints,
            hidden=c.head_widths,
            norm=c.norm,
            form=c.softmax,
            gain=c.softmax_gain,
        )

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

    def maps(self, position: Tensor) -> Tensor:
        """Return the Gaussian maps of keypoints."""
        return keypoint_maps(position, self.config.side, self.config.sigma)

    def transported(self, image: Image, reference: Image) -> tuple[Tensor, Tensor]:
        """Return the picture remade from the reference, and its keypoints (B, K, 2).

        Nothing flows back through the reference (Kulkarni et al., sec. 3).
        """
        with torch.no_grad():
            base = self.features(reference)
            base_maps = self.maps(self.keypoints(reference))
        position = self.keypoints(image)
        moved = transport(base, self.features(image), base_maps, self.maps(position))
        return self.decoder(moved), position

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the keypoints of each image; features and keypoints of both are the context.

        Args:
            image: Pictures whose keypoints are wanted.
            reference: Pictures into which they are put, one for each image; a frame without the
                object at its old place gives cleaner edits. None means the images themselves.
        """
        require_pictures(self.config.image_size, image, reference)
        position, donor = self.keypoints(image), self.features(image)
        context = {"donor": donor, "donor_position": position}
        if reference is None:
            context |= {"base": donor, "base_position": position}
        else:
            base, place = self.features(reference), self.keypoints(reference)
            context |= {"base": base, "base_position": place}
        return Encoding(Latents(position, Topology.flat(self.config.keypoints)), context)

    def evidence(self, image: Image) -> Evidence:
        """Return the distribution of each keypoint over the picture."""
        return Evidence(self.keypoints.confidence(image))

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture with each keypoint's features where the keypoint is now."""
        position, context = require_points(latents, self.config.keypoints, context)
        maps = self.maps(position)
        features = transport_moved(
            context["base"],
            context["donor"],
            self.maps(context["base_position"]),
            maps,
            position - context["donor_position"],
        )
        return Decoding(self.decoder(features).clamp(0.0, 1.0), heatmaps=maps)

    @torch.no_grad()
    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that keeps the maps of the reference's keypoints."""
        if self.training:
            return super().decoder_for(encoding)
        count = self.config.keypoints
        _, context = require_points(encoding.latents, count, encoding.context)
        return TransportDecoder(self._fast_decoder, Points(count, self.maps), context)
