"""`kp change`: the same weights under another configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from tyro.conf import Positional, UseAppendAction

from kpcore import checkpoint
from kpcore.errors import CheckpointError, InputError


@dataclass(frozen=True, slots=True)
class Change:
    """Write a checkpoint with changes of its configuration that its weights allow.

    A TUSK model trained on pictures of three objects finds more of them when asked for more:

    - kp change tusk.safetensors --set keypoints=6 -o tusk-6.safetensors

    The file opens in the studio and with every command. What the weights do not fit is refused.

    Attributes:
        checkpoint: A .safetensors file written by 'kp train' or 'kp import'.
        set: Change a field of the configuration, FIELD=VALUE; may be repeated.
        out: File to write, ending in .safetensors.
    """

    checkpoint: Positional[Annotated[Path, tyro.conf.arg(metavar="CHECKPOINT")]]
    set: UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="FIELD=VALUE")]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")]

    def run(self) -> int:
        """Load with the changes, and write."""
        if not self.set:
            raise InputError("nothing to change; give a field with --set, such as keypoints=6")
        if self.out.suffix != ".safetensors":
            raise InputError(f"'{self.out}' should end in .safetensors")
        model = checkpoint.load(self.checkpoint, changes=self.set)
        if model.manifest is None:
            raise CheckpointError(f"'{self.checkpoint.name}' has no manifest to change")
        checkpoint.save(self.out, model, model.manifest)
        changes = ", ".join(self.set)
        Console(highlight=False, soft_wrap=True).print(
            f"'{self.checkpoint.name}' with {changes} written to {self.out}", markup=False
        )
        return 0
