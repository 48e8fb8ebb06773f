"""How alike two pictures are, by their pixels: PSNR and SSIM."""

from __future__ import annotations

from jaxtyping import Float
from kornia.metrics import ssim as ssim_map
from torch import Tensor

from kpcore.api import Image
from kpcore.errors import ShapeError

CAP_DB = 60.0
"""PSNR of equal pictures."""
_WINDOW = 11


def psnr_db(a: Float[Tensor, "B *n"], b: Float[Tensor, "B *n"]) -> Float[Tensor, " B"]:
    """Return the peak signal-to-noise ratio of each picture or part of one: peak 1, at most 60.

    Raises:
        ShapeError: The pictures differ in shape.
    """
    require_alike(a, b)
    error = (a.float() - b.float()).square().flatten(1).mean(1)
    return (-10.0 * error.clamp(min=1e-12).log10()).clamp(max=CAP_DB)


def ssim(a: Image, b: Image) -> Float[Tensor, " B"]:
    """Return each picture's structural similarity, averaged over pixels and channels.

    A Gaussian window of 11 pixels and standard deviation 1.5, k1 = 0.01, k2 = 0.03, range 1, only
    where the window lies inside the picture: the convention of Wang et al. (2004), but on each
    colour channel rather than on luminance. Kornia's implementation.

    Raises:
        ShapeError: The pictures differ in shape or are smaller than the window.
    """
    require_alike(a, b)
    if min(a.shape[-2:]) < _WINDOW:
        raise ShapeError(
            f"SSIM needs pictures of at least {_WINDOW} pixels a side; got {tuple(a.shape)}"
        )
    whole = ssim_map(a.float(), b.float(), _WINDOW, 1.0, eps=0.0, padding="valid")
    return whole.flatten(1).mean(1)


def require_alike(a: Tensor, b: Tensor) -> None:
    """Raise `ShapeError` unless both have one shape."""
    if a.shape != b.shape:
        raise ShapeError(
            f"pictures of shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be compared; bring "
            f"them to one size first"
        )
