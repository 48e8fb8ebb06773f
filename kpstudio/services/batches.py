"""Encode and reconstruct several frames at once; imports torch, so only a worker may import it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from kpcore.api import Encoding, KeypointModel
from kpcore.latents import Latents

Bytes: TypeAlias = NDArray[np.uint8]


def encode_all(model: KeypointModel, pictures: Sequence[Bytes]) -> list[Encoding]:
    """Return the encoding of each picture (H, W, 3), a batch of one on the CPU."""
    batch = np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
    image = torch.from_numpy(batch).to(_device(model)).float().div_(255.0)
    with torch.inference_mode():
        every = model.encode(image).to("cpu")
    return split(every, len(pictures))


def reconstruct_all(model: KeypointModel, encodings: Sequence[Encoding]) -> list[Bytes]:
    """Return the picture (H, W, 3) of the particles of each encoding."""
    every = joined(encodings).to(_device(model))
    with torch.inference_mode():
        image = model.decode(every.latents, every.context).image
        scaled = image.float().clamp_(0.0, 1.0).mul_(255.0).round_().to(torch.uint8)
    return list(scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy())


def split(every: Encoding, count: int) -> list[Encoding]:
    """Return the encoding of each image of a batch."""
    if count == 1:
        return [every]
    return [
        Encoding(
            every.latents.image(index),
            {name: value[index : index + 1] for name, value in every.context.items()},
        )
        for index in range(count)
    ]


def joined(encodings: Sequence[Encoding]) -> Encoding:
    """Return the encodings of images of one model as that of a batch."""
    first = encodings[0]
    if len(encodings) == 1:
        return first
    context = {
        name: torch.cat([encoding.context[name] for encoding in encodings])
        for name in first.context
    }
    return Encoding(Latents.stack([encoding.latents for encoding in encodings]), context)


def _device(model: KeypointModel) -> torch.device:
    return next(model.parameters()).device
