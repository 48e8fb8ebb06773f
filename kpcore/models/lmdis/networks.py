"""The networks of the landmark autoencoder: three hourglasses and the landmarks' linear maps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.models.lmdis.config import LmdisConfig
from kpcore.nn.hourglass import Hourglass, Shape, chain

_SLOPE = 0.2


def detector(config: LmdisConfig) -> nn.Module:
    """Return the network that gives K + 1 scores per place, the last of the background.

    680,769 weights for 80 x 80 pictures and ten landmarks. Source: figure 40 a.
    """
    w, out = config.width, config.landmarks + 1
    if config.stem:
        return nn.Sequential(_stem(w), Hourglass(w, _large(w, out)))
    shape = Shape(
        down=((w, w), (2 * w, 2 * w), (2 * w, 2 * w)),
        bottom=(2 * w, 2 * w),
        up=((2 * w, 2 * w), (2 * w, 2 * w), (2 * w, w), (w, out)),
        skip=3,
    )
    return Hourglass(3, shape)


def describer(config: LmdisConfig) -> nn.Module:
    """Return the network that gives the feature map of all landmarks.

    4,745,280 weights for 80 x 80 pictures. Source: figure 40 e.
    """
    w, out = config.width, config.shared
    if config.stem:
        return nn.Sequential(_stem(w), Hourglass(w, _large(w, out)))
    shape = Shape(
        down=((w, 2 * w), (4 * w,), (8 * w,)),
        bottom=(16 * w,),
        up=((8 * w,), (4 * w,), (2 * w,), (2 * w, out)),
        skip=2,
    )
    return Hourglass(3, shape)


def painter(config: LmdisConfig) -> Hourglass:
    """Return the network that makes the picture; its output goes through a sigmoid.

    14,367,561 weights for 80 x 80 pictures and ten landmarks. Source: figure 40.
    """
    w, levels = config.width, config.decoder_levels
    widths = [min(2 * w * 2**level, 16 * w) for level in range(levels)]
    bottom = min(2 * w * 2**levels, 16 * w)
    shape = Shape(
        down=((2 * w, 2 * w), *((width,) for width in widths[1:])),
        bottom=(bottom,),
        up=(
            (widths[-1],),
            *((width,) for width in reversed(widths[:-1])),
            (w, 3),
        ),
        skip=2,
    )
    count = config.landmarks + 1
    channels = count + (config.shared if config.descriptor else 0)
    return Hourglass(len(config.decoder_sigmas_edge) * channels, shape)


def _stem(width: int) -> nn.Sequential:
    return nn.Sequential(chain([3, width]), nn.MaxPool2d(2))


def _large(width: int, out: int) -> Shape:
    """The hourglass of 128 x 128 pictures (figure 40 g)."""
    w = width
    return Shape(
        down=((2 * w,), (4 * w,), (8 * w,), (16 * w,)),
        bottom=(16 * w,),
        up=((16 * w,), (8 * w,), (4 * w,), (2 * w,), (w, out)),
        skip=2,
    )


class Descriptors(nn.Module):
    """Each landmark's own way between the shared feature space and its few numbers (sec. 3.3)."""

    def __init__(self, count: int, shared: int, size: int) -> None:
        super().__init__()
        self.narrow = nn.Parameter(torch.randn(count, shared, size) * shared**-0.5)
        self.narrow_offset = nn.Parameter(torch.zeros(count, size))
        self.widen = nn.Parameter(torch.randn(count, size, shared) * size**-0.5)
        self.widen_offset = nn.Parameter(torch.zeros(count, shared))

    def describe(self, pooled: Float[Tensor, "B N S"]) -> Float[Tensor, "B N C"]:
        """Return the descriptors of pooled features (eq. 10)."""
        return torch.einsum("bns,nsc->bnc", pooled, self.narrow) + self.narrow_offset

    def recover(self, descriptor: Float[Tensor, "B N C"]) -> Float[Tensor, "B N S"]:
        """Return features in the shared space (the inner part of eq. 13)."""
        wide = torch.einsum("bnc,ncs->bns", descriptor, self.widen) + self.widen_offset
        return F.leaky_relu(wide, _SLOPE)
