from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.api import Phase
from kpcore.errors import CheckpointError, TrainingError
from kpcore.training.config import Optimisation
from kpcore.training.optimisers import adam, pack, phase_at, unpack

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
    optimiser = adam(_phase(first), OPTIMISATION)
    _stepped(first, optimiser)
    second = nn.Linear(3, 2)
    second.load_state_dict(first.state_dict())
    other = adam(_phase(second), OPTIMISATION)
    unpack([other], pack([optimiser]))
    assert torch.equal(_stepped(first, optimiser), _stepped(second, other))


def test_state_of_another_model_is_refused():
    first = nn.Linear(3, 2)
    optimiser = adam(_phase(first), OPTIMISATION)
    _stepped(first, optimiser)
    with pytest.raises(CheckpointError, match="does not fit"):
        unpack([adam(_phase(nn.Linear(3, 4)), OPTIMISATION)], pack([optimiser]))


def test_phases_take_turns():
    phases = [_phase(nn.Linear(1, 1), 1), _phase(nn.Linear(1, 1), 2)]
    assert [phase_at(phases, step) for step in range(6)] == [0, 1, 1, 0, 1, 1]


def test_a_phase_without_weights_is_refused():
    with pytest.raises(TrainingError, match="'one' has no weights"):
        adam(_phase(nn.ReLU()), OPTIMISATION)
