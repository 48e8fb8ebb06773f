"""The landmark autoencoder: pictures to landmarks with descriptors, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.api import Context, Decoder, Decoding, Encoding, Evidence, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import ShapeError
from kpcore.geometry.coordinates import pixel_centres
from kpcore.latents import Latents, Topology
from kpcore.models.lmdis.config import LmdisConfig
from kpcore.models.lmdis.incremental import EditDecoder, EditPainter
from kpcore.models.lmdis.networks import Descriptors, describer, detector, painter
from kpcore.nn.folding import InferenceCopy

_FAINT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """What the encoder makes of padded pictures; lengths in units of the padded edge's half.

    Attributes:
        maps: Confidence of each landmark and, last, of the background; they sum to 1 at each place.
        position: (x, y) in unit coordinates of the padded picture.
        sigma: Mean of the maps' standard deviations along x and y, in the same unit.
        descriptor: Of each landmark and, last, of the background; None where there are none.
    """

    maps: Float[Tensor, "B N h w"]
    position: Float[Tensor, "B K 2"]
    sigma: Float[Tensor, "B K"]
    descriptor: Float[Tensor, "B N C"] | None = None


class Lmdis(KeypointModel):
    """Landmarks as structural representations (Zhang et al., CVPR 2018).

    A soft-max over K + 1 maps gives K landmarks and a background (sec. 3.1); each landmark has a
    few numbers of its own (sec. 3.3); a picture is decoded from Gaussians at the landmarks, of
    several widths, that spread those numbers (sec. 3.4).

    Departs: `position_log_var` is the log of the squared mean standard deviation of a landmark's
    confidence map, which the paper uses in its loss only (eq. 5); the decoder does not see it. The
    decoder's Gaussians are the paper's densities (eq. 11); the released code scales them down by
    their area, so that the background outweighs every landmark, which harms nothing in training
    but makes edits weak.
    """

    def __init__(self, config: LmdisConfig) -> None:
        super().__init__()
        self.config = config
        self.detector = detector(config)
        count = config.landmarks + 1
        self.describer = describer(config) if config.descriptor else None
        self.descriptors = (
            Descriptors(count, config.shared, config.descriptor) if config.descriptor else None
        )
        self.painter = painter(config)
        if config.painter_norm == "kept":
            self.painter.start_without_norms()
        self.edit_painter = InferenceCopy(
            self.painter,
            partial(EditPainter, landmarks=count, widths=len(config.decoder_sigmas_edge)),
        )

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.landmarks,
            features=c.descriptor,
            uncertainty=True,
            heatmaps=True,
            ordered=True,
            confidence=True,
        )

    def train(self, mode: bool = True) -> Self:
        """Train or not; the decoder's norms take part only where the configuration says so."""
        super().train(mode)
        if self.config.painter_norm == "kept":
            self.painter.eval()
        return self

    # -- encoding ------------------------------------------------------------------------------
    def padded(self, image: Image) -> Float[Tensor, "B 3 P P"]:
        """Return the pictures with a border of the mean colour of their four edges.

        Source: the released code; appendix G.1 says "edge values".
        """
        edges = torch.cat([image[..., 0, :], image[..., -1, :], image[..., 0], image[..., -1]], -1)
        colour = edges.mean(-1)[..., None, None]
        return F.pad(image - colour, (self.config.border,) * 4) + colour

    def find(self, padded: Float[Tensor, "B 3 P P"]) -> Detection:
        """Return the landmarks of padded pictures, without descriptors (eq. 3 to 6)."""
        padded = padded.contiguous(memory_format=torch.channels_last)
        maps = (self.config.confidence_gain * self.detector(padded)).softmax(1).contiguous()
        across = pixel_centres(maps.shape[-1], maps.device, maps.dtype)
        found = maps[:, :-1]
        mass = found.sum((-2, -1)).clamp(min=_FAINT)
        rows, columns = found.sum(-1) / mass[..., None], found.sum(-2) / mass[..., None]
        x, y = (columns * across).sum(-1), (rows * across).sum(-1)
        spread_x = (columns * (across - x[..., None]).square()).sum(-1)
        spread_y = (rows * (across - y[..., None]).square()).sum(-1)
        sigma = ((spread_x + _FAINT).sqrt() + (spread_y + _FAINT).sqrt()) / 2.0
        return Detection(maps, torch.stack([x, y], dim=-1), sigma)

    def describe(self, padded: Float[Tensor, "B 3 P P"], found: Detection) -> Detection:
        """Return the landmarks with the descriptors that the pictures give them (eq. 10)."""
        if self.describer is None or self.descriptors is None:
            return found
        weight = found.maps
        if self.config.pool == "gaussian":
            bumps = _gaussians(found.position, found.sigma[..., None], weight.shape[-1])
            weight = torch.cat([bumps, weight[:, -1:]], dim=1)
        weight = weight / weight.sum((-2, -1), keepdim=True).clamp(min=_FAINT)
        features = self.describer(padded.contiguous(memory_format=torch.channels_last))
        pooled = torch.einsum("bnhw,bshw->bns", weight, features)
        return replace(found, descriptor=self.descriptors.describe(pooled))

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the landmarks and descriptors of each image."""
        size = self.config.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, size, size):
            raise ShapeError(
                f"the image has shape {tuple(image.shape)}; this model takes (B, 3, {size}, {size})"
            )
        padded = self.padded(image)
        return self.encoding_of(self.describe(padded, self.find(padded)))

    def evidence(self, image: Image) -> Evidence:
        """Return the confidence map of each landmark (eq. 3), without the border."""
        maps = self.find(self.padded(image)).maps[:, :-1]
        cut = round(maps.shape[-1] * self.config.border / self.config.padded_size)
        inner = maps[..., cut : maps.shape[-2] - cut, cut : maps.shape[-1] - cut]
        return Evidence(inner)

    def encoding_of(self, detection: Detection) -> Encoding:
        """Return a detection as latents, in coordinates of the picture without border."""
        wider = self.config.padded_size / self.config.image_size
        position = detection.position * wider
        found = detection.descriptor
        latents = Latents(
            # A landmark in the border belongs to an object that the picture's edge cuts.
            position=position.clamp(-1.0, 1.0),
            topology=Topology.flat(self.config.landmarks),
            position_log_var=2.0 * (detection.sigma * wider).log()[..., None].expand_as(position),
            feature=None if found is None else found[:, :-1],
            background=None if found is None else found[:, -1],
        )
        return Encoding(latents)

    # -- decoding ------------------------------------------------------------------------------
    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of landmarks."""
        return self.paint(latents, self.recovered(latents))

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that takes in descriptors again only when they change."""
        return super().decoder_for(encoding) if self.training else EditDecoder(self)

    def require_landmarks(self, latents: Latents) -> None:
        """Require all landmarks of a batch of pictures.

        Raises:
            ShapeError: There are others.
        """
        count = self.config.landmarks
        if latents.count != count or len(latents.batch_shape) != 1:
            raise ShapeError(
                f"the latents have {latents.count} particles in a batch of shape "
                f"{latents.batch_shape}; this model decodes all {count} in a batch (B,)"
            )

    def recovered(self, latents: Latents) -> Float[Tensor, "B N S"] | None:
        """Return each landmark's features in the shared space, the background's last.

        Raises:
            ShapeError: Another number of landmarks, or of numbers in a descriptor.
        """
        self.require_landmarks(latents)
        if self.descriptors is None:
            return None
        width = self.config.descriptor
        feature = _wide("feature", latents.feature, width)
        background = _wide("background", latents.background, width)
        return self.descriptors.recover(torch.cat([feature, background[:, None]], dim=1))

    def shares(
        self, position: Float[Tensor, "B K 2"]
    ) -> tuple[Float[Tensor, "B W N H H"], Float[Tensor, "B K H H"]]:
        """Return each landmark's share of each place, the background's last (eq. 11 and 12).

        Returns:
            One set of shares for each width, and the narrowest Gaussians.
        """
        size, shares = self.config.image_size, []
        finest: Tensor | None = None
        for sigma in self.config.decoder_sigmas_edge:
            # An edge is 2 in unit coordinates; the density is per squared edge.
            peak = 1.0 / (2.0 * torch.pi * sigma**2)
            bumps = _gaussians(position, 2.0 * sigma, size)
            scores = torch.cat([peak * bumps, torch.ones_like(bumps[:, :1])], dim=1)
            shares.append(scores / scores.sum(1, keepdim=True))
            finest = bumps if finest is None else finest
        return torch.stack(shares, dim=1), cast("Tensor", finest)

    def paint(self, latents: Latents, recovered: Float[Tensor, "B N S"] | None) -> Decoding:
        """Return the picture of landmarks whose features are known (eq. 11 to 14)."""
        maps, finest = self.shares(latents.position)
        if recovered is not None:
            spread = torch.einsum("bwnhv,bns->bwshv", maps, recovered)
            maps = torch.cat([maps, spread], dim=2)
        maps = maps.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        return Decoding(self.painter(maps).sigmoid(), heatmaps=finest)

    # -- after training --------------------------------------------------------------------------
    @torch.no_grad()
    def settle(self, pictures: Iterable[Image]) -> None:
        """Compute the batch norms' means and variances anew, as plain averages over `pictures`.

        Running averages of training harm this model (appendix G.3).
        """
        was_training = self.training
        self.train()
        norms = [
            layer
            for layer in self.modules()
            if isinstance(layer, nn.BatchNorm2d) and layer.training
        ]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        for image in pictures:
            self.decode(self.encode(image).latents)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.train(was_training)


def _gaussians(
    position: Float[Tensor, "B K 2"], sigma: Float[Tensor, "B K 1"] | float, side: int
) -> Float[Tensor, "B K {side} {side}"]:
    """Return exp(-d^2 / (2 sigma^2)) over a square of unit coordinates; its peak is 1."""
    along = pixel_centres(side, position.device, position.dtype)
    fall = (along - position[..., None]).square()
    scale = -0.5 / (sigma[..., None] ** 2 if isinstance(sigma, Tensor) else sigma**2)
    fall = (scale * fall).exp()
    return fall[..., 1, :, None] * fall[..., 0, None, :]


def _wide(name: str, value: Tensor | None, width: int) -> Tensor:
    """The value itself, if it has `width` numbers in each place."""
    if value is None or value.shape[-1] != width:
        seen = "none" if value is None else f"shape {tuple(value.shape)}"
        raise ShapeError(f"{name} has {seen}; this model takes (..., {width})")
    return value
