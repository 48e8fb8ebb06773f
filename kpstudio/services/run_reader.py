"""What a run directory says: its figures as columns of numbers, its snapshots, how it stands.

Reads the run's `events.jsonl` as it grows; free of threads.
"""

from __future__ import annotations

import logging
import time
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kpcore.training.events import (
    Event,
    Failed,
    Finished,
    Metrics,
    Resumed,
    Snapshot,
    Started,
    Stopped,
    Validation,
    Warned,
    from_line,
    read_events,
    read_record,
)

logger = logging.getLogger(__name__)

Status: TypeAlias = Literal["empty", "running", "finished", "stopped", "failed", "stale"]

STALE_S = 120.0
"""A run that says nothing for so long may have been killed."""

_TAIL_BYTES = 16_384
_SIBLINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One figure along a run, in the order of steps."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def at(self, step: int) -> float | None:
        """Return the value in force at a step, or None before the first."""
        place = int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(self.values[place]) if place >= 0 else None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the list of runs."""

    path: Path
    status: Status
    step: int = 0
    images_per_s: float = 0.0
    message: str = ""

    @property
    def name(self) -> str:
        """Shown name."""
        return self.path.name


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """All that is known of a run at one time.

    Attributes:
        summary: Its line in the list.
        steps: Steps of the whole run.
        curves: Figures by name: "loss", terms, monitors; "held-out ..." for those over held-out
            pictures.
        snapshots: In order of their steps.
        family: Registry name.
        preset: Where its configuration came from.
        device: Where it computes.
        images_per_s: As last told.
        seconds_left: At the present speed; None when it does not run.
    """

    summary: RunSummary
    steps: int = 0
    curves: Mapping[str, Curve] = field(default_factory=dict[str, Curve])
    snapshots: tuple[Snapshot, ...] = ()
    family: str = ""
    preset: str = ""
    device: str = ""
    images_per_s: float = 0.0
    seconds_left: float | None = None

    @property
    def path(self) -> Path:
        """The run's directory."""
        return self.summary.path

    def snapshot_at(self, step: int) -> Snapshot | None:
        """Return the last snapshot not after `step` (the first one before that)."""
        if not self.snapshots:
            return None
        steps = [snapshot.step for snapshot in self.snapshots]
        return self.snapshots[max(0, bisect_right(steps, step) - 1)]

    def weights(self, snapshot: Snapshot) -> Path | None:
        """Return the checkpoint of a snapshot, or None when it was thinned out."""
        path = self.path / snapshot.weights
        return path if snapshot.weights and path.is_file() else None

    @property
    def probe(self) -> Path:
        """The file of the probe's own pictures."""
        return self.path / "snapshots" / "probe.npz"


class RunReader:
    """Reads one run's events as they come, into columns of numbers: some 20 bytes per figure."""

    def __init__(self, folder: str | Path) -> None:
        """Open a run directory.

        Raises:
            TrainingError: It is not one.
        """
        self.folder = Path(folder)
        self.record = read_record(self.folder)
        self._offset = 0
        self._columns: dict[str, tuple[array[int], array[float]]] = {}
        self._snapshots: dict[int, Snapshot] = {}
        self._status: Status = "empty"
        self._message = ""
        self._step = 0
        self._images_per_s = 0.0
        self._device = ""
        self._told_at = 0.0
        self._paces: list[tuple[int, float]] = []

    def refresh(self) -> bool:
        """Read what is new; return whether anything was."""
        fresh, offset = read_events(self.folder / "events.jsonl", self._offset)
        if offset < self._offset:
            self._forget_after(-1)
        self._offset = offset
        for event in fresh:
            self._take(event)
        return bool(fresh)

    def status(self, now: float) -> Status:
        """Return how the run stands at `now`, in seconds since 1970."""
        is_silent = self._status == "running" and now - self._told_at > STALE_S
        return "stale" if is_silent else self._status

    def snapshot(self, step: int) -> Snapshot | None:
        """Return the snapshot of exactly that step."""
        return self._snapshots.get(step)

    def state(self, now: float) -> RunState:
        """Return what is known, as a value.

        Args:
            now: Seconds since 1970.
        """
        status = self.status(now)
        curves = {
            name: Curve(np.array(steps, np.int64), np.array(values, np.float64))
            for name, (steps, values) in self._columns.items()
        }
        steps = self.record.optimisation.steps
        summary = RunSummary(self.folder, status, self._step, self._images_per_s, self._message)
        return RunState(
            summary,
            steps,
            curves,
            tuple(self._snapshots[step] for step in sorted(self._snapshots)),
            self.record.family,
            self.record.preset,
            self._device,
            self._images_per_s,
            self._seconds_left(steps) if status == "running" else None,
        )

    def _take(self, event: Event) -> None:
        self._told_at = max(self._told_at, event.time)
        if isinstance(event, Resumed):
            self._forget_after(event.step)
        self._step = max(self._step, event.step)
        if isinstance(event, Started | Resumed):
            self._device, self._status, self._message = event.device, "running", ""
            self._paces.clear()
        elif isinstance(event, Metrics):
            self._status = "running"
            self._images_per_s = event.images_per_s
            self._paces = [*self._paces[-19:], (event.step, event.time)]
            self._add(event.step, {"loss": event.loss, **event.terms, **event.monitors})
        elif isinstance(event, Validation):
            named = {"loss": event.loss, "psnr_db": event.psnr_db, **event.terms}
            self._add(event.step, {f"held-out {name}": value for name, value in named.items()})
        elif isinstance(event, Snapshot):
            self._snapshots[event.step] = event
        elif isinstance(event, Finished):
            self._status, self._message = "finished", ""
        elif isinstance(event, Stopped | Failed):
            self._status = "stopped" if isinstance(event, Stopped) else "failed"
            self._message = event.message
        elif isinstance(event, Warned):
            self._message = event.message

    def _add(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            steps, values = self._columns.setdefault(name, (array("q"), array("d")))
            steps.append(step)
            values.append(value)

    def _forget_after(self, step: int) -> None:
        """A resumed run repeats what came after its checkpoint."""
        for steps, values in self._columns.values():
            kept = bisect_right(steps, step)
            del steps[kept:], values[kept:]
        self._snapshots = {at: shot for at, shot in self._snapshots.items() if at <= step}
        self._step = max(0, step)

    def _seconds_left(self, steps: int) -> float | None:
        if len(self._paces) < 2:
            return None
        (first, began), (last, ended) = self._paces[0], self._paces[-1]
        return (steps - last) * (ended - began) / (last - first) if last > first else None


def summarise_folder(parent: Path) -> tuple[RunSummary, ...]:
    """Return the runs in a folder, the last written first, by the ends of their event files."""
    found: list[tuple[float, RunSummary]] = []
    try:
        for child in parent.iterdir():
            events = child / "events.jsonl"
            if (child / "config.json").is_file() and events.is_file():
                found.append((events.stat().st_mtime, _summarise(child, events)))
    except OSError as error:
        logger.debug("cannot list '%s': %s", parent, error)
    found.sort(key=lambda item: -item[0])
    return tuple(summary for _, summary in found[:_SIBLINGS])


def _summarise(folder: Path, events: Path) -> RunSummary:
    with events.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read().split(b"\n")
    status: Status = "empty"
    message, step, told_at, speed = "", 0, 0.0, 0.0
    for event in (from_line(line) for line in lines if line):
        if event is None:
            continue
        step, told_at = event.step, event.time
        if isinstance(event, Finished):
            status = "finished"
        elif isinstance(event, Stopped | Failed):
            status = "stopped" if isinstance(event, Stopped) else "failed"
            message = event.message
        elif isinstance(event, Started | Resumed | Metrics):
            status, message = "running", ""
            speed = event.images_per_s if isinstance(event, Metrics) else speed
    if status == "running" and time.time() - told_at > STALE_S:
        status = "stale"
    return RunSummary(folder, status, step, speed, message)
