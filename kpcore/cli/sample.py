"""`kp sample`: pictures that a model draws from its prior, or with the landmarks of given ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from tyro.conf import Positional

from kpcore import checkpoint
from kpcore.cli.encode import framing_rule
from kpcore.errors import CapabilityError, InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8
    from torch import Tensor

    from kpcore.api import KeypointModel, Prior, Redrawing
    from kpcore.latents import Latents

_GAP = 2
_MOST = 1024
"""Pictures of one sheet."""
_COUNT = 8
"""Drawings beside each given picture."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Draw new pictures with a model, and write them as one sheet.

    - kp sample lavae.safetensors -o drawn.png
    - kp sample lavae.safetensors --counts 0 0 0 0 1 1 -o four_or_five.png
    - kp sample generator.safetensors --data faces/ --pictures 4 --count 10 -o faces.png

    LAVAE draws a number of objects, as often as it learned, then places and appearances. LMDIS's
    generator draws pictures that have the landmarks of given ones: a row for each of those, which
    begins with the given picture.

    Attributes:
        checkpoint: A .safetensors file of a model with a prior, written by 'kp train lavae', or of
            a generator, written by 'kp train lmdis-generator'.
        out: The sheet to write, ending in .png.
        counts: Draw 0, 1, 2, ... objects with these probabilities instead of the learned ones;
            they need not add up to 1. LAVAE's paper draws 4 or 5 objects from a model that has
            seen at most 3.
        data: The pictures that a generator takes landmarks from: an image, a video, a folder of
            them, procedural scenes by name, or NAME:PATH of a public data set.
        count: With --data, drawings beside each of its pictures.
        pictures: How many to draw; with --data, how many of its pictures to take, evenly spread.
        seed: Of the draw.
        scale: Enlarge the pictures so many times, in whole pixels.
        device: cpu, cuda, cuda:N, mps or auto.
    """

    checkpoint: Positional[Annotated[Path, tyro.conf.arg(metavar="CHECKPOINT")]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.png")]
    counts: Annotated[tuple[float, ...], tyro.conf.arg(metavar="P")] = ()
    data: Annotated[
        str | None, tyro.conf.arg(metavar="SPEC", help_behavior_hint="(generators alone)")
    ] = None
    count: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint=f"(default: {_COUNT})")
    ] = None
    pictures: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    scale: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    device: str = "auto"

    def run(self) -> int:
        """Draw and write."""
        self._check()
        from kpcore.data.export import save_picture

        model = checkpoint.load(self.checkpoint, self.device)
        if self.data is None:
            latents, drawn = self._drawn(_prior(model, self.checkpoint), model)
            columns = math.ceil(math.sqrt(self.pictures))
            told, numbers = f"{self.pictures} picture(s) drawn", _numbers(latents)
        else:
            redrawing = _redrawing(model, self.checkpoint)
            given = _given(model, self.data, self.pictures)
            drawn = self._redrawn(redrawing, model, given)
            columns = len(drawn) // len(given)
            told, numbers = f"{len(given)} picture(s) drawn {columns - 1} time(s) each", ""
        save_picture(self.out, _sheet(drawn, columns, self.scale))
        Console(highlight=False, soft_wrap=True).print(
            f"{told} with seed {self.seed} written to {self.out}{numbers}", markup=False
        )
        return 0

    def _check(self) -> None:
        """Raise `InputError` for what cannot be drawn by any model."""
        if self.data is None and self.count is not None:
            raise InputError(
                f"--count {self.count} is of the drawings of each picture of --data; name the "
                f"pictures with --data, or use --pictures"
            )
        if self.data is not None and self.counts:
            raise InputError(
                "--counts is for models that draw from a prior; leave it out, or --data"
            )
        if self.count is not None and not 1 <= self.count < _MOST:
            raise InputError(f"--count is {self.count}; use 1 to {_MOST - 1}")
        most = _MOST if self.data is None else _MOST // (1 + (self.count or _COUNT))
        if not 1 <= self.pictures <= most:
            row = "" if self.data is None else ", or fewer drawings of each with --count"
            raise InputError(f"--pictures is {self.pictures}; use 1 to {most}{row}")
        if not 1 <= self.scale <= 8 or self.seed < 0:
            raise InputError(
                f"--scale is {self.scale} and --seed {self.seed}; use 1 to 8, and 0 or more"
            )
        if self.out.suffix != ".png":
            raise InputError(f"'{self.out}' should end in .png")

    def _drawn(
        self, prior: Prior, model: KeypointModel
    ) -> tuple[Latents, UInt8[np.ndarray, "N H W 3"]]:
        """Return what the prior draws."""
        import torch

        with torch.inference_mode():
            latents = prior.sample(self.counts or None, self.pictures, self.seed)
            return latents, _bytes(model.decode(latents).image)

    def _redrawn(
        self, redrawing: Redrawing, model: KeypointModel, given: Float[Tensor, "N 3 H W"]
    ) -> UInt8[np.ndarray, "M H W 3"]:
        """Return each given picture, followed by drawings of its particles."""
        import numpy as np
        import torch

        chance = np.random.default_rng(self.seed)

        def row(picture: Float[Tensor, "1 3 H W"]) -> Iterator[Tensor]:
            yield picture
            encoding = model.encode(picture)
            decode = model.decoder_for(encoding)
            for _ in range(self.count or _COUNT):
                seed = int(chance.integers(2**31))
                yield decode(redrawing.renewed(encoding.latents, seed)).image

        with torch.inference_mode():
            return _bytes(torch.cat([drawn for one in given.split(1) for drawn in row(one)]))


def _prior(model: KeypointModel, path: Path) -> Prior:
    """Return the model as what it must be."""
    from kpcore.api import Prior

    if not isinstance(model, Prior):
        raise _refusal(
            model,
            path,
            "has no prior to draw pictures from; give a checkpoint of 'kp train lavae' or "
            "'kp train lavae-baseline', or one of 'kp train lmdis-generator' and pictures with "
            "--data",
        )
    return model


def _redrawing(model: KeypointModel, path: Path) -> Redrawing:
    """Return the model as what it must be."""
    from kpcore.api import Redrawing

    if not isinstance(model, Redrawing):
        raise _refusal(
            model,
            path,
            "makes one picture of its particles and no other; give a checkpoint of "
            "'kp train lmdis-generator', or leave out --data",
        )
    return model


def _refusal(model: KeypointModel, path: Path, why: str) -> CapabilityError:
    family = model.manifest.family if model.manifest else type(model).__name__
    return CapabilityError(f"'{path.name}' ({family}) {why}")


def _given(model: KeypointModel, spec: str, most: int) -> Float[Tensor, "N 3 H W"]:
    """Return up to `most` pictures of the data as the model sees them, on its device."""
    import numpy as np
    import torch

    from kpcore.data.catalog import open_media, open_source
    from kpcore.data.resample import apply_framing

    rule, size = framing_rule(model), model.capabilities.image_size

    def rows(count: int) -> list[int]:
        return np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()

    if Path(spec).exists():
        media = open_media(Path(spec))
        frames = [media.frame(row) for row in rows(media.count)]
        media.close()
        seen = [apply_framing(rule.resolve(f.shape[:2], size), f) for f in frames]
        pictures = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2)
    else:
        source = open_source(spec, size, split="held-out", framing=rule)
        pictures = source.images(rows(len(source)))
    return pictures.to(next(model.parameters()).device).float() / 255.0


def _numbers(latents: Latents) -> str:
    """How many objects were drawn, where they are counted."""
    if latents.presence is None:
        return ""
    numbers = (latents.presence > 0.5).sum(-1).tolist()
    return f"; objects: {', '.join(f'{numbers.count(n)} of {n}' for n in sorted(set(numbers)))}"


def _bytes(image: Float[Tensor, "N 3 H W"]) -> UInt8[np.ndarray, "N H W 3"]:
    import torch

    levels = (image.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).cpu().numpy()


def _sheet(
    pictures: UInt8[np.ndarray, "N H W 3"], columns: int, scale: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the pictures in rows, on grey."""
    import numpy as np

    tiles = pictures.repeat(scale, 1).repeat(scale, 2)
    count, height, width = tiles.shape[:3]
    rows = math.ceil(count / columns)
    shape = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    sheet = np.full(shape, 96, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = row * (height + _GAP), column * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet
