from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from kpcore.api import Group, Phase, Progress
from kpcore.errors import CheckpointError, TrainingError
from kpcore.training.config import Optimisation
from kpcore.training.optimisers import Kept, optimiser_of, pack, phase_at, set_rates, unpack

OPTIMISATION = Optimisation(steps=10, batch=1, learning_rate=0.1)


def _phase(module: nn.Module, steps: int = 1) -> Phase:
    return Phase("one", module, lambda batch, progress: None, steps)  # type: ignore[arg-type,return-value]


def _stepped(module: nn.Linear, optimiser: torch.optim.Optimizer) -> torch.Tensor:
    module(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    optimiser.zero_grad()
    return module.weight.detach().clone()


def test_unpacked_state_steps_like_the_original():
    first = nn.Linear(3, 2)
    optimiser = optimiser_of(_phase(first), OPTIMISATION)
    _stepped(first, optimiser)
    second = nn.Linear(3, 2)
    second.load_state_dict(first.state_dict())
    other = optimiser_of(_phase(second), OPTIMISATION)
    unpack(Kept([other], [{}]), pack(Kept([optimiser], [{}])))
    assert torch.equal(_stepped(first, optimiser), _stepped(second, other))


def test_state_of_another_model_is_refused():
    first = nn.Linear(3, 2)
    optimiser = optimiser_of(_phase(first), OPTIMISATION)
    _stepped(first, optimiser)
    other = optimiser_of(_phase(nn.Linear(3, 4)), OPTIMISATION)
    with pytest.raises(CheckpointError, match="does not fit"):
        unpack(Kept([other], [{}]), pack(Kept([optimiser], [{}])))


def test_what_an_objective_remembers_comes_back_to_its_phase():
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    optimisers = [optimiser_of(_phase(one), OPTIMISATION) for one in (first, second)]
    _stepped(second, optimisers[1])
    state = pack(Kept(optimisers, [{}, {"mean/of it": torch.tensor(2.5), "rows": torch.ones(2)}]))
    memories: list[dict[str, torch.Tensor]] = [{}, {}]
    unpack(Kept(optimisers, memories), state)
    assert memories[0] == {}
    assert memories[1].keys() == {"mean/of it", "rows"}
    assert memories[1]["mean/of it"] == 2.5


def test_phases_take_turns():
    phases = [_phase(nn.Linear(1, 1), 1), _phase(nn.Linear(1, 1), 2)]
    assert [phase_at(phases, step) for step in range(6)] == [0, 1, 1, 0, 1, 1]


def test_a_phase_without_weights_is_refused():
    with pytest.raises(TrainingError, match="'one' has no weights"):
        optimiser_of(_phase(nn.ReLU()), OPTIMISATION)


def test_groups_have_rates_and_betas_of_their_own_and_the_rest_has_the_runs():
    whole = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    falling = Group(whole[1], lambda progress, rate: rate * 0.1 ** (progress.step / 10))
    fixed = Group(whole[2], lambda progress, rate: 0.7, betas=(0.5, 0.99))
    phase = replace(_phase(whole), groups=(falling, fixed))
    optimiser = optimiser_of(phase, OPTIMISATION)
    set_rates(optimiser, phase, Progress(10, 10, 0.0), 0.2)
    rates = [group["lr"] for group in optimiser.param_groups]
    assert rates == pytest.approx([0.02, 0.7, 0.2])
    assert optimiser.param_groups[1]["betas"] == (0.5, 0.99)
    held = [{id(w) for w in group["params"]} for group in optimiser.param_groups]
    assert held == [{id(w) for w in whole[i].parameters()} for i in (1, 2, 0)]


def test_adamax_state_survives_packing():
    first = nn.Linear(3, 2)
    phase = replace(_phase(first), optimiser="adamax")
    optimiser = optimiser_of(phase, OPTIMISATION)
    assert isinstance(optimiser, torch.optim.Adamax)
    _stepped(first, optimiser)
    second = nn.Linear(3, 2)
    second.load_state_dict(first.state_dict())
    other = optimiser_of(replace(_phase(second), optimiser="adamax"), OPTIMISATION)
    unpack(Kept([other], [{}]), pack(Kept([optimiser], [{}])))
    assert torch.equal(_stepped(first, optimiser), _stepped(second, other))
