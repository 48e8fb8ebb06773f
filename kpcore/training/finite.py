"""A run whose numbers left the finite ends at once, with a sentence that says where."""

from __future__ import annotations

import torch

from kpcore.api import KeypointModel
from kpcore.errors import TrainingError


def require_finite(model: KeypointModel, step: int, last: str) -> None:
    """Raise `TrainingError` when a weight is NaN or infinite, before it could be stored."""
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise TrainingError(not_finite(step, f"weight '{name}'", last))


def not_finite(step: int, what: str, last: str) -> str:
    """Return the sentence for a run whose numbers left the finite."""
    good = (
        f"the last good checkpoint is checkpoints/{last}.safetensors"
        if last
        else "no checkpoint had been written yet"
    )
    return (
        f"training stopped at step {step}: {what} is NaN or infinite; {good}; try a lower "
        f"--lr or --precision float32"
    )
