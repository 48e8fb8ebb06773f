"""`kp sample`: pictures that a model draws from its prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from tyro.conf import Positional

from kpcore import checkpoint
from kpcore.errors import CapabilityError, InputError

if TYPE_CHECKING:
    import numpy as np

    from kpcore.api import KeypointModel, Prior

_GAP = 2
_MOST = 1024
"""Pictures of one sheet."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Draw pictures from a model's prior, and write them as one sheet.

    - kp sample lavae.safetensors -o drawn.png
    - kp sample lavae.safetensors --counts 0 0 0 0 1 1 -o four_or_five.png

    LAVAE draws a number of objects, as often as it learned, then places and appearances.

    Attributes:
        checkpoint: A .safetensors file of a model with a prior, written by 'kp train lavae'.
        out: The sheet to write, ending in .png.
        counts: Draw 0, 1, 2, ... objects with these probabilities instead of the learned ones;
            they need not add up to 1. LAVAE's paper draws 4 or 5 objects from a model that has
            seen at most 3.
        pictures: How many to draw.
        seed: Of the draw.
        scale: Enlarge the pictures so many times, in whole pixels.
        device: cpu, cuda, cuda:N, mps or auto.
    """

    checkpoint: Positional[Annotated[Path, tyro.conf.arg(metavar="CHECKPOINT")]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.png")]
    counts: Annotated[tuple[float, ...], tyro.conf.arg(metavar="P")] = ()
    pictures: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    scale: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    device: str = "auto"

    def run(self) -> int:
        """Draw and write."""
        if not 1 <= self.pictures <= _MOST:
            raise InputError(f"--pictures is {self.pictures}; use 1 to {_MOST}")
        if not 1 <= self.scale <= 8 or self.seed < 0:
            raise InputError(
                f"--scale is {self.scale} and --seed {self.seed}; use 1 to 8, and 0 or more"
            )
        if self.out.suffix != ".png":
            raise InputError(f"'{self.out}' should end in .png")
        import torch

        from kpcore.data.export import save_picture

        model = checkpoint.load(self.checkpoint, self.device)
        prior = _prior(model, self.checkpoint)
        with torch.inference_mode():
            latents = prior.sample(self.counts or None, self.pictures, self.seed)
            drawn = model.decode(latents).image.clamp(0.0, 1.0)
        pictures = (drawn * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        save_picture(self.out, _sheet(pictures, self.scale))
        told = ""
        if latents.presence is not None:
            numbers = (latents.presence > 0.5).sum(-1).tolist()
            each = (f"{numbers.count(n)} of {n}" for n in sorted(set(numbers)))
            told = f"; objects: {', '.join(each)}"
        Console(highlight=False, soft_wrap=True).print(
            f"{self.pictures} picture(s) drawn with seed {self.seed} written to {self.out}{told}",
            markup=False,
        )
        return 0


def _prior(model: KeypointModel, path: Path) -> Prior:
    """Return the model as what it must be."""
    from kpcore.api import Prior

    if not isinstance(model, Prior):
        family = model.manifest.family if model.manifest else type(model).__name__
        raise CapabilityError(
            f"'{path.name}' ({family}) has no prior to draw pictures from; give a checkpoint of "
            f"'kp train lavae' or 'kp train lavae-baseline'"
        )
    return model


def _sheet(pictures: np.ndarray, scale: int) -> np.ndarray:
    """Return the pictures in rows, on grey."""
    import numpy as np

    tiles = pictures.repeat(scale, 1).repeat(scale, 2)
    count, height, width = tiles.shape[:3]
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    shape = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    sheet = np.full(shape, 96, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = row * (height + _GAP), column * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet
