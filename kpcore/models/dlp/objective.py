"""What the published DLP models minimise (DLP sec. 4.1 and appendix A; dlp.md sections 9 to 12)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Batch, Image, LossReport, Phase, Progress
from kpcore.geometry.heatmaps import softmax_share
from kpcore.geometry.warps import Views, warped_views
from kpcore.geometry.windows import composite_windows
from kpcore.losses.constraints import crowding, variance
from kpcore.losses.kl import chamfer_kl, gaussian_kl, paired_kl
from kpcore.losses.perceptual import PerceptualLoss
from kpcore.losses.reconstruction import psnr_db, squared_error
from kpcore.models.dlp.config import DLPConfig, MaskedConfig, ObjectConfig
from kpcore.models.dlp.model import DLP
from kpcore.models.dlp.particles import Normal, Particles
from kpcore.models.dlp.renderers import MaskedRenderer, ObjectRenderer

_CROP_SHARE = 8
"""Warps are made on a picture wider by this share of its side at each edge, then cropped."""
_NOISY_WARMUPS = 5
"""Masks are noisy for this many times the warm-up."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One draw from the posterior of a batch.

    Attributes:
        image: What is to be reconstructed.
        maps: Of the position encoder.
        position: Of the K particles, on the grid.
        feature: Of the K particles and the background particle, last.
        presence: As the encoder says.
        glimpses: That features were read from.
        particles: The draw itself.
    """

    image: Float[Tensor, "B 3 H W"]
    maps: Float[Tensor, "B K F F"]
    position: Normal
    feature: Normal
    presence: Float[Tensor, "B K"]
    glimpses: Float[Tensor, "B K C S S"]
    particles: Particles


class DLPObjective(ABC):
    """Reconstruction, Chamfer-KL of positions and KL of features, for either model."""

    def __init__(self, model: DLP, config: DLPConfig) -> None:
        """Prepare the losses.

        Raises:
            DataError: The perceptual loss has no weights.
        """
        self._model = model
        self._c = config
        self._perceptual = (
            PerceptualLoss(config.vgg_weights) if config.reconstruction == "vgg" else None
        )

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        views = self._pair(batch.image)
        sample = self.sample(views.image, progress)
        reconstruction, monitors = self.reconstruct(sample, progress)
        weight = self.kl_weight(progress)
        feature = gaussian_kl(sample.feature.mean, sample.feature.log_var).sum((-1, -2)).mean()
        terms = {
            "reconstruction": reconstruction,
            "chamfer_kl": weight * self._position_kl(sample.position, views.reference),
            "feature_kl": weight * self._c.feature_balance * feature,
            **self.constraints(sample, views),
        }
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    @abstractmethod
    def reconstruct(
        self, sample: Sample, progress: Progress
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return how badly the draw is reconstructed, and what is only watched."""

    def constraints(self, sample: Sample, views: Views) -> dict[str, Tensor]:
        """Return further terms of the loss, weighted."""
        return {}

    @property
    def light_warp(self) -> float:
        """Strength of the warp that the posterior sees, as a share of the prior's."""
        return 0.1

    def seen_presence(
        self, presence: Float[Tensor, "B K"], progress: Progress
    ) -> Float[Tensor, "B K"]:
        """Return the presence that decoding and exclusive patches are given."""
        return presence

    def kl_weight(self, progress: Progress) -> float:
        """Return the weight of the KL terms at this point of the run."""
        return self._c.beta

    def difference(self, a: Float[Tensor, "N 3 h w"], b: Float[Tensor, "N 3 h w"]) -> Tensor:
        """Return the reconstruction loss of these pictures or glimpses."""
        if self._perceptual is None:
            return squared_error(a, b)
        return self._perceptual.to(a.device)(a, b)

    def sample(self, image: Image, progress: Progress) -> Sample:
        """Return a draw from the posterior of each picture."""
        nets = self._model.networks
        found = nets.posterior(image)
        mean, position = found.position.mean, found.position.sample()
        presence = self.seen_presence(found.presence, progress)
        own, glimpses = nets.appearance(image, found.maps, mean, presence)
        ground = nets.background(found.maps, mean, position)
        feature = Normal(
            torch.cat([own.mean, ground.mean[:, None]], dim=1),
            torch.cat([own.log_var, ground.log_var[:, None]], dim=1),
        )
        drawn = feature.sample()
        particles = Particles(
            position=position,
            feature=drawn[:, :-1],
            presence=presence,
            background_position=torch.randn_like(position[:, 0]) * self._c.sigma,
            background=drawn[:, -1],
        )
        return Sample(
            image, found.maps, found.position, feature, found.presence, glimpses, particles
        )

    def _pair(self, image: Image) -> Views:
        """What the posterior sees and, as reference, what the prior sees."""
        if not self._c.tps_pairs:
            return Views(image, image)
        margin = self._c.image_size // _CROP_SHARE
        return warped_views(image.float(), self.light_warp, margin)

    def _position_kl(self, position: Normal, image: Image) -> Float[Tensor, ""]:
        c = self._c
        proposal = self._model.prior(image)
        log_var = 2.0 * math.log(c.sigma)
        if c.kl == "standard":
            return paired_kl(position.mean, position.log_var, proposal, log_var).mean()
        mean, spread = position.mean, position.log_var
        if c.background_in_kl:
            mean = torch.nn.functional.pad(mean, (0, 0, 0, 1))
            spread = torch.nn.functional.pad(spread, (0, 0, 0, 1), value=log_var)
        return chamfer_kl(mean, spread, proposal, log_var).mean()


class ObjectObjective(DLPObjective):
    """The Object model's: warm-up on glimpses, then the stitched picture; noisy masks early on.

    Departs: by default the KL terms train the encoder and the prior during warm-up too, and
    presence is drawn at random while masks are noisy, as in the published code.
    """

    def __init__(self, model: DLP, config: ObjectConfig) -> None:
        super().__init__(model, config)
        self._renderer = cast("ObjectRenderer", model.networks.renderer)
        self._o = config

    def warm(self, progress: Progress) -> bool:
        """Return whether glimpses are learned instead of the picture."""
        return progress.epoch < self._o.warmup_epochs

    def noisy(self, progress: Progress) -> bool:
        """Return whether alpha masks are noisy."""
        return progress.epoch < _NOISY_WARMUPS * self._o.warmup_epochs

    def kl_weight(self, progress: Progress) -> float:
        """Return the weight of the KL terms: 0 in a warm-up of glimpses alone."""
        alone = self._o.warmup == "glimpses" and self.warm(progress)
        return 0.0 if alone else self._c.beta

    def seen_presence(
        self, presence: Float[Tensor, "B K"], progress: Progress
    ) -> Float[Tensor, "B K"]:
        """Return random presence while masks are noisy."""
        if not self.noisy(progress):
            return presence
        return torch.rand_like(presence) + 0.0 * presence

    def reconstruct(
        self, sample: Sample, progress: Progress
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return how badly glimpses, then pictures, are reconstructed."""
        particles = sample.particles
        patches = self._renderer.patches(particles.feature)
        monitors = {"present": sample.presence.detach().sum(1).mean()}
        if self.warm(progress):
            colour = patches[:, :, :3].flatten(0, 1)
            return self.difference(sample.glimpses.flatten(0, 1), colour), monitors
        # The background trains its own particle's features, not the others' (dlp.md section 9).
        behind = replace(particles, feature=particles.feature.detach())
        background, _ = self._renderer.background(behind)
        # Fresh draws for decoder and encoder, as published.
        presence = self.seen_presence(sample.presence, progress)
        noise = self._c.sigma if self.noisy(progress) else 0.0
        picture = composite_windows(patches, particles.position, presence, background, noise)
        monitors["psnr_db"] = psnr_db(picture.detach(), sample.image)
        return self.difference(sample.image, picture), monitors


class MaskedObjective(DLPObjective):
    """The Masked model's: the decoded picture."""

    def __init__(self, model: DLP, config: MaskedConfig) -> None:
        super().__init__(model, config)
        self._renderer = cast("MaskedRenderer", model.networks.renderer)
        self._m = config

    @property
    def light_warp(self) -> float:
        """Strength of the warp that the posterior sees, as a share of the prior's."""
        return self._m.light_warp

    def constraints(self, sample: Sample, views: Views) -> dict[str, Tensor]:
        """Return what holds particles to one place of the scene; all off in the paper."""
        c, mean, terms = self._m, sample.position.mean, dict[str, Tensor]()
        if c.equivariance:
            _, there = self._model.networks.position(views.reference)
            gap = views.to_image(there.mean) - mean
            terms["equivariance"] = c.equivariance * gap.square().sum((1, 2)).mean()
        if c.concentration:
            spread = variance(softmax_share(sample.maps))
            terms["concentration"] = c.concentration * spread.sum(1).mean()
        if c.separation:
            terms["separation"] = c.separation * crowding(mean).mean()
        return terms

    def reconstruct(
        self, sample: Sample, progress: Progress
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return how badly pictures are reconstructed."""
        picture, _ = self._renderer(sample.particles, sample.maps)
        monitors = {"psnr_db": psnr_db(picture.detach(), sample.image)}
        return self.difference(sample.image, picture), monitors


def object_phases(model: DLP, config: ObjectConfig) -> Sequence[Phase]:
    """Everything is trained together.

    Departs: one Adam for what the published code gives two of equal settings: the same steps.
    """
    return [Phase("all", model, ObjectObjective(model, config))]


def masked_phases(model: DLP, config: MaskedConfig) -> Sequence[Phase]:
    """Everything is trained together; see `object_phases`."""
    return [Phase("all", model, MaskedObjective(model, config))]
