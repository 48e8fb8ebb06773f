"""BEGAN's game, with landmarks that must be found again (appendix G.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kpcore.api import Batch, Image, LossReport, Phase, Progress
from kpcore.latents import Latents
from kpcore.models.lmdis.generator import GeneratorConfig, LandmarkGenerator


class _Game:
    """What the three players share."""

    def __init__(self, model: LandmarkGenerator, config: GeneratorConfig) -> None:
        self._model, self._config = model, config

    def _asked(self, image: Image) -> Latents:
        """Landmarks of true pictures, with a random vector for each."""
        with torch.no_grad():
            latents = self._model.encode(image).latents
        noise = torch.randn(len(image), self._config.noise, device=image.device, dtype=image.dtype)
        return replace(latents, background=noise)

    def _made(self, latents: Latents) -> Image:
        return self._model.decode(latents).image

    def _report(
        self, terms: dict[str, Tensor], monitors: dict[str, Tensor] | None = None
    ) -> LossReport:
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors or {})


class JudgeObjective(_Game):
    """True pictures are to be reconstructed well, generated ones badly, as far as k says."""

    def __init__(self, model: LandmarkGenerator, config: GeneratorConfig) -> None:
        super().__init__(model, config)
        self.memory: dict[str, Tensor] = {}
        """"gap": how much worse than wanted generated pictures were reconstructed last."""

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the discriminator's loss."""
        with torch.no_grad():
            made = self._made(self._asked(batch.image))
        true, false = self._model.judge(batch.image).mean(), self._model.judge(made).mean()
        k = self._model.balance()
        gap = (self._config.diversity * true - false).detach()
        if torch.is_grad_enabled():  # pictures held out are judged too, and teach nothing
            self.memory["gap"] = gap
        monitors = {"k": k, "convergence": true.detach() + gap.abs()}
        return self._report({"true": true, "generated": -k * false}, monitors)


class PainterObjective(_Game):
    """Generated pictures are to be reconstructed well, and to have the landmarks asked for."""

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the generator's loss."""
        asked = self._asked(batch.image)
        made = self._made(asked)
        found = self._model.renderer.encode(made).latents.position
        off = (found - asked.position).abs().mean() / 2.0
        return self._report(
            {
                "energy": self._model.judge(made).mean(),
                "landmarks": self._config.landmark_weight * off,
            }
        )


class BalanceObjective(_Game):
    """k grows while generated pictures are reconstructed better than they should be."""

    def __init__(
        self, model: LandmarkGenerator, config: GeneratorConfig, memory: Mapping[str, Tensor]
    ) -> None:
        """Take the model.

        Args:
            model: Whose k is stepped.
            config: Sizes and weights.
            memory: Of the discriminator's objective.
        """
        super().__init__(model, config)
        self._memory = memory

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return a loss whose gradient is BEGAN's control step."""
        k = self._model.balance.k
        # a run from before gaps were kept may be resumed here; its first step is none
        gap = self._memory.get("gap", torch.zeros_like(k))
        return self._report({"balance": -k * gap})


def generator_phases(model: LandmarkGenerator, config: GeneratorConfig) -> Sequence[Phase]:
    """The discriminator, the generator and their balance take turns over the same pictures."""
    judge = JudgeObjective(model, config)
    balance = BalanceObjective(model, config, judge.memory)
    return [
        Phase("judge", model.judge, judge, memory=judge.memory),
        Phase("painter", model.painter, PainterObjective(model, config), keeps_batch=True),
        Phase("balance", model.balance, balance, keeps_batch=True),
    ]
