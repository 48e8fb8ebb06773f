"""Adam per phase, and its state as plain tensors (a state without pickle opens safely)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from kpcore.api import Phase
from kpcore.errors import CheckpointError, TrainingError
from kpcore.training.config import Optimisation


def adam(phase: Phase, optimisation: Optimisation) -> torch.optim.Adam:
    """Return the optimiser of a phase's trained weights.

    Raises:
        TrainingError: The phase has nothing to train.
    """
    weights = [weight for weight in phase.module.parameters() if weight.requires_grad]
    if not weights:
        raise TrainingError(f"phase '{phase.name}' has no weights to train")
    fused = weights[0].device.type in ("cpu", "cuda")
    return torch.optim.Adam(
        weights, lr=optimisation.learning_rate, eps=optimisation.adam_eps, fused=fused
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give the optimiser its learning rate for the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def phase_at(phases: Sequence[Phase], step: int) -> int:
    """Return which phase takes the step after `step` steps: a pure function."""
    ends = list(accumulate(phase.steps for phase in phases))
    place = step % ends[-1]
    return next(index for index, end in enumerate(ends) if place < end)


def pack(optimisers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Return the state of all optimisers as named tensors on the CPU."""
    return {
        f"{which}/{index}/{name}": torch.as_tensor(value).detach().to("cpu").contiguous().clone()
        for which, optimiser in enumerate(optimisers)
        for index, entries in optimiser.state_dict()["state"].items()
        for name, value in entries.items()
    }


def unpack(optimisers: Sequence[torch.optim.Optimizer], state: Mapping[str, Tensor]) -> None:
    """Give the optimisers the state that `pack` returned.

    Raises:
        CheckpointError: It belongs to another model.
    """
    for which, optimiser in enumerate(optimisers):
        plain = optimiser.state_dict()
        plain["state"] = {}
        for key, value in state.items():
            owner, index, name = key.split("/")
            if int(owner) == which:
                plain["state"].setdefault(int(index), {})[name] = value
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        for index, entries in plain["state"].items():
            if index >= len(weights) or entries["exp_avg"].shape != weights[index].shape:
                raise CheckpointError(
                    "the optimiser's state does not fit the model; start a new run from the weights"
                )
            for name, value in entries.items():
                if value.shape == weights[index].shape:
                    entries[name] = torch.empty_like(weights[index], dtype=value.dtype).copy_(value)
        optimiser.load_state_dict(plain)
