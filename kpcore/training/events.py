"""What happens in a run, one JSON line each; the only thing that trainer and studio share.

The file only grows. A reader keeps a byte offset and asks again; a line that is not yet whole is
left for the next time, a damaged line is passed over. Free of torch.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from kpcore.configuration import from_plain, to_plain
from kpcore.errors import InputError, TrainingError
from kpcore.training.config import RunRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins. `parameters` is the number of trained weights."""

    steps: int
    device: str = "cpu"
    parameters: int = 0
    step: int = 0
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run goes on after `step` steps; what was told of later steps is void."""

    step: int
    steps: int
    device: str = "cpu"
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Loss and its terms, averaged over the steps of `phase` since the last such event."""

    step: int
    epoch: float
    phase: str
    loss: float
    terms: Mapping[str, float] = field(default_factory=dict[str, float])
    monitors: Mapping[str, float] = field(default_factory=dict[str, float])
    learning_rate: float = 0.0
    images_per_s: float = 0.0
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Validation:
    """Loss and PSNR of the plain reconstruction over held-out pictures."""

    step: int
    loss: float
    psnr_db: float
    terms: Mapping[str, float] = field(default_factory=dict[str, float])
    images: int = 0
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Probe pictures, and weights to drag with; paths are relative to the run directory."""

    step: int
    pictures: str
    weights: str = ""
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class CheckpointWritten:
    """The run can be resumed from here; `best` by held-out PSNR so far."""

    step: int
    file: str
    best: bool = False
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something went wrong that does not end the run."""

    step: int
    message: str
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Finished:
    """All steps are done; `file` is the final checkpoint."""

    step: int
    file: str
    seconds: float = 0.0
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Stopped:
    """The user ended the run; it can be resumed."""

    step: int
    message: str
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Failed:
    """The run cannot go on; the message says why."""

    step: int
    message: str
    time: float = field(default_factory=time.time)


Event: TypeAlias = (
    Started
    | Resumed
    | Metrics
    | Validation
    | Snapshot
    | CheckpointWritten
    | Warned
    | Finished
    | Stopped
    | Failed
)

_KINDS: Mapping[str, type[Event]] = {
    "started": Started,
    "resumed": Resumed,
    "step": Metrics,
    "validation": Validation,
    "snapshot": Snapshot,
    "checkpoint": CheckpointWritten,
    "warned": Warned,
    "finished": Finished,
    "stopped": Stopped,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(event: Event) -> bytes:
    """Return the event as one line of JSON; numbers that are not finite are left out."""
    plain = {"event": _NAMES[type(event)], **to_plain(event)}
    return json.dumps(_finite(plain), ensure_ascii=False).encode() + b"\n"


def _finite(plain: dict[str, object]) -> dict[str, object]:
    return {
        name: _finite(value) if isinstance(value, dict) else value
        for name, value in plain.items()
        if not (isinstance(value, float) and not math.isfinite(value))
    }


def from_line(line: bytes) -> Event | None:
    """Return the event on a line, or None when it is damaged or of a later version."""
    try:
        plain = json.loads(line)
        kind = _KINDS.get(str(plain.pop("event"))) if isinstance(plain, dict) else None
        return from_plain(kind, plain) if kind else None
    except (ValueError, KeyError, InputError) as error:
        _log.debug("passed over an event: %s", error)
        return None


def read_events(path: str | os.PathLike[str], offset: int = 0) -> tuple[list[Event], int]:
    """Return the events after byte `offset`, and the offset for the next call.

    A file that is absent gives nothing; one that became shorter is read from its start.
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size < offset:
                offset = 0
            file.seek(offset)
            block = file.read()
    except FileNotFoundError:
        return [], 0
    whole = block[: block.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if line and (event := from_line(line))]
    return events, offset + len(whole)


# -- a run directory, read ---------------------------------------------------------------------
Status: TypeAlias = Literal["empty", "running", "finished", "stopped", "failed"]
_END: Mapping[type[Event], Status] = {Finished: "finished", Stopped: "stopped", Failed: "failed"}


@dataclass(frozen=True, slots=True)
class ProbePictures:
    """The fixed probe batch as the model saw it at one step.

    Attributes:
        originals: (N, H, W, 3) uint8.
        reconstructions: (N, H, W, 3) uint8.
        latents: Field name of `kpcore.latents.Latents` -> array with N in front.
    """

    originals: np.ndarray
    reconstructions: np.ndarray
    latents: Mapping[str, np.ndarray]


class Run:
    """A run directory, also one that is still being written; call `refresh` for what is new."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Open a run directory.

        Raises:
            TrainingError: It is not one, or its `config.json` is damaged.
        """
        self.folder = Path(folder)
        self.record = read_record(self.folder)
        self.events: list[Event] = []
        self._offset = 0
        self.refresh()

    def refresh(self) -> list[Event]:
        """Read and return the events that are new; a resumed run takes back what it repeats."""
        fresh, self._offset = read_events(self.folder / "events.jsonl", self._offset)
        for event in fresh:
            if isinstance(event, Resumed):
                self.events = [old for old in self.events if old.step <= event.step]
            self.events.append(event)
        return fresh

    @property
    def metrics(self) -> list[Metrics]:
        """Training loss along the run, in order of steps."""
        return [event for event in self.events if isinstance(event, Metrics)]

    @property
    def validations(self) -> list[Validation]:
        """Held-out figures along the run."""
        return [event for event in self.events if isinstance(event, Validation)]

    @property
    def snapshots(self) -> list[Snapshot]:
        """Probe pictures along the run."""
        return [event for event in self.events if isinstance(event, Snapshot)]

    @property
    def status(self) -> Status:
        """How the run stands by its last word ("running" also when it was killed outright)."""
        for event in reversed(self.events):
            if type(event) in _END:
                return _END[type(event)]
            if isinstance(event, Started | Resumed | Metrics):
                return "running"
        return "empty"

    @property
    def message(self) -> str:
        """Why the run stopped or failed, or its last warning; empty when there is none."""
        for event in reversed(self.events):
            if isinstance(event, Stopped | Failed | Warned):
                return event.message
        return ""

    @property
    def step(self) -> int:
        """The last step told of."""
        return max((event.step for event in self.events), default=0)

    def curves(self) -> dict[str, tuple[list[int], list[float]]]:
        """Return each figure as (steps, values): loss, terms, monitors, speed, held-out."""
        curves: dict[str, tuple[list[int], list[float]]] = {}

        def add(name: str, step: int, value: float) -> None:
            steps, values = curves.setdefault(name, ([], []))
            steps.append(step)
            values.append(value)

        for event in self.metrics:
            named = {"loss": event.loss, **event.terms, **event.monitors}
            named |= {"learning rate": event.learning_rate, "images/s": event.images_per_s}
            for name, value in named.items():
                add(name, event.step, value)
        for event in self.validations:
            named = {"loss": event.loss, "psnr_db": event.psnr_db, **event.terms}
            for name, value in named.items():
                add(f"held-out {name}", event.step, value)
        return curves

    def weights(self, snapshot: Snapshot) -> Path | None:
        """Return the checkpoint to drag with at that step, or None when it was thinned out."""
        path = self.folder / snapshot.weights
        return path if snapshot.weights and path.is_file() else None

    def pictures(self, snapshot: Snapshot) -> ProbePictures:
        """Return the probe pictures of a snapshot.

        Raises:
            TrainingError: The file is absent or damaged.
        """
        return read_pictures(self.folder, snapshot)


def read_pictures(folder: Path, snapshot: Snapshot) -> ProbePictures:
    """Return the probe pictures of a snapshot of the run in `folder`, without reading its events.

    Raises:
        TrainingError: The file is absent or damaged.
    """
    try:
        with np.load(folder / "snapshots" / "probe.npz", allow_pickle=False) as file:
            originals = file["originals"]
        with np.load(folder / snapshot.pictures, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return ProbePictures(originals, arrays.pop("reconstructions"), arrays)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"the probe pictures of step {snapshot.step} in '{folder}' cannot be read: {error}"
        ) from error


def read_record(folder: Path) -> RunRecord:
    """Return the `config.json` of a run directory.

    Raises:
        TrainingError: It is absent or damaged.
    """
    path = folder / "config.json"
    try:
        return from_plain(RunRecord, json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise TrainingError(
            f"'{folder}' is not a run directory: it has no config.json that can be read "
            f"({error.strerror or error}); give the folder that 'kp train' wrote"
        ) from error
    except (ValueError, InputError) as error:
        raise TrainingError(f"'{path}' is damaged: {error}") from error
