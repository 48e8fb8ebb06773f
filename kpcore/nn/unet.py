"""A U-Net: maps of several scales, each joined to the finer ones on the way back up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Padding = Literal["zeros", "replicate"]
"""What lies around a map: nothing, or its edge again, so that the border does not stand out."""


def double_convolution(
    channels_in: int, channels_out: int, groups: int, padding: Padding
) -> nn.Sequential:
    """Return two 3x3 convolutions, each with group norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode=padding),
        nn.GroupNorm(groups, channels_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, padding_mode=padding),
        nn.GroupNorm(groups, channels_out),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Halves the map between widths, doubles it back, and joins maps of equal size.

    Source: TUSK appendix A.4 and released code: halving by max-pooling, doubling by corner-aligned
    bilinear interpolation, the same number of norm groups everywhere.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        widths: Sequence[int],
        groups: int,
        padding: Padding = "zeros",
    ) -> None:
        """Make the layers.

        Args:
            channels_in: Of the picture.
            channels_out: Of the maps; a 1x1 convolution without activation makes them.
            widths: Channels at full size, at half of it, and so on.
            groups: Of the norms; divides every width.
            padding: Around the maps of every convolution.
        """
        super().__init__()
        self.down = nn.ModuleList(
            double_convolution(before, width, groups, padding)
            for before, width in pairwise((channels_in, *widths))
        )
        self.up = nn.ModuleList(
            double_convolution(deep + fine, fine, groups, padding)
            for deep, fine in pairwise(reversed(widths))
        )
        self.head = nn.Conv2d(widths[0], channels_out, 1)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B M H W"]:
        """Return the maps; sides must be multiples of 2 ** (number of widths - 1)."""
        kept: list[Tensor] = []
        maps = image
        for index, block in enumerate(self.down):
            if index:
                maps = nn.functional.max_pool2d(maps, 2)
            maps = block(maps)
            kept.append(maps)
        for block, fine in zip(self.up, reversed(kept[:-1]), strict=True):
            wide = nn.functional.interpolate(
                maps, scale_factor=2.0, mode="bilinear", align_corners=True
            )
            maps = block(torch.cat([wide, fine], dim=1))
        return self.head(maps)
