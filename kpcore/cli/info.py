"""`kp info`: what a checkpoint says of itself."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from kpcore import checkpoint
from kpcore.configuration import to_plain


@dataclass(frozen=True, slots=True)
class Info:
    """Show a checkpoint's family, configuration, data and figures, without loading it.

    Attributes:
        checkpoint: A .safetensors file written by 'kp train' or 'kp import'.
        json: Print one JSON object instead of a table.
    """

    checkpoint: Positional[Annotated[Path, tyro.conf.arg(metavar="CHECKPOINT")]]
    json: bool = False

    def run(self) -> int:
        """Print what the file says."""
        manifest = checkpoint.read_manifest(self.checkpoint)
        shapes = checkpoint.read_shapes(self.checkpoint)
        plain = to_plain(manifest)
        plain["weights"] = sum(math.prod(shape) for shape in shapes.values())
        plain["tensors"] = len(shapes)
        plain["bytes"] = self.checkpoint.stat().st_size
        console = Console(highlight=False, soft_wrap=True)
        if self.json:
            console.print(json.dumps(plain, ensure_ascii=False), markup=False)
            return 0
        table = Table(show_header=False)
        for name, value in _rows(plain):
            table.add_row(name, value)
        console.print(table)
        return 0


def _rows(plain: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in plain.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{name} ")
        elif isinstance(value, float):
            rows.append((prefix + name, f"{value:.6g}"))
        else:
            rows.append((prefix + name, str(value)))
    return rows
