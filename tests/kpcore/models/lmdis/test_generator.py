from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore import registry
from kpcore.api import Batch, Progress
from kpcore.errors import InputError
from kpcore.models.lmdis.generator import GeneratorConfig, LandmarkGenerator
from kpcore.models.lmdis.generator_objective import generator_phases
from kpcore.models.lmdis.model import Lmdis

FAMILY = registry.get("lmdis-generator")
TINY: GeneratorConfig = FAMILY.presets["tiny"].config
NOW = Progress(0, 10, 0.0)


@pytest.fixture
def model() -> LandmarkGenerator:
    torch.manual_seed(0)
    return LandmarkGenerator(TINY, Lmdis(registry.get("lmdis").presets["tiny"].config))


def test_the_landmark_model_stays_as_it_is(model: LandmarkGenerator) -> None:
    model.train()
    assert not model.renderer.training
    assert not any(weight.requires_grad for weight in model.renderer.parameters())


def test_other_noise_gives_another_picture_and_the_same_noise_the_same(model) -> None:
    model.eval()
    with torch.inference_mode():
        latents = model.encode(torch.rand(1, 3, 32, 32)).latents
        one, again, other = (model.renewed(latents, seed) for seed in (1, 1, 2))
        pictures = [model.decode(value).image for value in (one, again, other)]
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.allclose(pictures[0], pictures[2], atol=1e-4)
    assert torch.equal(one.position, latents.position)


def test_maps_are_shares_that_are_greatest_at_their_landmark(model) -> None:
    position = torch.tensor([[[-0.5, 0.5], [0.5, 0.5], [0.0, -0.5], [0.9, -0.9]]])
    maps = model.maps(position)
    assert torch.allclose(maps.sum(1), torch.ones(1, 32, 32), atol=1e-5)
    peak = maps[0, 0].flatten().argmax()
    assert abs(int(peak % 32) - 8) <= 1
    assert abs(int(peak // 32) - 24) <= 1
    assert maps[0, 4, 16, 16] > 0.5, "between the landmarks there is background"


def test_each_player_moves_its_own_weights_only(model: LandmarkGenerator) -> None:
    batch = Batch(torch.rand(4, 3, 32, 32))
    model.balance.k.data.fill_(0.5)
    owners = {"judge": "judge.", "painter": "painter.", "balance": "balance."}
    for phase in generator_phases(model, TINY):
        model.zero_grad(set_to_none=True)
        phase.objective(batch, NOW).total.backward()
        touched = {n for n, w in phase.module.named_parameters() if w.grad is not None}
        assert touched, owners[phase.name]


def test_k_grows_while_generated_pictures_are_too_easy(model, monkeypatch) -> None:
    judge, _, phase = generator_phases(model, TINY)
    batch = Batch(torch.rand(1, 3, 32, 32))
    for energy, sign in ((0.1, -1.0), (10.0, 1.0)):
        answers = iter([torch.tensor([1.0]), torch.tensor([energy])])
        monkeypatch.setattr(model.judge, "forward", lambda image, a=answers: next(a))
        judge.objective(batch, NOW)
        assert set(judge.memory) == {"gap"}, "kept with the run, whichever step it stops after"
        model.zero_grad(set_to_none=True)
        phase.objective(batch, NOW).total.backward()
        assert model.balance.k.grad is not None
        assert float(model.balance.k.grad) * sign > 0.0, "descent on it raises k, or lowers it"


def test_held_out_pictures_do_not_move_k(model: LandmarkGenerator) -> None:
    judge, _, balance = generator_phases(model, TINY)
    with torch.no_grad():
        judge.objective(Batch(torch.rand(2, 3, 32, 32)), NOW)
    assert not judge.memory
    balance.objective(Batch(torch.rand(2, 3, 32, 32)), NOW).total.backward()
    assert model.balance.k.grad is not None
    assert float(model.balance.k.grad) == 0.0


def test_sizes_are_the_landmark_models_and_odd_ones_are_refused(model) -> None:
    assert model.capabilities.image_size == (32, 32)
    assert model.capabilities.particles == 4
    config = replace(registry.get("lmdis").presets["tiny"].config, image_size=36, padded_size=48)
    with pytest.raises(InputError, match="multiple of 8"):
        LandmarkGenerator(TINY, Lmdis(config))
