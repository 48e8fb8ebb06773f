"""`kp import`: published weights as our checkpoint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from tyro.conf import Positional

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.errors import InputError

_IMPORTERS = {"dlp": "kpcore.models.dlp.published"}


@dataclass(frozen=True, slots=True)
class Import:
    """Convert weights as a paper's authors publish them; code inside the file is never run.

    kp import dlp FILE.pth -o OUT.safetensors

    Attributes:
        paper: Whose weights: dlp, Deep Latent Particles.
        file: The authors' file.
        out: Checkpoint to write, ending in .safetensors.
        sigma: Standard deviation of heatmaps and proposals, which the file does not tell.
        mask_threshold: Of the Masked model's heatmaps, which the file does not tell.
        prior_kept: Proposals kept by the prior's distance filter; only training asks for it.
        force: Replace OUT when it exists.
    """

    paper: Positional[Literal["dlp"]]
    file: Positional[Annotated[Path, tyro.conf.arg(metavar="FILE")]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")]
    sigma: Annotated[
        float | None,
        tyro.conf.arg(
            metavar="FLOAT", help_behavior_hint="(default: 0.1, as in all published models)"
        ),
    ] = None
    mask_threshold: Annotated[
        float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="(default: 0.2)")
    ] = None
    prior_kept: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: the family's)")
    ] = None
    force: bool = False

    def run(self) -> int:
        """Read, convert, write."""
        if self.out.suffix != ".safetensors":
            raise InputError(f"'{self.out}' should end in .safetensors")
        if self.out.exists() and not self.force:
            raise InputError(f"'{self.out}' exists; choose another -o or add --force")
        importer = import_module(_IMPORTERS[self.paper])
        said = {name: getattr(self, name) for name in ("sigma", "mask_threshold", "prior_kept")}
        unsaid = importer.Unsaid(**{k: value for k, value in said.items() if value is not None})
        family, config, model = importer.import_checkpoint(self.file, unsaid)
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        card = {"imported_from": self.file.name, "imported_sha256": digest}
        manifest = checkpoint.Manifest(family=family, config=to_plain(config), card=card)
        checkpoint.save(self.out, model, manifest)
        weights = sum(weight.numel() for weight in model.parameters()) / 1e6
        Console(highlight=False, soft_wrap=True).print(
            f"{family}, {weights:.2f} M weights, written to {self.out}", markup=False
        )
        return 0
