"""Every family learns one batch by heart."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from kpcore import registry
from kpcore.api import Batch, Family, KeypointModel, Progress
from kpcore.checkpoint import Manifest
from kpcore.configuration import to_plain
from kpcore.data.synthetic import find_scenes
from kpcore.registry import FAMILIES
from kpcore.training.config import Optimisation
from kpcore.training.optimisers import optimiser_of, phase_at, set_rates

STEPS = {"dlp-masked": 300, "dlp-compact": 400, "lmdis": 150, "lavae": 500, "keynet-rnn": 600}
"""Of all phases together; 100 for the others. The recurrent network begins late: it waits for
keypoints that move."""
RATE = {"dlp-compact": 2.0, "keynet-rnn": 2.0}
"""Factor on the preset's learning rate; 4 for the others. It ends at a fifth of that."""
TERM = {"dlp-gcn": "tracks"}
"""What must fall where it is not the sum: a predictor's pictures are only as good as its
renderer's, which is frozen."""
FALL = 2.5
"""The loss must fall by this factor: of the first phase, under the settings of the run's end."""
NEARER = 0.6
"""The squared error of the reconstruction must fall below this share of what it was."""


def batch_for(family: Family, model: KeypointModel) -> Batch:
    """Two pictures of three coloured shapes on black, or two clips of bouncing ones."""
    side, window = model.capabilities.image_size[0], family.window(family.presets["tiny"].config)
    scenes = find_scenes("bouncing" if window.frames > 1 else "multi-dsprites")
    frames = max(2, window.frames)
    drawn = [scenes.clip(0, index, side, frames).image for index in (6, 7)]
    clip = torch.stack([torch.from_numpy(each) for each in drawn])
    return Batch(clip[:, 0], clip=clip if window.frames > 1 else None)


def built(family: Family) -> KeypointModel:
    """The tiny model; what it contains has learned the first batch of predictors by heart."""
    inside: dict[str, KeypointModel] = {}
    if "renderer" in family.needs:
        inside["renderer"] = learned_renderer()
    torch.manual_seed(0)
    return family.build(family.presets["tiny"].config, **inside)


@cache
def learned_renderer() -> KeypointModel:
    renderer = registry.get("dlp-compact")
    model = built(renderer)
    clip = batch_for(registry.get("dlp-gcn"), model).clip
    assert clip is not None
    learn(renderer, model, Batch(clip.flatten(0, 1)))
    model.eval()
    model.manifest = Manifest(renderer.name, to_plain(renderer.presets["tiny"].config))
    return model


def loss_of(family: Family, model: KeypointModel, batch: Batch) -> float:
    phase, *_ = family.phases(model, family.presets["tiny"].config)
    steps = STEPS.get(family.name, 100)
    torch.manual_seed(1)
    with torch.no_grad():
        report = phase.objective(batch, Progress(steps, steps, 3.0))
    return float(report.terms[TERM[family.name]] if family.name in TERM else report.total)


def learn(family: Family, model: KeypointModel, batch: Batch) -> None:
    preset, steps = family.presets["tiny"], STEPS.get(family.name, 100)
    phases = family.phases(model, preset.config)
    rate = RATE.get(family.name, 4.0) * preset.recipe.learning_rate
    settings = Optimisation(steps, 2, rate, (0.7,), 0.2, adam_eps=preset.recipe.adam_eps)
    optimisers = [optimiser_of(phase, settings) for phase in phases]
    for step in range(steps):
        which, progress = phase_at(phases, step), Progress(step, steps, 3.0 * step / steps)
        torch.manual_seed(step)
        set_rates(optimisers[which], phases[which], progress, settings.rate(step))
        phases[which].objective(batch, progress).total.backward()
        optimisers[which].step()
        model.zero_grad(set_to_none=True)


def error_of(model: KeypointModel, image: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        encoding = model.encode(image)
        picture = model.decode(encoding.latents, encoding.context).image
    model.train()
    return float((picture - image).square().mean())


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", FAMILIES)
def test_one_batch_is_learned_by_heart(name: str):
    family = registry.get(name)
    model = built(family).train()
    batch = batch_for(family, model)
    loss, error = loss_of(family, model, batch), error_of(model, batch.image)
    learn(family, model, batch)
    assert loss_of(family, model, batch) < loss / FALL
    if not family.needs:
        model.settle(batch.image for _ in range(10))
        assert error_of(model, batch.image) < NEARER * error
