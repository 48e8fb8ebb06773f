"""A family small enough that a training run takes a tenth of a second."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from kpcore.api import (
    Batch,
    Decoding,
    Encoding,
    Family,
    KeypointModel,
    LossReport,
    Phase,
    Preset,
    Progress,
    Recipe,
)
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology


@dataclass(frozen=True, slots=True)
class ToyConfig:
    """Choices of the toy.

    Attributes:
        particles: how many.
        phases: optimisers, 1 or 2.
        spoil_at: step whose loss is not a number; -1 for never.
    """

    particles: int = 3
    phases: int = 1
    spoil_at: int = -1


class Toy(KeypointModel):
    """Particles from a convolution's means; a picture from a linear layer."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.see = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.place = nn.Linear(4, 2 * config.particles)
        self.paint = nn.Linear(2 * config.particles, 3 * 16 * 16)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(image_size=(16, 16), particles=self.config.particles)

    def encode(self, image, reference=None) -> Encoding:
        flat = torch.tanh(self.place(self.see(image).mean((2, 3))))
        position = flat.view(len(image), -1, 2)
        return Encoding(Latents(position, Topology.flat(self.config.particles)))

    def decode(self, latents, context=None) -> Decoding:
        flat = self.paint(latents.position.flatten(1)).sigmoid()
        return Decoding(flat.view(-1, 3, 16, 16))


class _Objective:
    def __init__(self, model: Toy, config: ToyConfig) -> None:
        self.model, self.config = model, config

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        latents = self.model.encode(batch.image).latents
        noisy = latents.position + 0.1 * torch.randn_like(latents.position)
        picture = self.model.decode(Latents(noisy, latents.topology)).image
        error = ((picture - batch.image) ** 2).mean()
        size = latents.position.square().mean() * 1e-3
        if progress.step == self.config.spoil_at:
            size = size / 0.0
        return LossReport(error + size, {"error": error, "size": size}, {"spread": noisy.std()})


def phases(model: Toy, config: ToyConfig) -> list[Phase]:
    objective = _Objective(model, config)
    if config.phases == 1:
        return [Phase("all", model, objective)]
    encoder = nn.ModuleList([model.see, model.place])
    return [Phase("encoder", encoder, objective), Phase("decoder", model.paint, objective, 2)]


_RECIPE = Recipe(batch=4, learning_rate=1e-2, steps=12, epochs=None, milestones=(0.5,), rise=3)

FAMILIES = {
    "toy": Family(
        name="toy",
        title="Toy",
        paper="none",
        config=ToyConfig,
        presets={
            "default": Preset(ToyConfig(), _RECIPE, "one phase"),
            "tiny": Preset(ToyConfig(), _RECIPE, "one phase"),
            "two": Preset(ToyConfig(phases=2), _RECIPE, "two phases"),
        },
        build=Toy,
        phases=phases,
    )
}
