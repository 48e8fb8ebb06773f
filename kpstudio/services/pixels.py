"""Pictures as bytes that a canvas paints without converting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

GAIN = 3
"""How much a difference is amplified."""

_LIGHTER = (0x5A, 0xA2, 0xFF)
_DARKER = (0xEF, 0x6F, 0x6C)


def _ramp(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    strength = np.minimum(np.arange(256) * GAIN, 255)[:, None]
    return (np.array(colour) * strength // 255).astype(np.uint8)


_COLOURS = np.concatenate([_ramp(_DARKER), _ramp(_LIGHTER)])


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values of [0, 1] as bytes, rounded as torch does."""
    scaled = values * np.float32(255.0)
    np.clip(np.rint(scaled, out=scaled), 0.0, 255.0, out=scaled)
    return scaled.astype(np.uint8)


def picture_bytes(image: Tensor) -> NDArray[np.uint8]:
    """Return the first picture of a batch (B, 3, H, W) in [0, 1] as contiguous (H, W, 3)."""
    return _finish(image)[0].cpu().numpy()


def finished(image: Tensor) -> NDArray[np.uint8] | None:
    """Return what `picture_bytes` does, or None when a number of the batch is not finite.

    On a CPU as one call: each operation by itself would wait for the busy window's Python.
    """
    finish = _finish
    if image.device.type == "cpu":
        kind = (image.shape, image.dtype)
        if kind not in _finishes:
            from kpcore.tracing import as_one_call

            _finishes[kind] = as_one_call(_finish, image)
        finish = _finishes[kind]
    pixels, is_finite = finish(image)
    return pixels.cpu().numpy() if is_finite.item() else None


_finishes: dict[object, Callable[[Tensor], tuple[Tensor, ...]]] = {}


def _finish(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bytes of the first picture, and whether all numbers are finite."""
    import torch

    scaled = image[0].float().clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous(), torch.isfinite(image).all()


def difference(edited: NDArray[np.uint8], reconstruction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return where two pictures differ, on black.

    Blue where the edit made it lighter, red where darker; `GAIN` times as strong as the change of
    the channel that differs most.
    """
    change = edited.astype(np.int16) - reconstruction
    red, green, blue = change[..., 0], change[..., 1], change[..., 2]
    strength = np.maximum(np.maximum(np.abs(red), np.abs(green)), np.abs(blue))
    lighter = (red + green + blue) >= 0
    return np.take(_COLOURS, strength + np.int16(256) * lighter, axis=0)


def psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of two pictures of bytes, in dB (99 when equal)."""
    error = float(np.mean((first.astype(np.float32) - second.astype(np.float32)) ** 2))
    return 99.0 if error == 0 else min(99.0, 10.0 * math.log10(255.0**2 / error))
