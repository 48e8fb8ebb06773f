"""What holds keypoints to places of the scene: each in one place, and apart from the others.

Source: Zhang et al., CVPR 2018, section 3.2, whose terms other families borrow here.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from kpcore.geometry.coordinates import corner_aligned


def variance(share: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K"]:
    """Return the variance of places under distributions over a square map, x and y added.

    Args:
        share: Each map sums to 1; the centres of its outermost pixels are at +-1.
    """
    along = corner_aligned(share.shape[-1], share.device, share.dtype)
    x, y = share.sum(-2), share.sum(-1)
    squares = (x + y) @ along.square()
    return squares - (x @ along).square() - (y @ along).square()


def crowding(position: Float[Tensor, "B K 2"], near: float = 0.08) -> Float[Tensor, " B"]:
    """Return exp(-distance^2 / (2 near^2)) summed over all ordered pairs of keypoints (eq. 7).

    Args:
        position: In any unit.
        near: In the same unit; as it stands, of pictures with their edges at +-1.
    """
    square = (position[:, :, None] - position[:, None]).square().sum(-1)
    apart = (-0.5 * square / near**2).exp()
    return apart.sum((1, 2)) - apart.diagonal(dim1=1, dim2=2).sum(1)
