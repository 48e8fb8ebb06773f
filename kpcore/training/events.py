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
from typing import TypeAlias

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


def read_pictures(folder: Path, snapshot: Snapshot) -> ProbePictures:
    """Return the probe pictures of a snapshot of the run in `folder`.

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
