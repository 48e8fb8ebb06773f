"""The compact DLP Object model."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Context, Decoder, Decoding, Encoding, Image, KeypointModel, Layers
from kpcore.capabilities import Capabilities
from kpcore.errors import ShapeError
from kpcore.geometry.windows import cut_windows
from kpcore.latents import Latents, Topology
from kpcore.models.dlp_compact.config import CompactConfig
from kpcore.models.dlp_compact.networks import (
    BackgroundDecoder,
    BackgroundEncoder,
    GlimpseDecoder,
    GlimpseEncoder,
    PatchPrior,
    ProposalEncoder,
    Proposals,
    choose_apart,
)
from kpcore.nn.row_cache import RowCache


class CompactDLP(KeypointModel):
    """Particles with glimpses over a background, in one and a half million weights.

    After the Object model of Deep Latent Particles (Daniel and Tamar, ICML 2022), made so that a
    small machine trains it in under an hour. Kept: particles with position, log-variance, feature
    and presence; glimpses cut at detached positions; RGBA glimpses stitched in order; the
    Chamfer-KL to a trained patch prior.

    Departs: every cell of a grid proposes a particle and the surest ones that lie apart are kept
    (the paper: a fully connected layer gives K positions); the background is decoded from its own
    short code alone, so that moving a particle leaves the rest exactly as it was (the paper: from
    heatmaps and a graph network over all particles); presence has a price and its gradient reaches
    the encoder; a centring term holds objects in the middle of their glimpses. On runs of some
    thousand steps each of these decides between finding nearly all objects and hardly any.
    """

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        self.proposals = ProposalEncoder(config)
        self.glimpse_encoder = GlimpseEncoder(config)
        self.glimpse_decoder = GlimpseDecoder(config)
        self.background_encoder = BackgroundEncoder(config)
        self.background_decoder = BackgroundDecoder(config)
        self.prior = PatchPrior(config)

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.particles,
            features=c.features,
            uncertainty=True,
            presence="gate",
            layers=True,
            glimpse_px=c.glimpse_px,
            fixed_count=False,
        )

    def keep(self, proposals: Proposals, noise: float = 0.0) -> Proposals:
        """Return the K surest proposals that lie apart, surest first.

        Args:
            proposals: what all cells propose.
            noise: standard deviation of noise on the logits, for the choice only.
        """
        score = proposals.presence_logit
        if noise:
            score = score + noise * torch.randn_like(score)
        apart = self.config.apart_px * 2.0 / self.config.image_size
        return proposals.choose(
            choose_apart(proposals.position, score, self.config.particles, apart)
        )

    def appearance(
        self, image: Image, position: Float[Tensor, "B K 2"]
    ) -> tuple[Float[Tensor, "B K D"], Float[Tensor, "B K D"], Float[Tensor, "B K 3 S S"]]:
        """Return the features' mean and log-variance, and the glimpses they were read from."""
        glimpses = cut_windows(image, position, self.config.glimpse_px)
        mean, log_var = self.glimpse_encoder(glimpses.flatten(0, 1))
        batch, count = position.shape[:2]
        return mean.view(batch, count, -1), log_var.view(batch, count, -1), glimpses

    def patches(self, feature: Float[Tensor, "B K D"]) -> Float[Tensor, "B K 4 S S"]:
        """Return the decoded glimpse of every particle."""
        batch, count = feature.shape[:2]
        side = self.config.glimpse_px
        return self.glimpse_decoder(feature.flatten(0, 1)).view(batch, count, 4, side, side)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the particles of each image, surest first."""
        size = self.config.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, size, size):
            raise ShapeError(
                f"the image has shape {tuple(image.shape)}; this model takes (B, 3, {size}, {size})"
            )
        kept = self.keep(self.proposals(image))
        mean, log_var, _ = self.appearance(image, kept.position)
        latents = Latents(
            position=kept.position.clamp(-1.0, 1.0),
            topology=Topology.flat(self.config.particles),
            position_log_var=kept.log_var,
            feature=mean,
            feature_log_var=log_var,
            presence=kept.presence_logit.sigmoid(),
            background=self.background_encoder(image),
        )
        return Encoding(latents)

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of particles."""
        feature, background = self._checked(latents)
        return _picture(latents, self.patches(feature), self.background_decoder(background))

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that keeps glimpses and background while their numbers stay."""
        return _CachingDecoder(self)

    def _checked(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """Feature and background code of latents that this model can decode."""
        c = self.config
        feature = _wide(latents, "feature", latents.feature, c.features)
        return feature, _wide(latents, "background", latents.background, c.background_features)


def _wide(latents: Latents, name: str, value: Tensor | None, width: int) -> Tensor:
    """The value itself, if it has one row of `width` numbers in each place of a batch."""
    if value is None or value.shape[-1] != width or len(latents.batch_shape) != 1:
        seen = "none" if value is None else f"shape {tuple(value.shape)}"
        raise ShapeError(
            f"{name}: {seen}; this model decodes a batch of images with {width} numbers each"
        )
    return value


def _picture(latents: Latents, patches: Tensor, background: Tensor) -> Decoding:
    layers = Layers(patches, background)
    return Decoding(layers.composite(latents), layers)


class _CachingDecoder:
    """Decodes edits of one encoding; a glimpse is decoded again only when its feature changed."""

    def __init__(self, model: CompactDLP) -> None:
        self._model = model
        self._glimpses = RowCache(model.patches)
        self._code: Tensor | None = None
        self._background: Tensor | None = None

    def __call__(self, latents: Latents) -> Decoding:
        feature, code = self._model._checked(latents)  # pyright: ignore[reportPrivateUsage]
        return _picture(latents, self._glimpses(feature), self._ground(code))

    def _ground(self, code: Tensor) -> Tensor:
        kept = self._background
        if kept is None or self._code is None or not torch.equal(code, self._code):
            kept = self._model.background_decoder(code)
            self._code, self._background = code, kept
        return kept
