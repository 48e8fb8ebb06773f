"""How far a picture is from its reconstruction, in pixels."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def squared_error(a: Float[Tensor, "B *n"], b: Float[Tensor, "B *n"]) -> Float[Tensor, ""]:
    """Return the squared error, summed over an image and averaged over the batch.

    Source: dlp.md section 10.
    """
    return (a - b).square().sum() / a.shape[0]


def psnr_db(a: Float[Tensor, "B *n"], b: Float[Tensor, "B *n"]) -> Float[Tensor, ""]:
    """Return the peak signal-to-noise ratio in decibels of values in [0, 1]."""
    return -10.0 * (a - b).square().mean().log10()
