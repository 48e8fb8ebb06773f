"""Loss and PSNR on pictures that training does not see."""

from __future__ import annotations

import torch

from kpcore.api import Batch, KeypointModel, Objective, Progress
from kpcore.data.source import ImageSource
from kpcore.training.device import seed_step
from kpcore.training.events import Validation
from kpcore.training.probe import choose

PICTURES = 128
_BATCH = 32


class HeldOut:
    """Up to `PICTURES` pictures spread over the held-out split, fetched once."""

    def __init__(self, source: ImageSource) -> None:
        self._pictures = choose(source, PICTURES)

    @torch.no_grad()
    def measure(self, model: KeypointModel, objective: Objective, progress: Progress) -> Validation:
        """Return the figures of a model in eval mode."""
        device = next(model.parameters()).device
        sums: dict[str, float] = {}
        psnr: list[float] = []
        count = len(self._pictures)
        for number, pictures in enumerate(self._pictures.split(_BATCH)):
            seed_step(0, number)
            image = pictures.to(device).float() / 255.0
            report = objective(Batch(image), progress)
            for name, value in {"": report.total, **report.terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(image) / count
            encoding = model.encode(image)
            decoded = model.decode(encoding.latents, encoding.context).image
            error = ((decoded - image) ** 2).flatten(1).mean(1).clamp(min=1e-10)
            psnr += (-10.0 * error.log10()).tolist()
        loss = sums.pop("")
        return Validation(progress.step, loss, sum(psnr) / count, sums, count)
