"""What one step learns from, from a source to the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import Batch
from kpcore.data.source import ImageSource
from kpcore.latents import Latents
from kpcore.training.device import channels_last
from kpcore.training.encoded import EncodedSource


class Frames(NamedTuple):
    """Pictures of some windows, 0..255; see `kpcore.api.Batch`."""

    image: UInt8[Tensor, "B 3 H W"]
    clip: UInt8[Tensor, "B T 3 H W"] | None = None
    reference: UInt8[Tensor, "B 3 H W"] | None = None
    latents: Latents | None = None

    def split(self, size: int) -> list[Frames]:
        """Return the windows in parts of at most `size`."""

        def part(value: Tensor | None, at: int) -> Tensor | None:
            return None if value is None else value[at : at + size]

        def some(latents: Latents | None, at: int) -> Latents | None:
            if latents is None:
                return None
            values = {name: value[at : at + size] for name, value in latents.named().items()}
            return Latents(topology=latents.topology, **values)

        return [
            Frames(
                self.image[at : at + size],
                part(self.clip, at),
                part(self.reference, at),
                some(self.latents, at),
            )
            for at in range(0, len(self.image), size)
        ]


def fetch(source: ImageSource, indices: Sequence[int], draw: tuple[int, int]) -> Frames:
    """Return the windows at `indices`.

    Args:
        source: Where they come from.
        indices: Which.
        draw: What the choice of reference frames depends on beside the index: (seed, step).
    """
    reference = source.references(indices, draw)
    if source.window.frames == 1:
        return Frames(source.images(indices), None, reference)
    clip = source.windows(indices)
    latents = source.latents(indices) if isinstance(source, EncodedSource) else None
    return Frames(clip[:, 0].contiguous(), clip, reference, latents)


def on_device(frames: Frames, device: torch.device) -> Batch:
    """Return the batch that an objective takes, as floats in [0, 1]."""

    def moved(pictures: Tensor) -> Tensor:
        if device.type == "cuda":
            pictures = pictures.pin_memory()
        pictures = pictures.to(device, non_blocking=True)
        if pictures.ndim == 4 and channels_last(device):
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        return pictures.float().div_(255.0)

    return Batch(
        moved(frames.image),
        None if frames.reference is None else moved(frames.reference),
        None if frames.clip is None else moved(frames.clip),
        None if frames.latents is None else frames.latents.to(device),
    )
