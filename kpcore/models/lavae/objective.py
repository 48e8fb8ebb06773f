"""LAVAE's negative evidence bound, its auxiliary task, and the baseline's bound."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from kpcore.api import Batch, Group, LossReport, Phase, Progress
from kpcore.models.lavae.config import GridVaeConfig, LavaeConfig
from kpcore.models.lavae.locations import Draw, blurred, draw, laid_over, place_sprites
from kpcore.models.lavae.model import GridVaeModel, Lavae, binary_cross_entropy
from kpcore.models.lavae.networks import GridPosterior

_HIGH = 0.995
"""Quantile of the auxiliary map that stands for an object."""


class LavaeObjective:
    """One sample's bound, with the auxiliary VAE that shows the locations where to look.

    First the auxiliary VAE learns alone; then all do. What a cell of its latent says of the picture
    is high where objects are, and the location logits learn to be high there; without this training
    is unstable (LAVAE sec. 2.4).

    Departs from the paper, as far as it says: the squared distance to that map is summed over
    pixels, the map is turned into blobs ten logits high, and the likelihood's floor has no clamp
    from below. Each decides between counting right and not at all on short runs.
    Where `settled` is below 1, locations stay as they are from there on.
    """

    def __init__(self, model: Lavae, config: LavaeConfig) -> None:
        self._model, self._config = model, config

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        c, model = self._config, self._model
        seen = model.binary(batch.image)
        settled = c.settled < 1.0 and progress.step >= c.settled * progress.steps
        if settled and progress.step >= c.auxiliary_steps:
            return self._sharpened(seen)
        cells = model.auxiliary.posterior(seen)
        terms = {"auxiliary": _bound(model.auxiliary(cells.draw()), seen, cells)}
        if progress.step < c.auxiliary_steps:
            # The other weights have no gradient yet: zeros would make Adam's first true steps
            # several times too long, and sprites would vanish for good.
            return LossReport(terms["auxiliary"], terms)
        done = _joint(progress, c)
        raw = model.logits(seen)
        with torch.no_grad():
            target = self.target(cells, seen)
        off = (raw - target).square().flatten(1).sum(1).mean()
        terms["location map"] = self._weight(done) * off
        share = 1.0 + _between(done, c.forced_until, c.forced_to) * (c.forced_floor - 1.0)
        terms |= self._objects(seen, raw, done, share, c.restricted)
        counted = model.found(raw.detach())[1]
        monitors = {"objects": counted.float().mean(), "map error": off.detach()}
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _sharpened(self, seen: Float[Tensor, "B C H W"]) -> LossReport:
        """The bound with the locations as they are: only what lies there is still learned."""
        location = self._model.location
        learning = location.training
        with torch.no_grad():
            location.eval()
            raw = self._model.logits(seen)
            location.train(learning)
        terms = self._objects(seen, raw, done=1.0, forced=0.0, restricted=1.0)
        monitors = {"objects": self._model.found(raw)[1].float().mean()}
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def target(
        self, cells: GridPosterior, seen: Float[Tensor, "B C H W"]
    ) -> Float[Tensor, "B H W"]:
        """Return the logits that the auxiliary VAE asks for.

        Its map shows outlines and corners, and bright objects far above dim ones. So: the root of
        each cell's KL, and blobs of an object's size in it, by the difference of two Gaussians. It
        may tell of an object in a cell beside it, always on the same side, so that a sprite would
        not cover its object: the map is moved to where it lies best over what is drawn.
        """
        c = self._config
        size = (c.image_size, c.image_size)
        kl = cells.kl().float()
        told = (kl - kl.median()).clamp(min=0.0).sqrt()
        whole = F.interpolate(told[:, None], size, mode="nearest")
        blobs = blurred(whole, c.auxiliary_blur)
        blobs = blobs - c.auxiliary_inhibition * blurred(whole, c.auxiliary_surround)
        ground = blobs.median()
        high = blobs.flatten().topk(int(blobs.numel() * (1.0 - _HIGH)) + 1).values[-1]
        height = (blobs - ground) / (high - ground + 1e-6)
        return c.auxiliary_height * laid_over(height.clamp(min=0.0).squeeze(1), seen.amax(1))

    def _weight(self, done: float) -> float:
        """Of the map: 1 at first, then falling to its floor."""
        c = self._config
        fall = _between(done, c.forced_until / 2.0, c.forced_to)
        return 1.0 + fall * (c.auxiliary_floor - 1.0)

    def _objects(
        self,
        seen: Float[Tensor, "B C H W"],
        raw: Float[Tensor, "B H W"],
        done: float,
        forced: float,
        restricted: float,
    ) -> dict[str, Tensor]:
        """The bound's terms; the last two are shares of the pictures."""
        c, model = self._config, self._model
        batch, device = len(seen), seen.device
        index, counted = model.found(raw.detach())
        single = torch.rand(batch, device=device) < forced
        few = (torch.rand(batch, device=device) < restricted) & ~single
        number = torch.where(single, torch.ones_like(counted), counted)
        start, end = c.temperature
        temperature = start * (end / start) ** done
        told = model.appearance(seen).flatten(2)
        logits = c.sharpness * raw.flatten(1)
        allowed = self._allowed(logits, index, counted, few)
        taken = torch.zeros_like(logits, dtype=torch.bool)
        draws: list[Draw] = []
        for _ in range(int(number.max())):
            drawn = draw(logits, taken, allowed, temperature)
            taken = taken.scatter(1, drawn.pixel[:, None], True)
            draws.append(drawn)
        canvas = torch.zeros_like(seen)
        where, what = logits.new_zeros(batch), logits.new_zeros(batch)
        if draws:
            # Only objects that are there pass the sprite decoder, and all at once: its batch norm
            # must not see what fills the other slots.
            there = torch.arange(len(draws), device=device)[:, None] < number
            slot, row = there.nonzero(as_tuple=True)
            place = torch.stack([d.place for d in draws])
            mean, log_var = torch.einsum("sbn,bfn->sbf", place, told)[slot, row].chunk(2, dim=-1)
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            pixel = torch.stack([d.pixel for d in draws])[slot, row]
            clamp = c.location_clamp / batch
            placed = place_sprites(place[slot, row], model.sprites(z), pixel, clamp)
            canvas = canvas.index_add(0, row, placed.to(canvas.dtype))
            where = (torch.stack([d.kl for d in draws]) * there).sum(0)
            kl = 0.5 * (mean**2 + log_var.exp() - 1.0 - log_var).sum(-1)
            what = what.index_add(0, row, kl.to(what.dtype))
        nll = binary_cross_entropy(canvas, seen, c.floor).mean()
        log_p = model.count_logits.log_softmax(-1)[counted]
        return {
            "reconstruction": nll,
            "location": where.mean(),
            "appearance": what.mean(),
            "count": -log_p.mean(),
        }

    def _allowed(
        self,
        logits: Float[Tensor, "B N"],
        index: Int[Tensor, "B M"],
        counted: Int[Tensor, " B"],
        few: Bool[Tensor, " B"],
    ) -> Bool[Tensor, "B N"]:
        """All pixels, or of the pictures in `few` the counted maxima alone."""
        slots = torch.arange(self._config.objects, device=logits.device)
        best = torch.zeros_like(logits, dtype=torch.bool)
        best = best.scatter(1, index, slots < counted[:, None])
        return best | ~(few & (counted > 0))[:, None]


class GridVaeObjective:
    """The baseline's bound, with the KL's weight rising from 0 to 1."""

    def __init__(self, model: GridVaeModel, config: GridVaeConfig) -> None:
        self._model, self._config = model, config

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        c, model = self._config, self._model
        seen = model.binary(batch.image)
        cells = model.vae.posterior(seen)
        # In 16 bits a sure pixel would round to certainty, whose logarithm is infinite.
        probability = model.vae(cells.draw()).float().sigmoid()
        beta = _between(progress.step / max(1, progress.steps), 0.0, c.warmup)
        kl = cells.kl().flatten(1).sum(1).mean()
        terms = {
            "reconstruction": binary_cross_entropy(probability, seen, c.floor).mean(),
            "kl": beta * kl,
        }
        return LossReport(torch.stack(list(terms.values())).sum(), terms, {"nats": kl.detach()})


def _bound(logits: Tensor, seen: Tensor, cells: GridPosterior) -> Float[Tensor, ""]:
    nll = F.binary_cross_entropy_with_logits(logits, seen, reduction="sum") / len(seen)
    return nll + cells.kl().flatten(1).sum(1).mean()


def _joint(progress: Progress, config: LavaeConfig) -> float:
    """Share done of the steps after the head start and before locations settle."""
    head = config.auxiliary_steps
    return _between(progress.step, head, max(head + 1.0, config.settled * progress.steps))


def _between(value: float, start: float, end: float) -> float:
    """0 before `start`, 1 after `end`, linear between."""
    return min(1.0, max(0.0, (value - start) / max(1e-9, end - start)))


def phases(model: Lavae, config: LavaeConfig) -> Sequence[Phase]:
    """Everything is trained together; locations, and what lies there, have rates of their own."""

    def rate(progress: Progress, run: float) -> float:
        done = _joint(progress, config)
        return run * config.location_rate * config.location_decay**done

    def sharpening(progress: Progress, run: float) -> float:
        settled = progress.step >= config.settled * progress.steps
        return run * config.sharpening_rate if settled else run

    groups = (
        Group(model.location, rate),
        Group(model.appearance, sharpening),
        Group(model.sprites, sharpening),
    )
    return [Phase("all", model, LavaeObjective(model, config), groups=groups)]


def grid_phases(model: GridVaeModel, config: GridVaeConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    return [Phase("all", model, GridVaeObjective(model, config))]
