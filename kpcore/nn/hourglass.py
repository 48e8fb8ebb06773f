"""Hourglass networks: down by max-pooling, up by repetition, with convolutional skips between.

Source: Zhang et al., Unsupervised Discovery of Object Landmarks as Structural Representations,
CVPR 2018, appendix G.2 and figure 40, https://arxiv.org/abs/1804.04412.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE, _EPSILON = 0.2, 1e-3


@dataclass(frozen=True, slots=True)
class Shape:
    """Output channels of every convolution of an hourglass, in their order.

    Attributes:
        down: Of each level above the bottom, from the largest map to the smallest; the map is
            halved after each level.
        bottom: At the smallest map.
        up: On the way back: at the bottom, then after each doubling.
        skip: Convolutions in each skip, as wide as their level.
    """

    down: tuple[tuple[int, ...], ...]
    bottom: tuple[int, ...]
    up: tuple[tuple[int, ...], ...]
    skip: int


def chain(channels: Sequence[int], bare: bool = False) -> nn.Sequential:
    """Return 3 x 3 convolutions, each with batch norm and leaky ReLU.

    Args:
        channels: Of the input and of each convolution's output.
        bare: The last one has batch norm but no activation.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (before, width) in enumerate(pairwise(channels)):
        layers[f"conv{index}"] = nn.Conv2d(before, width, 3, padding=1)
        layers[f"norm{index}"] = nn.BatchNorm2d(width, eps=_EPSILON)
        if not (bare and index == len(channels) - 2):
            layers[f"activation{index}"] = nn.LeakyReLU(_SLOPE)
    return nn.Sequential(layers)


class Hourglass(nn.Module):
    """One hourglass; its output is normalised by a batch norm and has no activation."""

    def __init__(self, channels_in: int, shape: Shape) -> None:
        super().__init__()
        ends = [channels_in, *(level[-1] for level in shape.down)]
        self.down = nn.ModuleList(
            chain([before, *level]) for before, level in zip(ends, shape.down, strict=False)
        )
        self.skips = nn.ModuleList(
            chain([level[-1]] * (shape.skip + 1)) for level in reversed(shape.down)
        )
        self.bottom = chain([ends[-1], *shape.bottom])
        starts = [shape.bottom[-1], *(level[-1] for level in shape.up)]
        last = len(shape.up) - 1
        self.up = nn.ModuleList(
            chain([before, *level], bare=index == last)
            for index, (before, level) in enumerate(zip(starts, shape.up, strict=False))
        )

    @property
    def first(self) -> nn.Conv2d:
        """The first convolution."""
        return cast("nn.Conv2d", cast("nn.Sequential", self.down[0])[0])

    def start_without_norms(self) -> None:
        """Draw weights anew so that maps keep their size through layers whose norms do nothing.

        Source: He et al., Delving Deep into Rectifiers, 2015. The last layer stays as it is, so
        that the output begins small.
        """
        convolutions = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]
        for layer in convolutions[:-1]:
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B c H W"]:
        """Return maps of the same size."""
        return self.go_on(self.first(maps))

    def go_on(self, maps: Float[Tensor, "B D H W"]) -> Float[Tensor, "B c H W"]:
        """Return what `forward` does, of what the first convolution gave."""
        kept: list[Tensor] = []
        for index, level in enumerate(self.down):
            for layer in list(cast("nn.Sequential", level))[index == 0 :]:
                maps = layer(maps)
            kept.append(maps)
            maps = F.max_pool2d(maps, 2)
        maps = self.up[0](self.bottom(maps))
        for skip, level, before in zip(self.skips, list(self.up)[1:], reversed(kept), strict=True):
            enlarged = F.interpolate(maps, scale_factor=2.0, mode="nearest")
            maps = level(enlarged + skip(before))
        return maps
