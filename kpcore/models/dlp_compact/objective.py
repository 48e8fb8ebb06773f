"""What the compact DLP Object model minimises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Batch, Image, LossReport, Phase, Progress
from kpcore.geometry.coordinates import pixel_centres
from kpcore.geometry.windows import composite_windows, cut_windows
from kpcore.losses.reconstruction import psnr_db
from kpcore.models.dlp_compact.config import CompactConfig
from kpcore.models.dlp_compact.model import CompactDLP
from kpcore.models.dlp_compact.networks import Proposals

_SIDE = 64.0
"""Sums over pixels count as if the picture had this side, so weights hold at any size."""
_SETTLED = 2.5
"""Warm-ups after which positions mean something, however short the run."""


def off_centre(alpha: Float[Tensor, "B K S S"]) -> Float[Tensor, "B K"]:
    """Return the squared distance of each alpha's centre of mass from the middle.

    The unit is a sixteenth of the glimpse's side, squared. Alpha is squared first, so that the
    body counts and a faint shadow hardly does.
    """
    along = pixel_centres(alpha.shape[-1], alpha.device, alpha.dtype) * 8.0
    alpha = alpha**2
    mass = alpha.sum((-2, -1)) + 1e-3
    x = (alpha.sum(-2) * along).sum(-1) / mass
    y = (alpha.sum(-1) * along).sum(-1) / mass
    return x**2 + y**2


def sprawl(alpha: Float[Tensor, "B K S S"]) -> Float[Tensor, "B K"]:
    """Return the mean of alpha times the squared distance from the middle, edges at distance 1."""
    along = pixel_centres(alpha.shape[-1], alpha.device, alpha.dtype) ** 2
    return (alpha * (along[:, None] + along)).mean((-2, -1))


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """One batch through all networks, positions and features sampled."""

    image: Tensor
    proposals: Proposals
    position: Tensor
    presence: Tensor
    glimpses: Tensor
    inside: Tensor
    patches: Tensor
    background: Tensor


class CompactObjective:
    """Reconstruction, Chamfer-KL, feature KL, price of presence and centring (DLP eqs. 3 to 5).

    Departs: warm-up (`warmup_steps`) learns the glimpses' colours and the background, each by
    itself; presence has a price; see `CompactDLP` for the rest.
    """

    def __init__(self, model: CompactDLP, config: CompactConfig) -> None:
        self._model = model
        self._config = config
        self._scale = (_SIDE / config.image_size) ** 2

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        image, model, c = batch.image, self._model, self._config
        proposals = model.proposals(image)
        kept = model.keep(proposals, noise=c.presence_noise)
        mean, log_var, glimpses = model.appearance(image, kept.position)
        through = _Pass(
            image=image,
            proposals=proposals,
            position=_sampled(kept.position, kept.log_var),
            presence=kept.presence_logit.sigmoid(),
            glimpses=glimpses,
            inside=cut_windows(torch.ones_like(image[:, :1]), kept.position, c.glimpse_px),
            patches=model.patches(_sampled(mean, log_var)),
            background=model.background_decoder(model.background_encoder(image)),
        )
        kl = chamfer_kl(kept.position, kept.log_var, model.prior(image), c.sigma)
        terms = {
            "chamfer_kl": c.beta * kl,
            "feature_kl": c.feature_kl * _gaussian_kl(mean, log_var),
        }
        monitors = {"present": through.presence.sum(1).mean()}
        if progress.step < c.warmup_steps:
            terms |= self._apart(through)
        else:
            picture = composite_windows(
                through.patches, through.position, through.presence, through.background
            )
            terms["reconstruction"] = self._scale * _squared(picture, image)
            terms |= self._particles(through)
            if c.crop_cells and progress.step >= _crop_start(c, progress.steps):
                terms["crop"] = c.crop_weight * self._crop_error(image, proposals)
            monitors["psnr_db"] = psnr_db(picture.detach(), image)
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _apart(self, through: _Pass) -> dict[str, Tensor]:
        """Warm-up: the glimpses' colours and the background, each by itself."""
        colour = through.patches[:, :, :3]
        off = _off_colour(colour, through.glimpses, through.inside)
        return {
            # Every weight has a gradient at every step, as training on several devices asks.
            "presence": 0.0 * through.presence.sum(),
            "glimpse": self._scale * off,
            "background": self._scale * _squared(through.background, through.image),
        }

    def _particles(self, through: _Pass) -> dict[str, Tensor]:
        """What particles cost beside the picture; weighted by presence, which gets no gradient."""
        c, shown = self._config, through.presence.detach()
        colour, alpha = through.patches.split([3, 1], dim=2)
        mask, seen = alpha.squeeze(2), (through.inside * alpha).squeeze(2)
        weight = (seen.detach() * shown[:, :, None, None]).unsqueeze(2)
        off = _off_colour(colour, through.glimpses, weight)
        return {
            "presence": c.presence_cost * through.presence.sum(1).mean(),
            "centring": c.centring * (off_centre(mask) * shown).sum(1).mean(),
            "sprawl": c.sprawl_cost * (sprawl(seen) * shown).sum(1).mean(),
            "glimpse": c.glimpse_fidelity * self._scale * off,
        }

    def _crop_error(self, image: Image, proposals: Proposals) -> Float[Tensor, ""]:
        """Squared distance between proposals in the picture and in a random crop of it.

        A crop of whole cells has the same cells; of those that are sure of a particle whose middle
        is still in the crop, the crop's proposal is drawn to the picture's, which stays.
        """
        c, batch = self._config, len(image)
        left = c.cells - c.crop_cells
        y, x = torch.randint(0, c.crop_cells + 1, (2,)).tolist()
        rows, columns = slice(y, y + left), slice(x, x + left)

        def crop(values: Tensor) -> Tensor:
            return values.detach().view(batch, c.cells, c.cells, -1)[:, rows, columns]

        start = image.new_tensor([x, y]) * (2.0 / c.cells) - 1.0
        within = (crop(proposals.position) - start) * (c.cells / (2.0 * left))
        stays = ((within > 0.0) & (within < 1.0)).all(-1)
        sure = crop(proposals.presence_logit.sigmoid()).squeeze(-1) * stays
        offset = crop(proposals.position - self._model.proposals.centres)
        pixels = slice(y * c.cell_px, (y + left) * c.cell_px)
        across = slice(x * c.cell_px, (x + left) * c.cell_px)
        proposed = self._model.proposals.offsets(image[:, :, pixels, across])
        square = ((proposed - offset) ** 2).sum(-1) * (8.0 * c.image_size / c.glimpse_px) ** 2
        return (sure * square).sum() / batch


def _crop_start(config: CompactConfig, steps: int) -> float:
    """The step from which the crop term counts, in a run of so many steps."""
    return max(config.crop_from * steps, _SETTLED * config.warmup_steps)


def _sampled(mean: Tensor, log_var: Tensor) -> Tensor:
    """A draw from the Gaussian, with its gradient."""
    return mean + (0.5 * log_var).exp() * torch.randn_like(mean)


def _off_colour(colour: Tensor, glimpses: Tensor, weight: Tensor) -> Float[Tensor, ""]:
    """Weighted squared error of the glimpses' colours; what lies outside the picture is unknown."""
    return (weight * (colour - glimpses) ** 2).sum() / colour.shape[0]


def _squared(a: Tensor, b: Tensor) -> Float[Tensor, ""]:
    """Squared error, summed over an image and averaged over the batch."""
    return ((a - b) ** 2).sum() / a.shape[0]


def _gaussian_kl(mean: Tensor, log_var: Tensor) -> Float[Tensor, ""]:
    """KL of the features to N(0, 1), summed over an image, averaged over the batch."""
    return 0.5 * (mean**2 + log_var.exp() - 1.0 - log_var).sum() / mean.shape[0]


def chamfer_kl(
    position: Float[Tensor, "B K 2"],
    log_var: Float[Tensor, "B K 2"],
    proposal: Float[Tensor, "B L 2"],
    sigma: float,
) -> Float[Tensor, ""]:
    """Chamfer-KL between the particles and the prior's proposals (DLP sec. 4.1, eq. 4)."""
    variance = sigma**2
    spread = log_var - 2.0 * math.log(sigma) + 1.0 - log_var.exp() / variance
    square = (position[:, :, None] - proposal[:, None]) ** 2
    kl = -0.5 * (spread[:, :, None] - square / variance).sum(-1)
    return (kl.amin(1).sum(1) + kl.amin(2).sum(1)).mean()


def phases(model: CompactDLP, config: CompactConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    return [Phase("all", model, CompactObjective(model, config))]
