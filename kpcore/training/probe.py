"""A fixed batch of pictures through which a run can be watched."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import KeypointModel
from kpcore.data.export import npz_bytes
from kpcore.data.source import ImageSource
from kpcore.latents import Latents

PICTURES = 8


def choose(source: ImageSource, count: int = PICTURES) -> UInt8[Tensor, "N 3 H W"]:
    """Return pictures spread evenly over a source."""
    length = len(source)
    return source.images(
        sorted({round(i * (length - 1) / max(1, count - 1)) for i in range(count)})
    )


def originals(pictures: UInt8[Tensor, "N 3 H W"]) -> bytes:
    """Return the probe's own pictures as the bytes of an .npz file."""
    return npz_bytes({"originals": _rows(pictures)})


@torch.no_grad()
def look(model: KeypointModel, pictures: UInt8[Tensor, "N 3 H W"], device: torch.device) -> bytes:
    """Return reconstructions (uint8) and latents of the probe as the bytes of an .npz file.

    The model must be in eval mode; it is not changed.
    """
    image = pictures.to(device).float() / 255.0
    encoding = model.encode(image)
    decoded = model.decode(encoding.latents, encoding.context).image
    arrays = _arrays(encoding.latents)
    arrays["reconstructions"] = _rows((decoded.float() * 255.0).round().to(torch.uint8))
    return npz_bytes(arrays)


def _arrays(latents: Latents) -> dict[str, np.ndarray]:
    return {
        name: value.float().cpu().numpy() if value.is_floating_point() else value.cpu().numpy()
        for name, value in latents.named().items()
    }


def _rows(pictures: UInt8[Tensor, "N 3 H W"]) -> np.ndarray:
    return pictures.permute(0, 2, 3, 1).contiguous().cpu().numpy()
