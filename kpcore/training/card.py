"""The facts that a finished run writes into its checkpoint."""

from __future__ import annotations

from kpcore.training.config import RunRecord
from kpcore.training.events import Metrics


def card(
    record: RunRecord,
    step: int,
    seconds: float,
    metrics: Metrics | None,
    validated: tuple[int, float] | None,
) -> dict[str, object]:
    """Return command, seed, steps, time, machine and final figures (JSON values)."""
    figures: dict[str, float] = {}
    if metrics:
        figures |= {"loss": metrics.loss, **metrics.terms, **metrics.monitors}
        figures["images_per_s"] = metrics.images_per_s
    if validated:
        figures["held_out_psnr_db"] = validated[1]
    return {
        "command": " ".join(record.command),
        "preset": record.preset,
        "seed": record.seed,
        "steps": step,
        "batch": record.optimisation.batch,
        "learning_rate": record.optimisation.learning_rate,
        "seconds": round(seconds, 1),
        "machine": record.machine,
        "versions": record.versions,
        "figures": {name: round(value, 5) for name, value in figures.items()},
    }
