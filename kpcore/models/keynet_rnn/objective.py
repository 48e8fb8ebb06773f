"""What the baseline minimises: reconstruction, separation, sparsity, and its own dynamics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Batch, LossReport, Phase, Progress
from kpcore.errors import InputError
from kpcore.models.keynet_rnn.config import KeyNetRNNConfig
from kpcore.models.keynet_rnn.model import KeyNetRNN


def separation(position: Float[Tensor, "B T K 2"], sigma: float) -> Float[Tensor, ""]:
    """Return how alike the trajectories of different keypoints are: 0 (not at all) to 1.

    Trajectories are centred over time, so that two keypoints that move together are alike wherever
    they are. Source: Minderer et al. 2019, sec. 3.2.
    """
    count = position.shape[2]
    if count < 2:
        return position.new_zeros(())
    centred = position - position.mean(1, keepdim=True)
    apart = (centred[:, :, :, None] - centred[:, :, None]).square().sum(-1).mean(1)
    alike = (-apart / (2.0 * sigma**2)).exp().mean(0)
    return (alike.sum() - alike.diagonal().sum()) / (count * (count - 1))


class KeyNetRNNObjective:
    """Losses of Minderer et al. 2019, with the squared error of a deterministic prediction.

    The dynamics see keypoints without their gradient, so they do not shape the detector. Frames
    that are decoded are drawn at random from each clip; the first one is the reference.
    """

    def __init__(self, model: KeyNetRNN, config: KeyNetRNNConfig) -> None:
        self._model, self._c = model, config

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch of clips.

        Raises:
            InputError: The batch holds single pictures.
        """
        clip = batch.clip
        if clip is None or clip.shape[1] != self._c.frames:
            frames = 1 if clip is None else clip.shape[1]
            raise InputError(
                f"this model learns from clips of {self._c.frames} frames; got {frames}: give it a "
                f"video, a folder of videos or procedural scenes"
            )
        c, model = self._c, self._model
        chosen = torch.randperm(c.frames - 1, device=clip.device)[: c.decoded] + 1
        chosen = torch.cat([chosen.new_zeros(1), chosen.sort().values])
        shown = clip[:, chosen]
        found = model.detector(shown.flatten(0, 1))
        position = found.position.unflatten(0, shown.shape[:2])
        maps = model.painter.maps(found.position, found.scale).unflatten(0, shown.shape[:2])
        reference, appearance = shown[:, 0], model.painter.appearance(shown[:, 0])

        def repeated(value: Tensor) -> Tensor:
            return value.repeat_interleave(c.decoded, dim=0)

        drawn = model.painter(
            maps[:, 1:].flatten(0, 1),
            repeated(reference),
            repeated(appearance),
            repeated(maps[:, 0]),
        )
        error = (drawn - shown[:, 1:].flatten(0, 1)).square()
        terms = {
            "reconstruction": 0.5 * error.sum((-3, -2, -1)).mean(),
            "separation": c.separation * separation(position, c.separation_sigma),
            "sparsity": c.sparsity * found.maps.mean(),
            "dynamics": c.dynamics * self._dynamics(clip),
        }
        monitors = {
            "psnr_db": -10.0 * error.flatten(1).mean(1).clamp(min=1e-10).log10().mean(),
            "spread": position.std(1).mean(),
        }
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _dynamics(self, clip: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, ""]:
        """Squared error of each next frame's keypoints, summed over them; the last ones unseen."""
        with torch.no_grad():
            found = self._model.detector(clip.flatten(0, 1))
            points = torch.cat([found.position, found.scale[..., None]], dim=-1)
            points = points.unflatten(0, clip.shape[:2])
        memory: Tensor | None = None
        after = points[:, 0]
        errors: list[Tensor] = []
        for time in range(self._c.frames - 1):
            now = points[:, time] if time < self._c.observed else after
            after, memory = self._model.dynamics.observe(now, memory)
            errors.append((after - points[:, time + 1]).square().sum((-2, -1)).mean())
        return torch.stack(errors).mean()


def phases(model: KeyNetRNN, config: KeyNetRNNConfig) -> Sequence[Phase]:
    """Return the one phase of training."""
    return [Phase("all", model, KeyNetRNNObjective(model, config))]
