"""An optimiser per phase, and what it keeps as plain tensors (which open safely, unlike pickle)."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from kpcore.api import Phase, Progress
from kpcore.errors import CheckpointError, TrainingError
from kpcore.training.config import Optimisation

_MEMORY = "memory"


def optimiser_of(phase: Phase, optimisation: Optimisation) -> torch.optim.Optimizer:
    """Return the optimiser of a phase's trained weights; its groups lie as in `Phase.groups`.

    Raises:
        TrainingError: The phase has nothing to train.
    """
    known: set[int] = set()
    groups: list[dict[str, Any]] = []
    for group in phase.groups:
        weights = [w for w in group.module.parameters() if w.requires_grad and id(w) not in known]
        known.update(id(weight) for weight in weights)
        betas = {} if group.betas is None else {"betas": group.betas}
        groups.append({"params": weights, **betas})
    rest = [w for w in phase.module.parameters() if w.requires_grad and id(w) not in known]
    groups.append({"params": rest})
    if not rest and not known:
        raise TrainingError(f"phase '{phase.name}' has no weights to train")
    rate, eps = optimisation.learning_rate, optimisation.adam_eps
    if phase.optimiser == "adamax":
        return torch.optim.Adamax(groups, lr=rate, eps=eps)
    device = next(iter(phase.module.parameters())).device.type
    return torch.optim.Adam(groups, lr=rate, eps=eps, fused=device in ("cpu", "cuda"))


def set_rates(
    optimiser: torch.optim.Optimizer, phase: Phase, progress: Progress, rate: float
) -> None:
    """Give every group its learning rate for the next step.

    Args:
        optimiser: Of the phase.
        phase: Whose groups say their own.
        progress: Where the run stands.
        rate: Of the run.
    """
    rates = [group.rate(progress, rate) for group in phase.groups]
    for group, own in zip(optimiser.param_groups, [*rates, rate], strict=True):
        group["lr"] = own


def phase_at(phases: Sequence[Phase], step: int) -> int:
    """Return which phase takes the step after `step` steps: a pure function."""
    ends = list(accumulate(phase.steps for phase in phases))
    place = step % ends[-1]
    return next(index for index, end in enumerate(ends) if place < end)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run keeps from step to step beside its weights, phase by phase.

    Attributes:
        optimisers: One per phase.
        memories: `Phase.memory` of each.
    """

    optimisers: Sequence[torch.optim.Optimizer]
    memories: Sequence[MutableMapping[str, Tensor]]


def pack(kept: Kept) -> dict[str, Tensor]:
    """Return all that is kept as named tensors on the CPU."""
    named = {
        f"{which}/{index}/{name}": value
        for which, optimiser in enumerate(kept.optimisers)
        for index, entries in optimiser.state_dict()["state"].items()
        for name, value in entries.items()
    }
    for which, memory in enumerate(kept.memories):
        named.update((f"{which}/{_MEMORY}/{name}", value) for name, value in memory.items())
    return {
        name: torch.as_tensor(value).detach().to("cpu").contiguous().clone()
        for name, value in named.items()
    }


def unpack(kept: Kept, state: Mapping[str, Tensor]) -> None:
    """Fill optimisers and memories with what `pack` returned.

    Raises:
        CheckpointError: It belongs to another model.
    """
    for which, (optimiser, memory) in enumerate(zip(kept.optimisers, kept.memories, strict=True)):
        plain = optimiser.state_dict()
        plain["state"] = {}
        for key, value in state.items():
            owner, index, name = key.split("/", 2)
            if int(owner) != which:
                continue
            if index == _MEMORY:
                memory[name] = value
            else:
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
