"""`kp train`: learn a model from pictures."""

from __future__ import annotations

import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional, UseAppendAction

from kpcore.errors import InputError
from kpcore.geometry.framing import Fit
from kpcore.training.config import DataChoice, Precision, TrainRequest


def _arg(metavar: str, default: str | None = None) -> Any:
    """Return how an option is shown; `default` says what None, 0 or nothing stands for."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=default)


@dataclass(frozen=True, slots=True)
class Train:
    """Train a model on video, images, procedural scenes or a public data set; or resume a run.

    - kp train dlp-compact --data my_video.mp4
    - kp train dlp-object --data traffic.mp4 --preset traffic --device cuda
    - kp train dlp-compact --data shapes --preset shapes --steps 3000
    - kp train dlp-gcn --renderer dlp.safetensors --data traffic.mp4
    - kp train keynet --weights model.safetensors --data more_video.mp4
    - kp train lmdis --data celeba:/data/celeba
    - kp train tusk --data mnist-hard:/data/mnist --preset mnist-hard-small --pool 20000
    - kp train --resume runs/NAME

    Ctrl-C ends a run after its step, with a checkpoint to resume from.

    - Several GPUs or machines: accelerate launch -m kpcore train dlp-object ...
    - Several CPU processes: torchrun --nproc-per-node 2 -m kpcore train ... --device cpu

    Attributes:
        family: Which model; 'kp models' lists them.
        data: Video, folder of images or videos, procedural scenes by name, or NAME:FOLDER of a
            public data set (celeba, human36m, ...) or of MNIST (mnist, mnist-hard, ...); a name
            that is unknown lists all.
        preset: Configuration and recipe to begin from; 'kp models' lists them.
        renderer: Checkpoint of the trained image model whose particles a video
            predictor moves; its weights are frozen and stored inside the new checkpoint.
        weights: Checkpoint of the same family and sizes whose weights a new run begins with,
            to go on with other data or another recipe.
        steps: Optimiser steps of the whole run.
        batch: Images per step, over all devices.
        lr: Learning rate of Adam.
        seed: Of weights, data order and noise.
        device: cpu, cuda, cuda:N, mps, or auto: CUDA where there is one, else the CPU.
        precision: auto takes bf16 on CUDA hardware that has it, float32 elsewhere.
        threads: CPU threads.
        out: Run directory; one that is in use is refused.
        held_out: Clips kept out of training to judge by: a number, a
            fraction, or names with commas; a single video gives its last frames; 0 for none.
        stride: Use every n-th frame.
        fit: What gives when pictures have another shape than the model: crop the
            middle, stretch, or pad with black.
        box: Part of the pictures to use: left top right bottom, in pixels.
        pool: Make so many procedural pictures at once and repeat them.
        snapshot_every: Steps between snapshots for the studio.
        checkpoint_every: Steps between checkpoints.
        set: Change a field of the model's configuration, FIELD=VALUE; may be
            repeated. 'kp models FAMILY' lists the fields.
        resume: Go on with this run directory; besides, only steps, lr, device and threads can be
            given.
    """

    family: Positional[Annotated[str | None, _arg("FAMILY", "")]] = None
    data: Annotated[str | None, _arg("SPEC", "")] = None
    preset: Annotated[str, _arg("NAME")] = "default"
    renderer: Annotated[Path | None, _arg("CHECKPOINT", "")] = None
    weights: Annotated[Path | None, _arg("CHECKPOINT", "(default: random)")] = None
    steps: Annotated[int | None, _arg("N", "(default: the preset's)")] = None
    batch: Annotated[int | None, _arg("N", "(default: the preset's)")] = None
    lr: Annotated[float | None, _arg("RATE", "(default: the preset's)")] = None
    seed: Annotated[int, _arg("N")] = 0
    device: Annotated[str, _arg("NAME")] = "auto"
    precision: Precision = "auto"
    threads: Annotated[int, _arg("N", "(default: all cores)")] = 0
    out: Annotated[Path | None, _arg("FOLDER", "(default: runs/FAMILY-DATA-TIME)")] = None
    held_out: Annotated[str, _arg("WHICH", "(default: a tenth)")] = ""
    stride: Annotated[int, _arg("N")] = 1
    fit: Fit = "crop"
    box: Annotated[
        tuple[float, float, float, float] | None, _arg("PX PX PX PX", "(default: all)")
    ] = None
    pool: Annotated[int, _arg("N", "(default: new ones endlessly)")] = 0
    snapshot_every: Annotated[int, _arg("N", "(default: about 50 per run)")] = 0
    checkpoint_every: Annotated[int, _arg("N", "(default: about 20 per run)")] = 0
    set: UseAppendAction[Annotated[tuple[str, ...], _arg("FIELD=VALUE")]] = ()
    resume: Annotated[Path | None, _arg("RUN", "")] = None

    def run(self) -> int:
        """Train; return the exit status."""
        self._check()
        from kpcore.cli.progress import Progress
        from kpcore.training import events, launch
        from kpcore.training.trainer import Trainer

        with Progress() as progress:
            if self.resume is not None:
                job = launch.resume(
                    self.resume,
                    steps=self.steps,
                    learning_rate=self.lr,
                    device=None if self.device == "auto" else self.device,
                    threads=self.threads,
                    report=progress.report,
                )
            else:
                job = launch.start(self._request(), self.out, progress.report)
            progress.open(job)
            end = Trainer(job, [progress.tell]).fit()
        if isinstance(end, events.Finished):
            return 0
        return 143 if "SIGTERM" in end.message else 128 + signal.SIGINT

    def _check(self) -> None:
        if self.resume is not None:
            allowed = {"resume", "steps", "lr", "device", "threads"}
            plain = Train()
            for name in self.__dataclass_fields__:
                if name not in allowed and getattr(self, name) != getattr(plain, name):
                    raise InputError(
                        f"--resume goes on with the run's own settings; leave out "
                        f"{'FAMILY' if name == 'family' else '--' + name.replace('_', '-')} or "
                        f"start a new run"
                    )
        elif self.family is None or self.data is None:
            missing = "FAMILY" if self.family is None else "--data"
            raise InputError(
                f"{missing} is missing; write 'kp train FAMILY --data VIDEO_OR_FOLDER_OR_NAME' or "
                f"'kp train --resume RUN'"
            )

    def _request(self) -> TrainRequest:
        return TrainRequest(
            family=self.family or "",
            data=DataChoice(
                self.data or "", self.held_out, self.stride, self.fit, self.box, self.pool
            ),
            preset=self.preset,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.lr,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            snapshot_every=self.snapshot_every,
            checkpoint_every=self.checkpoint_every,
            overrides=self.set,
            command=("kp", *map(shlex.quote, sys.argv[1:])),
            renderer="" if self.renderer is None else str(self.renderer),
            weights="" if self.weights is None else str(self.weights),
        )
