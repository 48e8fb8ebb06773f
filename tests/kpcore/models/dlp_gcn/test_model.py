from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
import torch

from kpcore import registry
from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents, Topology
from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.models.dlp_gcn.model import DLPGCN


def renderer(family: str = "dlp-compact"):
    torch.manual_seed(0)
    chosen = registry.get(family)
    return chosen.build(chosen.presets["tiny"].config)


@pytest.fixture
def model() -> DLPGCN:
    made = DLPGCN(GCNConfig(hidden=16, radius=0.5), renderer())
    made.dynamics.change.weight.data.normal_(0.0, 0.2)
    return made.eval()


def particles(seed: int, batch: int = 2, count: int = 4, features: int = 4) -> Latents:
    chance = torch.Generator().manual_seed(seed)
    return Latents(
        torch.rand(batch, count, 2, generator=chance) * 2 - 1,
        Topology.flat(count),
        feature=torch.randn(batch, count, features, generator=chance),
        presence=torch.tensor([0.9, 0.8, 0.7, 0.1]).expand(batch, -1),
        background=torch.randn(batch, 4, generator=chance),
    )


@pytest.mark.parametrize("family", ["dlp-object", "dlp-masked", "dlp-compact"])
def test_any_model_of_particles_with_features_can_be_the_renderer(family: str):
    inside = renderer(family)
    model = DLPGCN(GCNConfig(hidden=8), inside).eval()
    assert model.capabilities == replace(inside.capabilities, video_history=2)
    side = model.capabilities.image_size[0]
    with torch.no_grad():
        past = [model.encode(torch.rand(1, 3, side, side)) for _ in range(2)]
        *_, last = model.predict([each.latents for each in past], 3)
        assert model.decode(last, past[-1].context).image.shape == (1, 3, side, side)


def test_a_renderer_that_cannot_be_moved_is_refused(model: DLPGCN):
    with pytest.raises(InputError, match="cannot be the renderer of another"):
        DLPGCN(GCNConfig(), model)
    with pytest.raises(InputError, match=r"no features.*dlp-object"):
        DLPGCN(GCNConfig(), renderer("keynet"))


def test_the_renderer_stays_as_it_is_in_training(model: DLPGCN):
    model.train()
    assert model.dynamics.training
    assert not any(layer.training for layer in model.renderer.modules())
    assert not any(weight.requires_grad for weight in model.renderer.parameters())


def test_what_is_not_moved_is_kept(model: DLPGCN):
    past = [particles(1), particles(2)]
    frames = list(model.predict(past, 5))
    for frame in frames:
        assert frame.presence is past[1].presence
        assert frame.background is past[1].background
        assert torch.equal(frame.position[:, 3], past[1].position[:, 3]), "absent"
    moved = (frames[0].position - past[1].position).abs().amax((0, 2))
    assert (moved[:3] > 0).all()
    assert float((frames[0].position - past[1].position).abs().max()) <= 0.2


def test_a_prediction_goes_on_from_the_last_frame_and_the_one_predicted(model: DLPGCN):
    past = [particles(1), particles(2)]
    with torch.no_grad():
        one, two, three = model.predict(past, 3)
        assert model.advance(past[1], one)[1].equals(two)
        assert next(model.predict([past[1], one, two], 1)).equals(three)


def test_a_roll_out_is_lazy_and_needs_no_more_memory_for_more_steps(
    model: DLPGCN, monkeypatch: pytest.MonkeyPatch
):
    calls: list[int] = []
    advance = model.advance
    monkeypatch.setattr(model, "advance", lambda *pair: calls.append(1) or advance(*pair))
    frames = model.predict([particles(1), particles(2)], 10**9)
    assert not calls
    next(frames)
    next(frames)
    assert len(calls) == 2
    tracemalloc.start()
    for _ in range(20):
        next(frames)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(200):
        next(frames)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 100_000
    frames.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(frames)


def test_a_roll_out_leaves_gradients_on_for_others(model: DLPGCN):
    frames = model.predict([particles(1), particles(2)], 2)
    latents = next(frames)
    assert torch.is_grad_enabled()
    assert not latents.position.requires_grad


@pytest.mark.parametrize(
    ("past", "steps", "error", "message"),
    [
        ([particles(1)], 3, InputError, "1 past frames and 3 steps"),
        ([particles(1), particles(2)], -1, InputError, "-1 steps"),
        ([particles(1), particles(2, batch=3)], 1, ShapeError, "equal batch"),
        ([particles(1, features=5), particles(2)], 1, ShapeError, "4 numbers"),
    ],
)
def test_a_past_that_does_not_fit_is_refused(model: DLPGCN, past, steps, error, message):
    with pytest.raises(error, match=message):
        next(model.predict(past, steps))


# -- inertia --------------------------------------------------------------------------------------
@pytest.fixture
def coasting() -> DLPGCN:
    """Untrained: its corrections are nearly nothing."""
    return DLPGCN(GCNConfig(hidden=16, radius=0.5, inertia=True), renderer()).eval()


def test_with_inertia_particles_go_on_as_they_came_whatever_their_rows(coasting: DLPGCN):
    before = particles(1, batch=1)
    step = torch.tensor([[0.05, 0.0], [0.0, -0.04], [0.03, 0.03], [0.0, 0.0]])
    moved = replace(before, position=before.position + step)
    order = [2, 0, 1, 3]
    last = replace(
        moved,
        position=moved.position[:, order],
        feature=moved.feature[:, order],  # type: ignore[index]
        presence=moved.presence[:, order],  # type: ignore[index]
    )
    assert coasting.rows(before, last).tolist() == [[2, 0, 1, -1]]  # type: ignore[union-attr]
    *_, after = coasting.predict([before, last], 4)
    want = last.position + 4 * step[order]
    # The fourth is absent: it stays.
    assert torch.allclose(after.position[:, :3], want[:, :3], atol=0.03)
    assert torch.equal(after.position[:, 3], last.position[:, 3])


def test_a_particle_that_was_not_there_before_stands_still(coasting: DLPGCN):
    before, last = particles(1, batch=1), particles(1, batch=1)
    before = replace(before, presence=torch.tensor([[0.9, 0.8, 0.1, 0.1]]))
    last = replace(last, position=last.position + 0.05)
    _, after = coasting.advance(before, last, coasting.rows(before, last))
    came = after.position - last.position
    assert torch.allclose(came[0, :2], torch.full((2, 2), 0.05), atol=0.01)
    assert torch.allclose(came[0, 2], torch.zeros(2), atol=0.01)
