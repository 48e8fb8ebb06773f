"""Loss and PSNR on windows that training does not see."""

from __future__ import annotations

import torch

from kpcore.api import KeypointModel, Objective, Progress
from kpcore.data.source import ImageSource
from kpcore.training.device import seed_step
from kpcore.training.events import Validation
from kpcore.training.frames import on_device
from kpcore.training.probe import choose, remade

PICTURES = 128
_BATCH = 32


class HeldOut:
    """Up to `PICTURES` windows spread over the held-out split, fetched once.

    PSNR is that of the picture; of a clip it is that of the last frame, which a video predictor
    predicts from the first ones.
    """

    def __init__(self, source: ImageSource) -> None:
        self._frames = choose(source, max(_BATCH, PICTURES // source.window.frames))

    @torch.no_grad()
    def measure(self, model: KeypointModel, objective: Objective, progress: Progress) -> Validation:
        """Return the figures of a model in eval mode."""
        device = next(model.parameters()).device
        sums: dict[str, float] = {}
        psnr: list[float] = []
        count = len(self._frames.image)
        for number, frames in enumerate(self._frames.split(_BATCH)):
            seed_step(0, number)
            batch = on_device(frames, device)
            report = objective(batch, progress)
            for name, value in {"": report.total, **report.terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(batch.image) / count
            _, picture = remade(model, batch)
            wanted = batch.image if batch.clip is None else batch.clip[:, -1]
            error = ((picture - wanted) ** 2).flatten(1).mean(1).clamp(min=1e-10)
            psnr += (-10.0 * error.log10()).tolist()
        loss = sums.pop("")
        return Validation(progress.step, loss, sum(psnr) / count, sums, count)
