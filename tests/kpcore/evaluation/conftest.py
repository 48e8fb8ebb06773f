"""A model whose particles are known, so that figures can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

from kpcore.api import Decoding, Encoding, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology

SIDE = 32


class DotModel(KeypointModel):
    """One particle: the centre of red; decodes to a red disc of radius 3 px on black."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities((SIDE, SIDE), 1, uncertainty=True)

    def encode(self, image, reference=None) -> Encoding:
        along = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
        red = image[:, 0]
        mass = red.sum((-2, -1)).clamp(min=1e-6)
        x = (red.sum(-2) * along).sum(-1) / mass
        y = (red.sum(-1) * along).sum(-1) / mass
        place = torch.stack([x, y], -1)[:, None]
        return Encoding(Latents(place, Topology.flat(1), torch.full_like(place, -9.0)))

    def decode(self, latents, context=None) -> Decoding:
        return Decoding(torch.cat([disc(place[0]) for place in latents.position]))


def disc(place: torch.Tensor) -> torch.Tensor:
    """A picture with a red disc, soft at its rim."""
    along = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    apart = ((along[None, :] - place[0]) ** 2 + (along[:, None] - place[1]) ** 2).sqrt()
    red = (3.5 - apart * SIDE / 2).clamp(0, 1)
    return torch.stack([red, red * 0, red * 0])[None]


class Drift:
    """A predictor that moves every particle by `step` a frame, with noise on demand."""

    def __init__(self, renderer: KeypointModel, step: tuple[float, float], history: int = 1):
        self.renderer, self.history, self._step = renderer, history, torch.tensor(step)

    def predict(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        for step in range(1, steps + 1):
            yield replace(past[-1], position=past[-1].position + step * self._step)


@pytest.fixture
def dot_model() -> DotModel:
    return DotModel()
