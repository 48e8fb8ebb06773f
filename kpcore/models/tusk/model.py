"""TUSK: pictures to keypoints with descriptors that cluster, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.api import Context, Decoder, Decoding, Encoding, Evidence, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import ShapeError
from kpcore.latents import Latents, Topology
from kpcore.models.tusk.config import TuskConfig
from kpcore.models.tusk.incremental import BlendingDecoder, SummingDecoder, without_gradients
from kpcore.models.tusk.networks import (
    MapDecoder,
    MapEncoder,
    Maps,
    nearest_prototype,
    peaks,
    read,
    refined,
    smoothed,
    splats,
)
from kpcore.nn.folding import InferenceCopy

_MOST = 4
"""At inference there may be so many times the keypoints of training (sec. 4: more objects)."""


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Keypoints of pictures.

    Attributes:
        position: (x, y) in unit coordinates.
        confidence: Score at that place, 0..1; 0 where there was no peak left.
        descriptor: Of length 1.
    """

    position: Float[Tensor, "B K 2"]
    confidence: Float[Tensor, "B K"]
    descriptor: Float[Tensor, "B K C"]


class Prototypes(nn.Module):
    """The learned centres of the clusters of descriptors."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, width))

    def forward(self) -> Float[Tensor, "M C"]:
        """Return the centres, of length 1."""
        return F.normalize(self.weight, dim=1)


class Networks(nn.Module):
    """Encoder and decoder, which one phase of training steps together."""

    def __init__(self, config: TuskConfig) -> None:
        super().__init__()
        self.encoder = MapEncoder(config)
        self.decoder = MapDecoder(config)


class Tusk(KeypointModel):
    """Task-agnostic unsupervised keypoints (Jin et al., NeurIPS 2022).

    The K highest places of one score map are the keypoints (sec. 3.1), so that several may be of
    one kind; each has a descriptor, a direction in C dimensions, and belongs to the nearest of M
    prototypes. A picture is decoded from small Gaussians that carry the descriptors, weighted by
    the scores (sec. 3.2).

    Departs: descriptors and confidences are read bilinearly, as the paper says; the released code
    reads them at truncated places, and its confidences are 0 at whole pixels. Equal scores near
    each other give one keypoint. Descriptors are scaled to length 1 wherever they are used, so an
    edited one may have any length.
    """

    def __init__(self, config: TuskConfig) -> None:
        super().__init__()
        self.config = config
        self.networks = Networks(config)
        self.edit_decoder = InferenceCopy(self.networks.decoder, without_gradients)
        self.prototypes = Prototypes(config.prototypes, config.descriptor)
        self.centre = nn.BatchNorm1d(config.descriptor, affine=False) if config.centred else None

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=self.count,
            features=c.descriptor,
            presence="score",
            prototypes=c.prototypes,
            alphas=c.blend == "alpha",
            fixed_count=False,
            most_particles=_MOST * c.keypoints,
            confidence=True,
        )

    @property
    def count(self) -> int:
        """Keypoints of a picture: those of training, unless another number was asked for."""
        return self._count or self.config.keypoints

    @property
    def codebook(self) -> Float[Tensor, "M C"]:
        """The prototypes, of length 1."""
        return self.prototypes().detach()

    # -- encoding ------------------------------------------------------------------------------
    def find(self, maps: Maps) -> Keypoints:
        """Return the K keypoints of each score map, highest first."""
        c = self.config
        peak = peaks(smoothed(maps.score, c.smoothing), self.count, c.window)
        position = refined(maps.score, peak, c.window, c.softness)
        confidence = read(maps.score[:, None], position).squeeze(-1) * peak.found
        descriptor = read(maps.feature, position, c.sampling)
        if self.centre is not None:
            descriptor = self.centre(descriptor.flatten(0, 1)).view_as(descriptor)
        return Keypoints(position, confidence, F.normalize(descriptor, dim=-1))

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the keypoints of each picture, highest score first."""
        size = self.config.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, size, size):
            raise ShapeError(
                f"the pictures have shape {tuple(image.shape)}; this model takes (B, 3, {size}, "
                f"{size}), in [0, 1]"
            )
        found = self.find(self.networks.encoder(image))
        return Encoding(
            Latents(
                position=found.position,
                topology=Topology.flat(self.count),
                feature=found.descriptor,
                presence=found.confidence.clamp(0.0, 1.0),
                prototype=nearest_prototype(found.descriptor, self.prototypes()),
            )
        )

    @torch.no_grad()
    def settle(self, pictures: Iterable[Image]) -> None:
        """Compute mean and variance of the features at keypoints anew, as averages of `pictures`.

        Features drift while they are trained, by more than their spread within few steps, and the
        running averages come after them. Then features are brought to a spread of 1, as nothing in
        training holds it and half precision would lose a small one beside a large mean.
        """
        norm, was_training = self.centre, self.training
        if norm is None:
            return
        momentum, norm.momentum = norm.momentum, None
        norm.reset_running_stats()
        self.train()
        for image in pictures:
            self.find(self.networks.encoder(image))
        norm.momentum = momentum
        self.networks.encoder.standardise(norm)
        self.train(was_training)

    def evidence(self, image: Image) -> Evidence:
        """Return the one score map of all keypoints."""
        return Evidence(self.networks.encoder(image).score[:, None])

    # -- decoding ------------------------------------------------------------------------------
    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of keypoints; any number of them decodes."""
        found = self.keypoints(latents)
        if self.config.blend == "sum":
            return Decoding(self.drawn(found))
        return self.blended(self.layers(found), found.confidence)

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that, when blending by alpha, decodes only keypoints that changed."""
        if self.config.blend == "sum":
            return SummingDecoder(self)
        return BlendingDecoder(self)

    def keypoints(self, latents: Latents) -> Keypoints:
        """Return the keypoints that latents stand for.

        Raises:
            ShapeError: No batch, no features, or features of another width.
        """
        return self.found(*self.given(latents))

    def given(self, latents: Latents) -> tuple[Tensor, Tensor, Tensor]:
        """Return position, presence and feature of keypoints.

        Raises:
            ShapeError: No batch, no features, or features of another width.
        """
        c, feature = self.config, latents.feature
        if feature is None or feature.shape[-1] != c.descriptor or feature.ndim != 3:
            seen = "none" if feature is None else f"shape {tuple(feature.shape)}"
            raise ShapeError(f"feature has {seen}; this model takes (B, K, {c.descriptor})")
        shown = latents.presence
        if shown is None:
            shown = torch.ones_like(latents.position[..., 0])
        return latents.position, shown, feature

    @staticmethod
    def found(
        position: Float[Tensor, "B K 2"],
        presence: Float[Tensor, "B K"],
        feature: Float[Tensor, "B K C"],
    ) -> Keypoints:
        """Return keypoints whose features may have any length."""
        return Keypoints(position, presence, F.normalize(feature, dim=-1))

    def drawn(self, found: Keypoints) -> Image:
        """Return the pictures decoded from the sum of the keypoints' maps."""
        return self.networks.decoder(self.summed(found))

    def summed(self, found: Keypoints) -> Float[Tensor, "B C h w"]:
        """Return the sum of the keypoints' maps."""
        rows, columns = splats(found.position, self.config.map_size, self.config.splat_var_px)
        carried = found.descriptor * found.confidence[..., None]
        return torch.einsum("bkc,bkh,bkw->bchw", carried, rows, columns)

    def apart(
        self,
        position: Float[Tensor, "B K 2"],
        confidence: Float[Tensor, "B K"],
        descriptor: Float[Tensor, "B K C"],
    ) -> Float[Tensor, "B K C h w"]:
        """Return each keypoint's map."""
        rows, columns = splats(position, self.config.map_size, self.config.splat_var_px)
        carried = descriptor * confidence[..., None]
        return torch.einsum("bkc,bkh,bkw->bkchw", carried, rows, columns)

    def layers(self, found: Keypoints) -> Float[Tensor, "B K 4 H W"]:
        """Return each keypoint's colours, and the logit of its alpha, decoded by itself."""
        maps = self.apart(found.position, found.confidence, found.descriptor)
        if maps.shape[1] == 0:
            side = self.config.image_size
            return maps.new_zeros(len(maps), 0, 4, side, side)
        drawn = self.networks.decoder(maps.flatten(0, 1))
        return drawn.unflatten(0, maps.shape[:2])

    def blended(
        self, layers: Float[Tensor, "B K 4 H W"], confidence: Float[Tensor, "B K"]
    ) -> Decoding:
        """Return the layers blended by the soft-max of their logits (sec. 3.2).

        A keypoint of confidence 0 is not there, and where none is the picture is black.
        """
        if layers.shape[1] == 0:
            return Decoding(
                layers.new_zeros(len(layers), 3, *layers.shape[-2:]), None, layers[:, :, 0]
            )
        there = (confidence > 0.0)[..., None, None]
        logits = layers[:, :, 3].masked_fill(~there, -1e9)
        alpha = logits.softmax(1) * there
        image = (alpha[:, :, None] * layers[:, :, :3]).sum(1)
        return Decoding(image.clamp(0.0, 1.0), alphas=alpha)
