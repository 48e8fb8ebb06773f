"""The training loop: cycles the phases of any family's model and tells what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kpcore import checkpoint
from kpcore.allocation import keep_freed_memory
from kpcore.api import Batch, KeypointModel, Phase, Progress
from kpcore.configuration import to_plain
from kpcore.data.source import ImageSource
from kpcore.errors import CheckpointError, DeviceError
from kpcore.training import events, probe
from kpcore.training.card import card
from kpcore.training.config import RunRecord
from kpcore.training.device import seed_step
from kpcore.training.event_log import EventLog
from kpcore.training.finite import require_finite
from kpcore.training.frames import Frames, fetch, on_device
from kpcore.training.interruption import Interruption
from kpcore.training.meter import Meter
from kpcore.training.optimisers import Kept, optimiser_of, phase_at, set_rates, unpack
from kpcore.training.order import batches, draw_of_step, indices_of_step
from kpcore.training.snapshots import RunFiles, Standing
from kpcore.training.validation import HeldOut

Listener = Callable[[events.Event], None]
_RESULT = "model.safetensors"
_SETTLING = 200
"""Batches that a model may look at once training has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Everything a run works with.

    Attributes:
        record: What the run is asked to do.
        folder: The run directory.
        model: On its device.
        phases: Of that model.
        source: Pictures to learn from.
        held_out: Pictures kept out of training; None without.
        accelerator: Places modules and joins processes.
        resume: Stem of the checkpoint to go on from; empty for a new run.
    """

    record: RunRecord
    folder: Path
    model: KeypointModel
    phases: Sequence[Phase]
    source: ImageSource
    held_out: ImageSource | None
    accelerator: Accelerator
    resume: str = ""


class _Step(nn.Module):
    """One phase as a module whose forward is its loss, so that many devices can share it."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.module = phase.module
        self._objective = phase.objective

    def forward(
        self, batch: Batch, progress: Progress
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        report = self._objective(batch, progress)
        return report.total, dict(report.terms), dict(report.monitors)


class Trainer:
    """Runs one job to its end, to an interruption or to an error."""

    def __init__(self, job: Job, listeners: Sequence[Listener] = ()) -> None:
        self.job = job
        self._record = job.record
        self._listeners = listeners
        self._files = RunFiles(job.folder)
        self._main = job.accelerator.is_main_process
        self._device = job.accelerator.device
        job.model.train()
        self._steps = [job.accelerator.prepare(_Step(phase)) for phase in job.phases]
        self._optimisers = [optimiser_of(p, job.record.optimisation) for p in job.phases]
        self._kept = Kept(self._optimisers, [phase.memory for phase in job.phases])
        self._step, self._seconds = 0, 0.0
        self._last_good = job.resume
        self._best: float | None = None
        self._validated: tuple[int, float] | None = None
        if job.resume:
            standing, state = self._files.read_state(job.resume)
            unpack(self._kept, state)
            self._step, self._seconds = standing.step, standing.seconds
            pointers = self._files.pointers
            self._best = pointers.best_psnr_db if pointers.best else None
        self._meter = Meter(job.record.optimisation.batch, job.accelerator)
        self._log: EventLog | None = None

    def fit(self) -> events.Finished | events.Stopped:
        """Train to the end, or to Ctrl-C or SIGTERM.

        Raises:
            TrainingError: A loss or weight is not finite, or the run directory is taken.
            CheckpointError: The final checkpoint cannot be written.
            DeviceError: The device is out of memory.
        """
        keep_freed_memory()
        # Weights that no loss asks for decay below 1e-38, where some processors take a hundred
        # times as long.
        torch.set_flush_denormal(True)
        self._log = EventLog(self.job.folder / "events.jsonl") if self._main else None
        self._begun = time.monotonic() - self._seconds
        try:
            with Interruption() as interruption:
                return self._run(interruption)
        except torch.OutOfMemoryError as error:
            message = f"{self._device} is out of memory at step {self._step}; use a smaller --batch"
            self._tell(events.Failed(self._step, message))
            raise DeviceError(message) from error
        except Exception as error:
            self._tell(events.Failed(self._step, str(error) or type(error).__name__))
            raise
        finally:
            if self._log:
                self._log.close()

    # -- the loop ------------------------------------------------------------------------------
    def _run(self, interruption: Interruption) -> events.Finished | events.Stopped:
        total = self._record.optimisation.steps
        self._open()
        seed = self._record.seed
        with closing(batches(self.job.source, self._indices(), seed)) as pictures:
            for batch in self._batches(pictures):
                try:
                    self._advance(batch)
                except Exception:
                    self._require_finite()
                    raise
                if self._step == total:
                    self._settle()
                stop = self._stop(interruption)
                due = self._due(stop)
                if due:
                    self._report()
                if "snapshot" in due:
                    self._snapshot()
                if "validate" in due:
                    self._validate()
                if self._step == total:
                    self._save_result()
                if "checkpoint" in due:
                    self._checkpoint(must=stop or self._step == total)
                self._meter.restart()
                if stop and self._step < total:
                    return self._interrupted(interruption)
        return self._finish()

    def _due(self, stop: bool) -> set[str]:
        """What is to be written after this step, the same in every process."""
        cadence, step = self._record.cadence, self._step
        every = {
            "log": cadence.log,
            "snapshot": cadence.snapshot,
            "validate": cadence.validate,
            "checkpoint": cadence.checkpoint,
        }
        last = step == self._record.optimisation.steps
        due = {name for name, steps in every.items() if last or step % steps == 0}
        return due | ({"log"} if step == 1 else set()) | ({"checkpoint"} if stop else set())

    def _indices(self) -> Iterator[tuple[int, list[int]]]:
        o, source = self._record.optimisation, self.job.source
        length = len(source) if source.description.images else 0
        rank, processes = self.job.accelerator.process_index, self.job.accelerator.num_processes
        if self._step < o.steps:
            first, last = self._draw(self._step), self._draw(o.steps - 1)
            for draw in range(first, last + 1):
                indices = indices_of_step(draw, o.batch, length, self._record.seed, rank, processes)
                yield draw, indices

    def _draw(self, step: int) -> int:
        return draw_of_step(self.job.phases, step)

    def _batches(self, pictures: Iterator[Frames]) -> Iterator[Batch]:
        """Yield the batch of each step; the same one while phases keep it."""
        batch: Batch | None = None
        for step in range(self._step, self._record.optimisation.steps):
            if batch is None or self._draw(step) != self._draw(step - 1):
                batch = on_device(next(pictures), self._device)
            yield batch

    @property
    def _progress(self) -> Progress:
        o = self._record.optimisation
        drawn = self._draw(self._step - 1) + 1 if self._step else 0
        epoch = drawn * o.batch / max(1, len(self.job.source))
        return Progress(self._step, o.steps, epoch)

    def _advance(self, batch: Batch) -> None:
        which = phase_at(self.job.phases, self._step)
        optimiser = self._optimisers[which]
        seed_step(self._record.seed, self._step, self.job.accelerator.process_index)
        rate = self._record.optimisation.rate(self._step)
        set_rates(optimiser, self.job.phases[which], self._progress, rate)
        total, terms, monitors = self._steps[which](batch, self._progress)
        self.job.accelerator.backward(total)
        optimiser.step()
        self.job.model.zero_grad(set_to_none=True)
        self._step += 1
        self._meter.add(self._step, self.job.phases[which].name, total, terms, monitors)

    def _settle(self) -> None:
        """Let the model do what is left, with pictures in the order of training's first steps."""
        o, source = self._record.optimisation, self.job.source
        length = len(source) if source.description.images else 0

        def pictures() -> Iterator[Tensor]:
            for step in range(_SETTLING):
                indices = indices_of_step(step, o.batch, length, self._record.seed)
                frames = fetch(source, indices, (self._record.seed, step))
                yield on_device(frames, self._device).image

        self.job.model.settle(pictures())

    def _require_finite(self) -> None:
        """Raise `TrainingError` when losses or weights have left the finite; asks no process."""
        self._meter.require_finite(self._last_good)
        require_finite(self.job.model, self._step, self._last_good)

    def _stop(self, interruption: Interruption) -> bool:
        """Whether to end now; several processes agree on it when they report."""
        wanted = interruption.signal is not None
        if self.job.accelerator.num_processes == 1:
            return wanted
        if self._step % self._record.cadence.log:
            return False
        flags = self.job.accelerator.gather(torch.tensor([wanted], device=self._device))
        return bool(cast("Tensor", flags).any())

    # -- what is told and written ----------------------------------------------------------------
    def _tell(self, event: events.Event) -> None:
        if self._log is None:
            return
        self._log.append([event])
        for listener in self._listeners:
            listener(event)

    def _open(self) -> None:
        total = self._record.optimisation.steps
        if self.job.resume:
            self._tell(events.Resumed(self._step, total, str(self._device)))
        else:
            trained = {p for phase in self.job.phases for p in phase.module.parameters()}
            count = sum(weight.numel() for weight in trained if weight.requires_grad)
            self._tell(events.Started(total, str(self._device), count))
        watched = self.job.held_out or self.job.source
        self._probe = probe.choose(watched) if self._main else None
        self._held_out = HeldOut(self.job.held_out) if self.job.held_out and self._main else None
        if self._probe is not None and not self.job.resume:
            self._files.write_probe(probe.originals(self._probe))
            self._snapshot()

    def _report(self) -> None:
        rate, epoch = self._record.optimisation.rate(max(0, self._step - 1)), self._progress.epoch
        for event in self._meter.read(self._last_good):
            self._tell(replace(event, learning_rate=rate, epoch=epoch))

    def _manifest(self, card: dict[str, object] | None = None) -> checkpoint.Manifest:
        return checkpoint.Manifest(
            family=self._record.family,
            config=self._record.config,
            step=self._step,
            data=to_plain(self.job.source.description),
            card=card or {},
            contains=checkpoint.contents(self.job.model, self._record.family),
        )

    def _snapshot(self) -> None:
        if self._probe is None:
            return
        require_finite(self.job.model, self._step, self._last_good)
        self.job.model.eval()
        pictures = probe.look(self.job.model, self._probe, self._device)
        self.job.model.train()
        try:
            names = self._files.write_snapshot(pictures, self.job.model, self._manifest())
        except CheckpointError as error:
            self._tell(events.Warned(self._step, f"snapshot left out: {error}"))
            return
        self._tell(events.Snapshot(self._step, *names))

    def _validate(self) -> None:
        if self._held_out is None:
            return
        self.job.model.eval()
        objective = self.job.phases[0].objective
        event = self._held_out.measure(self.job.model, objective, self._progress)
        self.job.model.train()
        self._validated = (self._step, event.psnr_db)
        self._tell(event)

    def _save_result(self) -> None:
        """Store the trained model, before the larger checkpoint can find the disk full."""
        if not self._main:
            return
        require_finite(self.job.model, self._step, self._last_good)
        seconds = time.monotonic() - self._begun
        facts = card(self._record, self._step, seconds, self._meter.last, self._validated)
        checkpoint.save(self.job.folder / _RESULT, self.job.model, self._manifest(facts))

    def _checkpoint(self, must: bool) -> None:
        """Store the run; when it cannot be stored, go on unless it `must` be."""
        if not self._main:
            return
        require_finite(self.job.model, self._step, self._last_good)
        psnr = self._validated[1] if self._validated and self._validated[0] == self._step else None
        best = psnr is not None and (self._best is None or psnr > self._best)
        self._seconds = time.monotonic() - self._begun
        standing = Standing(self._step, self._seconds)
        try:
            file = self._files.write_checkpoint(
                self.job.model, self._manifest(), self._kept, standing, psnr if best else None
            )
        except CheckpointError as error:
            good = f"; the last good checkpoint is {self._last_good}" if self._last_good else ""
            if self._step == self._record.optimisation.steps:
                good = f"; the trained model is in {self.job.folder / _RESULT}{good}"
            if must:
                raise CheckpointError(f"{error}{good}") from error
            self._tell(events.Warned(self._step, f"checkpoint left out: {error}{good}"))
            return
        self._last_good = f"step_{self._step:08d}"
        self._best = psnr if best else self._best
        self._tell(events.CheckpointWritten(self._step, file, best))

    def _interrupted(self, interruption: Interruption) -> events.Stopped:
        event = events.Stopped(
            self._step,
            f"stopped by {interruption.name} after step {self._step}; go on with "
            f"'kp train --resume {self.job.folder}'",
        )
        self._tell(event)
        return event

    def _finish(self) -> events.Finished:
        event = events.Finished(self._step, _RESULT, time.monotonic() - self._begun)
        self._tell(event)
        self.job.accelerator.wait_for_everyone()
        return event
