"""Pictures as bytes that a canvas paints without converting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

GAIN = 3
"""How much a difference is amplified."""

_LIGHTER = np.array([0x5A, 0xA2, 0xFF], np.uint16)
_DARKER = np.array([0xEF, 0x6F, 0x6C], np.uint16)


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values of [0, 1] as bytes, rounded as torch does."""
    return np.rint(np.clip(values, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)


def picture_bytes(image: Tensor) -> NDArray[np.uint8]:
    """Return the first picture of a batch (B, 3, H, W) in [0, 1] as contiguous (H, W, 3)."""
    import torch

    scaled = image[0].float().clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous().cpu().numpy()


def difference(edited: NDArray[np.uint8], reconstruction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return where two pictures differ, on black.

    Blue where the edit made it lighter, red where darker; `GAIN` times as strong as the change of
    the channel that differs most.
    """
    change = edited.astype(np.int16) - reconstruction
    strength = np.minimum(np.abs(change).max(axis=2) * GAIN, 255).astype(np.uint16)
    lighter = change.sum(axis=2, dtype=np.int16) >= 0
    colour = np.where(lighter[..., None], _LIGHTER, _DARKER)
    return (colour * strength[..., None] // 255).astype(np.uint8)
