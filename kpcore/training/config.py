"""What a training run is asked to do, and the record of it that lies in its directory.

Free of torch, so that the command line and the studio read runs quickly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from kpcore.errors import InputError
from kpcore.geometry.framing import Fit

Precision = Literal["auto", "float32", "bf16"]


@dataclass(frozen=True, slots=True)
class Optimisation:
    """Batch, length and learning rate of a run, settled.

    Attributes:
        steps: Optimiser steps of the whole run.
        batch: Images per step, over all devices.
        learning_rate: Of Adam, after the linear start.
        milestones: Fractions of the run at which the rate is multiplied by `decay`.
        decay: Factor at each milestone.
        rise: Steps over which the rate rises linearly from zero.
        adam_eps: Adam's epsilon.
    """

    steps: int
    batch: int
    learning_rate: float
    milestones: tuple[float, ...] = ()
    decay: float = 0.5
    rise: int = 0
    adam_eps: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            value = getattr(self, name)
            if value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        if not self.learning_rate > 0.0:
            raise InputError(f"learning_rate is {self.learning_rate}; it must be above 0")

    def rate(self, step: int) -> float:
        """Return the learning rate of the step after `step` steps: a pure function."""
        rise = min(1.0, (step + 1) / self.rise) if self.rise else 1.0
        passed = sum(step >= fraction * self.steps for fraction in self.milestones)
        return self.learning_rate * rise * self.decay**passed


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a run writes, in optimiser steps.

    Attributes:
        log: Loss terms and speed.
        snapshot: Probe pictures, latents and half-precision weights for the studio.
        validate: Loss and PSNR on held-out pictures.
        checkpoint: Weights and optimiser state from which the run can be resumed.
    """

    log: int
    snapshot: int
    validate: int
    checkpoint: int

    def __post_init__(self) -> None:
        for name in ("log", "snapshot", "validate", "checkpoint"):
            if getattr(self, name) < 1:
                raise InputError(f"'{name}' every {getattr(self, name)} steps; use at least 1")

    @classmethod
    def for_steps(cls, steps: int, snapshot: int = 0, checkpoint: int = 0) -> Cadence:
        """Return about 50 snapshots, 20 checkpoints and 25 validations where 0 leaves it open.

        Short runs write every 20 steps at most.
        """
        fiftieth = max(20, steps // 50)
        return cls(
            log=max(1, min(10, steps // 20)),
            snapshot=snapshot or fiftieth,
            validate=max(20, steps // 25),
            checkpoint=checkpoint or max(20, steps // 20),
        )


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Which pictures a run learns from.

    Attributes:
        source: Path of a video or folder, or a name of the data catalogue.
        held_out: Clips kept out of training: "3" of them, a fraction "0.1", or names "a.mp4,b.mp4";
            empty for a tenth where that can be spared, "0" for none.
        stride: Every how many frames of a video is used.
        fit: How a picture of another shape is brought to the model's.
        box: Part of the source pictures to use, left, top, right, bottom in pixels; None is all.
        pool: Procedural pictures made at once and repeated; 0 makes new ones endlessly.
    """

    source: str
    held_out: str = ""
    stride: int = 1
    fit: Fit = "crop"
    box: tuple[float, float, float, float] | None = None
    pool: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All that makes a run: `config.json` in its directory, enough to resume it.

    Attributes:
        family: Registry name.
        preset: The preset it began from.
        config: The family's whole configuration as JSON values.
        data: Which pictures.
        optimisation: Batch, length, learning rate.
        cadence: How often the run writes.
        seed: Of weights, data order and noise.
        device: As asked for.
        precision: "float32" or "bf16", settled.
        threads: CPU threads of torch; results are equal bit for bit only with the same number.
        description: What the data was found to be.
        command: The command line that began the run.
        versions: Python, torch, kpcore.
        machine: Processor, devices, system.
        renderer: Checkpoint of the model that this one contains; empty where it contains none.
        weights: Checkpoint whose weights the run began with; empty where they were random.
    """

    family: str
    preset: str
    config: dict[str, Any]
    data: DataChoice
    optimisation: Optimisation
    cadence: Cadence
    seed: int = 0
    device: str = "auto"
    precision: Precision = "float32"
    threads: int = 1
    description: dict[str, Any] = field(default_factory=dict[str, Any])
    command: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict[str, str])
    machine: dict[str, Any] = field(default_factory=dict[str, Any])
    renderer: str = ""
    weights: str = ""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """A new run as the user asks for it; None and 0 leave a choice to the preset or the run.

    Attributes:
        family: Registry name.
        data: Which pictures.
        preset: Name of the family's configuration and recipe.
        steps: Optimiser steps of the whole run.
        batch: Images per step, over all devices.
        learning_rate: Of Adam.
        seed: Of weights, data order and noise.
        device: cpu, cuda, cuda:N, mps or auto.
        precision: auto takes bf16 on CUDA hardware that has it.
        threads: CPU threads.
        snapshot_every: Steps between snapshots.
        checkpoint_every: Steps between checkpoints.
        overrides: "field=value" changes of the family's configuration.
        command: The command line, for the record.
        renderer: Checkpoint of the trained model inside the new one, for families that need it.
        weights: Checkpoint of the same family and sizes to begin with; empty for random weights.
    """

    family: str
    data: DataChoice
    preset: str = "default"
    steps: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    snapshot_every: int = 0
    checkpoint_every: int = 0
    overrides: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    renderer: str = ""
    weights: str = ""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; use 0 or more")
