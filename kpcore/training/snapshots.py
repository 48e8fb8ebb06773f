"""What a run leaves on disk: snapshots to look at and drag, checkpoints to resume from.

    RUN/config.json                            the record
    RUN/events.jsonl                           what happened (see `kpcore.training.events`)
    RUN/snapshots/probe.npz                    the probe's own pictures
    RUN/snapshots/step_00000100.npz            its reconstructions and latents: every one is kept
    RUN/snapshots/step_00000100.safetensors    half-precision weights: at most `WEIGHTS_KEPT`,
                                               thinned evenly over the run, first and last kept
    RUN/checkpoints/step_00000100.safetensors  full weights: the last two and the best
    RUN/checkpoints/step_00000100.state.safetensors   what optimisers and objectives keep
    RUN/checkpoints/pointers.json              names of the last and the best
    RUN/model.safetensors                      the result

Every file appears whole or not at all, and nothing is removed before its successor is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kpcore import checkpoint
from kpcore.configuration import from_plain, to_plain
from kpcore.errors import InputError, TrainingError
from kpcore.training.optimisers import Kept, pack

if TYPE_CHECKING:
    from torch import Tensor

    from kpcore.api import KeypointModel

WEIGHTS_KEPT = 64
CHECKPOINTS_KEPT = 2
_STATE = "keypoint_studio_state"


@dataclass(frozen=True, slots=True)
class Pointers:
    """Which checkpoints matter.

    Attributes:
        last: Stem of the newest checkpoint.
        best: Stem of the one with the highest held-out PSNR; empty without held-out data.
        best_psnr_db: That PSNR.
    """

    last: str = ""
    best: str = ""
    best_psnr_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a checkpointed run stood.

    Attributes:
        step: Optimiser steps done.
        seconds: Wall time spent so far.
    """

    step: int
    seconds: float = 0.0


class RunFiles:
    """Writes one run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checkpoints = folder / "checkpoints"
        self._snapshots = folder / "snapshots"

    # -- snapshots -----------------------------------------------------------------------------
    def write_probe(self, originals: bytes) -> None:
        """Store the probe's own pictures."""
        checkpoint.write_atomically(self._snapshots / "probe.npz", originals)

    def write_snapshot(
        self, pictures: bytes, model: KeypointModel, manifest: checkpoint.Manifest
    ) -> tuple[str, str]:
        """Store a snapshot; return its picture and weight files relative to the run.

        Raises:
            CheckpointError: The folder is read-only or full.
        """
        stem = f"step_{manifest.step:08d}"
        checkpoint.write_atomically(self._snapshots / f"{stem}.npz", pictures)
        weights = self._snapshots / f"{stem}.safetensors"
        checkpoint.save(weights, model, manifest, half_type(model))
        self._thin()
        return f"snapshots/{stem}.npz", f"snapshots/{stem}.safetensors"

    def _thin(self) -> None:
        weights = sorted(self._snapshots.glob("step_*.safetensors"))
        while len(weights) > WEIGHTS_KEPT:
            steps = [step_of(path) for path in weights]
            least = min(
                range(1, len(weights) - 1), key=lambda i: (steps[i + 1] - steps[i - 1], steps[i])
            )
            weights.pop(least).unlink(missing_ok=True)

    # -- checkpoints ---------------------------------------------------------------------------
    @property
    def pointers(self) -> Pointers:
        """The last and the best checkpoint."""
        try:
            text = (self._checkpoints / "pointers.json").read_text("utf-8")
            pointers = from_plain(Pointers, json.loads(text))
        except (OSError, ValueError, InputError):
            pointers = Pointers()
        return pointers if self._whole(pointers.last) else replace(pointers, last=self._newest())

    def _newest(self) -> str:
        states = sorted(self._checkpoints.glob("step_*.state.safetensors"))
        stems = [path.name.removesuffix(".state.safetensors") for path in states]
        return next((stem for stem in reversed(stems) if self._whole(stem)), "")

    def _whole(self, stem: str) -> bool:
        return self.weights(stem).is_file() and self._state(stem).is_file()

    def weights(self, stem: str) -> Path:
        """Return the weight file of a checkpoint."""
        return self._checkpoints / f"{stem}.safetensors"

    def _state(self, stem: str) -> Path:
        return self._checkpoints / f"{stem}.state.safetensors"

    def write_checkpoint(
        self,
        model: KeypointModel,
        manifest: checkpoint.Manifest,
        kept: Kept,
        standing: Standing,
        best_psnr_db: float | None,
    ) -> str:
        """Store all that a resumed run needs; return the weight file relative to the run.

        Args:
            model: Its full weights are stored.
            manifest: What the file says of itself.
            kept: Optimisers and memories of the phases.
            standing: Where the run stands.
            best_psnr_db: Held-out PSNR when it is the best so far, else None.

        Raises:
            CheckpointError: The folder is read-only or full; older checkpoints stay as they are.
        """
        from safetensors.torch import save

        stem, before = f"step_{standing.step:08d}", self.pointers
        metadata = {_STATE: json.dumps(to_plain(standing))}
        blob = save(pack(kept), metadata=metadata)
        checkpoint.write_atomically(self._state(stem), blob)
        checkpoint.save(self.weights(stem), model, manifest)
        pointers = (
            Pointers(stem, before.best, before.best_psnr_db)
            if best_psnr_db is None
            else Pointers(stem, stem, best_psnr_db)
        )
        text = json.dumps(to_plain(pointers), indent=1)
        checkpoint.write_atomically(self._checkpoints / "pointers.json", text.encode())
        self._forget(pointers)
        return f"checkpoints/{stem}.safetensors"

    def _forget(self, pointers: Pointers) -> None:
        stems = sorted(path.stem for path in self._checkpoints.glob("step_*.safetensors"))
        stems = [stem for stem in stems if not stem.endswith(".state")]
        kept = {*stems[-CHECKPOINTS_KEPT:], pointers.last, pointers.best}
        for stem in stems:
            if stem not in kept:
                self.weights(stem).unlink(missing_ok=True)
                self._state(stem).unlink(missing_ok=True)

    def read_state(self, stem: str) -> tuple[Standing, Mapping[str, Tensor]]:
        """Return where a checkpointed run stood and its optimisers' state.

        Raises:
            TrainingError: The state is absent or damaged.
        """
        from safetensors import SafetensorError, safe_open

        path = self._state(stem)
        try:
            with safe_open(path, framework="pt") as file:
                metadata: dict[str, Any] = file.metadata() or {}
                standing = from_plain(Standing, json.loads(metadata.get(_STATE, "null")))
                return standing, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, InputError) as error:
            raise TrainingError(
                f"the optimiser state '{path}' cannot be read: {error}; delete it to resume from "
                f"the checkpoint before"
            ) from error


def step_of(path: Path) -> int:
    """Return the step in a name like step_00000100.safetensors."""
    return int(path.name.removeprefix("step_").split(".", 1)[0])


def half_type(model: KeypointModel) -> torch.dtype:
    """Return float16 where every weight fits it, else bfloat16."""
    limit = torch.finfo(torch.float16).max
    fits = all(
        not value.numel() or float(value.detach().abs().max()) < limit
        for value in model.state_dict().values()
        if value.is_floating_point()
    )
    return torch.float16 if fits else torch.bfloat16
