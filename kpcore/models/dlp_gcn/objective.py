"""What the predictor minimises: the error of the decoded frames, and of tracks where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from kpcore.api import Batch, Context, Image, LossReport, Phase, Progress
from kpcore.errors import InputError
from kpcore.latents import Latents
from kpcore.losses.perceptual import PerceptualLoss
from kpcore.losses.reconstruction import psnr_db, squared_error
from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.models.dlp_gcn.model import DLPGCN
from kpcore.tracking import match


class GCNObjective:
    """The reconstruction loss of predicted frames through the frozen decoder (DLP app. F).

    The first prediction gives frames t and t+1, as in the paper; each further one of `unroll`
    gives the next frame from predicted particles, with gradients through all of them.

    Departs: `track_weight` adds the distance to particles found in the true frames. The picture's
    error tells little about a particle that has lost its object, so without it many unrolled
    steps take much longer to learn.
    """

    def __init__(self, model: DLPGCN, config: GCNConfig) -> None:
        self._model, self._c = model, config
        self._bare: bool | None = None
        vgg = config.reconstruction == "vgg"
        self._perceptual = PerceptualLoss(config.vgg_weights) if vgg else None

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch of clips.

        Raises:
            InputError: The batch holds no clips of two frames and those to predict.
        """
        clip, c = batch.clip, self._c
        if clip is None or clip.shape[1] < c.frames:
            seen = "single pictures" if clip is None else f"clips of {clip.shape[1]} frames"
            raise InputError(
                f"this model learns from clips of {c.frames} frames, got {seen}; give it a video, "
                f"a folder of videos or procedural scenes"
            )
        truth = batch.latents or self._encoded(clip)
        given = at(truth, 0), at(truth, 1)
        predicted = self._unrolled(*given, self._steps(progress))
        error, monitors = self._error(predicted, clip, self._context(clip))
        terms = {"reconstruction": error}
        if c.track_weight:
            followed = follow(truth, predicted.position.shape[1], c.present)
            distance = track_px(predicted.position, *followed, clip.shape[-1])
            terms["tracks"] = c.track_weight * distance
            monitors["track_px"] = distance.detach()
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    @torch.no_grad()
    def _encoded(self, clip: Float[Tensor, "B T 3 H W"]) -> Latents:
        """What the renderer finds in every frame."""
        found = self._model.encode(clip.flatten(0, 1)).latents
        values = {
            name: value.unflatten(0, tuple(clip.shape[:2])) for name, value in found.named().items()
        }
        return Latents(topology=found.topology, **values)

    @torch.no_grad()
    def _context(self, clip: Float[Tensor, "B T 3 H W"]) -> Context:
        """What the renderer's decoder needs of the last given frame, where it needs anything."""
        if self._bare is None:
            self._bare = not self._model.encode(clip[:1, 1]).context
        return {} if self._bare else self._model.encode(clip[:, 1]).context

    def _steps(self, progress: Progress) -> int:
        """Frames predicted at this point of the run."""
        whole = self._c.grow * progress.steps
        grown = min(1.0, progress.step / whole) if whole else 1.0
        return 1 + round((self._c.unroll - 1) * grown)

    def _unrolled(self, before: Latents, last: Latents, steps: int) -> Latents:
        """Frames 1 (from 0), 2 (from 1), then each from those before: (B, 1 + steps, ...)."""
        first, after = self._model.advance(before, last, self._model.rows(before, last))
        frames = [first, after]
        for _ in range(steps - 1):
            last, (_, after) = after, self._model.advance(last, after)
            frames.append(after)
        values = {
            name: torch.stack([frame.named()[name] for frame in frames], 1) for name in last.named()
        }
        return Latents(topology=last.topology, **values)

    def _error(
        self, predicted: Latents, clip: Float[Tensor, "B T 3 H W"], context: Context
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Mean error of the frames that are decoded."""
        count = predicted.position.shape[1]
        chosen = torch.arange(count)
        if 0 < self._c.decoded < count:
            chosen = torch.randperm(count)[: self._c.decoded]
        errors: list[Tensor] = []
        psnr: list[Tensor] = []
        for index in chosen.tolist():
            picture = self._model.decode(at(predicted, index), context).image
            wanted = clip[:, 1 + index]
            errors.append(self._difference(picture, wanted))
            psnr.append(psnr_db(picture.detach(), wanted))
        return torch.stack(errors).mean(), {"psnr_db": torch.stack(psnr).mean()}

    def _difference(self, a: Image, b: Image) -> Float[Tensor, ""]:
        if self._perceptual is None:
            return squared_error(a, b)
        return self._perceptual.to(a.device)(a, b)


def at(latents: Latents, time: int) -> Latents:
    """Return one frame of a batch of clips."""
    values = {name: value[:, time] for name, value in latents.named().items()}
    return Latents(topology=latents.topology, **values)


@torch.no_grad()
def follow(
    truth: Latents, frames: int, present: float
) -> tuple[Float[Tensor, "B T K 2"], Bool[Tensor, "B T K"]]:
    """Return where the true frames have each predicted particle, and whether they have it.

    Particles of neighbouring frames are matched by position and appearance (`kpcore.tracking`), so
    nothing depends on the prediction. Row 0 follows the particles of frame 0 into frame 1, the
    others those of frame 1 into frames 2, 3, ...

    Args:
        truth: Particles found in frames 0, 1, ...
        frames: Rows wanted.
        present: Particles of lower presence are not followed.
    """
    batch, _, count = truth.position.shape[:3]
    place = truth.position.new_zeros(batch, frames, count, 2)
    found = torch.zeros(batch, frames, count, dtype=torch.bool, device=place.device)
    for clip in range(batch):
        seen = [
            replace(frame, background=None)
            for frame in (at(truth, time).image(clip) for time in range(frames + 1))
        ]
        now = {row: row for row in range(count)}
        for index in range(frames):
            partner = dict(match(seen[index], seen[index + 1], present=present).pairs)
            if index == 1:
                now = {row: row for row in range(count)}
            now = {row: partner[at_row] for row, at_row in now.items() if at_row in partner}
            if now:
                rows, targets = list(now), list(now.values())
                place[clip, index, rows] = truth.position[clip, index + 1, targets]
                found[clip, index, rows] = True
    return place, found


def track_px(
    position: Float[Tensor, "B T K 2"],
    place: Float[Tensor, "B T K 2"],
    found: Bool[Tensor, "B T K"],
    size: int,
) -> Float[Tensor, ""]:
    """Return the mean distance to the places that were found, in pixels, smooth below one."""
    gap = F.smooth_l1_loss(position * (size / 2.0), place * (size / 2.0), reduction="none").sum(-1)
    return (gap * found).sum() / found.sum().clamp(min=1)


def phases(model: DLPGCN, config: GCNConfig) -> Sequence[Phase]:
    """Return the one phase: the graph network, the renderer being frozen."""
    return [Phase("dynamics", model.dynamics, GCNObjective(model, config))]
