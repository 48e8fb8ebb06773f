from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore.api import Batch, Progress
from kpcore.errors import InputError, ShapeError
from kpcore.models.keynet_rnn import PRESETS
from kpcore.models.keynet_rnn.model import KeyNetRNN
from kpcore.models.keynet_rnn.objective import phases

CONFIG = PRESETS["tiny"].config
START = Progress(0, 10, 0.0)


@pytest.fixture
def model() -> KeyNetRNN:
    torch.manual_seed(0)
    model = KeyNetRNN(CONFIG)
    torch.nn.init.normal_(model.dynamics.change.weight, 0.0, 0.2)
    return model.eval()


def frames(count: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_a_picture_is_drawn_on_its_reference(model):
    image, reference = frames(2).unbind(1)
    latents = model.encode(image, reference).latents
    assert latents.background is not None
    assert torch.equal(latents.background.view_as(reference), reference)
    torch.nn.init.zeros_(model.painter.head.weight)
    torch.nn.init.zeros_(model.painter.head.bias)
    assert torch.equal(model.decode(latents).image, reference)


@torch.no_grad()
def test_predictions_feed_on_themselves_and_are_drawn_on_the_last_frame(model):
    past = [model.encode(frame).latents for frame in frames(3).unbind(1)]
    rolled = list(model.predict(past, 4))
    assert len(rolled) == 4
    assert all(one.background is past[-1].background for one in rolled)
    again = list(model.predict([*past, rolled[0], rolled[1]], 2))
    assert torch.allclose(again[0].position, rolled[2].position, atol=1e-6)
    assert torch.allclose(again[1].position, rolled[3].position, atol=1e-6)
    assert not torch.equal(rolled[1].position, rolled[0].position)
    assert model.decode(rolled[-1]).image.shape == (2, 3, 32, 32)


@torch.no_grad()
def test_predictions_depend_on_order_and_not_on_the_batch(model):
    past = [model.encode(frame).latents for frame in frames(3).unbind(1)]
    last = next(iter(model.predict(past, 1))).position
    swapped = next(iter(model.predict([past[1], past[0], past[2]], 1))).position
    assert not torch.allclose(last, swapped)
    alone = next(iter(model.predict([one.image(1) for one in past], 1))).position
    assert torch.allclose(last[1:], alone, atol=1e-6)


def test_prediction_needs_a_past_and_strengths(model):
    with pytest.raises(InputError, match="0 past frames"):
        model.predict([], 3)
    latents = replace(model.encode(frames(1)[:, 0]).latents, presence=None)
    with pytest.raises(ShapeError, match="presence none"):
        list(model.predict([latents], 1))


def test_single_pictures_are_nothing_to_learn_from(model):
    (phase,) = phases(model, CONFIG)
    clip = frames(CONFIG.frames)
    assert phase.objective(Batch(clip[:, 0], clip=clip), START).total.isfinite()
    with pytest.raises(InputError, match="clips of 5 frames; got 1"):
        phase.objective(Batch(clip[:, 0]), START)


def test_dynamics_do_not_shape_the_detector(model):
    (phase,) = phases(model, CONFIG)
    clip = frames(CONFIG.frames)
    report = phase.objective(Batch(clip[:, 0], clip=clip), START)
    report.terms["dynamics"].backward()
    assert all(weight.grad is None for weight in model.detector.parameters())
    assert model.dynamics.cell.weight_ih.grad.abs().max() > 0


@torch.no_grad()
def test_the_last_frames_of_a_clip_are_predicted_without_being_seen(model):
    """Their keypoints enter only as targets: the error of the frame before is untouched."""
    (phase,) = phases(model, CONFIG)
    seen: list[torch.Tensor] = []
    observe = model.dynamics.observe
    model.dynamics.observe = lambda points, memory: seen.append(points) or observe(points, memory)
    clip = frames(CONFIG.frames)
    phase.objective(Batch(clip[:, 0], clip=clip), START)
    first = [points.clone() for points in seen]
    seen.clear()
    clip[:, CONFIG.observed :] = 0.0
    phase.objective(Batch(clip[:, 0], clip=clip), START)
    assert len(first) == CONFIG.frames - 1
    for a, b in zip(first, seen, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
