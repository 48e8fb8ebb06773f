"""`kp encode`: particles of pictures, for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.progress import track
from tyro.conf import Positional, UseAppendAction

from kpcore import checkpoint
from kpcore.errors import DataError, InputError

if TYPE_CHECKING:
    from kpcore.api import KeypointModel
    from kpcore.data.media import Media
    from kpcore.geometry.framing import Framing, FramingRule
    from kpcore.latents import Latents


@dataclass(frozen=True, slots=True)
class Encode:
    """Write the particles of an image, a folder of images or a video.

    Positions are given in unit coordinates and in pixels of the model's and of the source picture.

    Attributes:
        checkpoint: A .safetensors file written by 'kp train' or 'kp import'.
        input: Image, folder of images or videos, or video.
        out: One .npz or .csv file for all frames; any other name is a folder with an .npz and a
            reconstruction .png per frame.
        pictures: Also write the reconstruction of every frame into this folder, as .png.
        every: Use every n-th frame.
        batch: Frames encoded at once.
        set: Change a field of the model's configuration that its weights allow, FIELD=VALUE; may be
            repeated. keypoints=12 asks a TUSK model for more keypoints than it was trained with.
        device: cpu, cuda, cuda:N, mps or auto.
    """

    checkpoint: Positional[Annotated[Path, tyro.conf.arg(metavar="CHECKPOINT")]]
    input: Positional[Annotated[Path, tyro.conf.arg(metavar="INPUT")]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")]
    pictures: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    every: int = 1
    batch: int = 16
    set: UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="FIELD=VALUE")]] = ()
    device: str = "auto"

    def run(self) -> int:
        """Encode and write."""
        for name in ("every", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} is {getattr(self, name)}; use at least 1")
        single = self.out.suffix.lower() in (".npz", ".csv")
        if not single and (self.out.suffix or self.out.is_file()) and not self.out.is_dir():
            raise InputError(
                f"'{self.out}' should be a file that ends in .npz or .csv, or a folder, which has "
                f"no ending"
            )
        from kpcore.data.export import save_latents
        from kpcore.data.media import open_media
        from kpcore.latents import Latents

        media = open_media(self.input)
        model = checkpoint.load(self.checkpoint, self.device, self.set)
        pictures = self.pictures if single else self.out
        parts: list[Latents] = []
        frames: list[int] = []
        framing = None
        rule = framing_rule(model)
        for numbers, framings, latents in _encoded(self, model, media, rule, pictures):
            if single:
                framing = _one_framing(framing, numbers, framings)
                parts.append(latents)
            else:
                for place, (number, own) in enumerate(zip(numbers, framings, strict=True)):
                    path = self.out / f"frame_{number:06d}.npz"
                    save_latents(path, latents.image(place), own, [number])
            frames += numbers
        if single and framing is not None:
            save_latents(self.out, Latents.stack(parts), framing, frames)
        media.close()
        noted = f" ({'; '.join(media.notes)})" if media.notes else ""
        Console(highlight=False, soft_wrap=True).print(
            f"{len(frames)} frame(s) of '{media.name}'{noted} encoded to {self.out}", markup=False
        )
        return 0


def framing_rule(model: KeypointModel) -> FramingRule:
    """Return how the checkpoint's training pictures were framed."""
    from kpcore.configuration import from_plain
    from kpcore.geometry.framing import FramingRule

    data = model.manifest.data if model.manifest else {}
    return from_plain(FramingRule, data.get("framing") or {})


def _encoded(
    command: Encode, model: KeypointModel, media: Media, rule: FramingRule, pictures: Path | None
) -> Iterator[tuple[list[int], list[Framing], Latents]]:
    """Yield frame numbers, framings and particles, batch by batch; write reconstructions."""
    import numpy as np
    import torch

    from kpcore.data.export import save_picture
    from kpcore.data.resample import apply_framing

    device = next(model.parameters()).device
    frames = list(range(0, media.count, command.every))
    starts = range(0, len(frames), command.batch)
    console = Console(stderr=True)
    quiet = not console.is_terminal
    for start in track(starts, "encoding", console=console, transient=True, disable=quiet):
        numbers = frames[start : start + command.batch]
        sources = [media.frame(number) for number in numbers]
        size = model.capabilities.image_size
        framings = [rule.resolve((s.shape[0], s.shape[1]), size) for s in sources]
        seen = [apply_framing(f, s) for f, s in zip(framings, sources, strict=True)]
        image = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2).to(device).float() / 255.0
        with torch.inference_mode():
            encoding = model.encode(image)
            if pictures is not None:
                decoded = model.decode(encoding.latents, encoding.context).image
                bytes_ = (decoded * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
                for number, picture in zip(numbers, bytes_, strict=True):
                    save_picture(pictures / f"frame_{number:06d}.png", picture)
        yield numbers, framings, encoding.latents.to("cpu")


def _one_framing(framing: Framing | None, numbers: list[int], framings: list[Framing]) -> Framing:
    """Return the framing that all frames share."""
    first = framing or framings[0]
    for number, own in zip(numbers, framings, strict=True):
        if own != first:
            high, wide = own.source_size
            raise DataError(
                f"frame {number} is {wide} x {high}, the first is {first.source_size[1]} x "
                f"{first.source_size[0]}; give a folder with -o, which takes frames of any sizes"
            )
    return first
