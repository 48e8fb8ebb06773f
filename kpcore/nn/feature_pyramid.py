"""A feature pyramid network: fine maps that know what the coarse ones saw."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.nn.conv_norm import ConvStack, ConvStep, Norm, halving


class FeaturePyramid(nn.Module):
    """Bottom-up convolutions, then top-down sums: one map per level, coarsest first.

    Source: Lin et al., 2017, as Keypoint Pyramids sec. 3.1 uses it; layers as proposed in
    other_systems.md section 6, the paper's appendix being out of reach.
    """

    def __init__(
        self,
        widths: Sequence[int],
        levels: int,
        channels: int,
        norm: Norm,
        first_kernel: int = 3,
    ) -> None:
        """Make the layers.

        Args:
            widths: Channels of the bottom-up stages; each after the first halves the map.
            levels: Maps given, the last (smallest) so many stages.
            channels: Of every map given.
            norm: Of the bottom-up stages.
            first_kernel: Side of the first kernel.
        """
        super().__init__()
        steps = halving(widths, first_kernel)
        ends = [3, *widths]
        self.stages = nn.ModuleList(
            ConvStack(ends[index], steps[2 * index : 2 * index + 2], norm)
            for index in range(len(widths))
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths[-levels:])
        self.smooth = nn.ModuleList(
            ConvStack(channels, (ConvStep(channels),), norm) for _ in range(levels)
        )

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        """Return one map (B, channels, h, w) per level, coarsest first; each doubles the last."""
        maps: list[Tensor] = []
        seen = image
        for stage in self.stages:
            seen = stage(seen)
            maps.append(seen)
        fine: list[Tensor] = []
        above: Tensor | None = None
        layers = zip(maps[-len(self.lateral) :], self.lateral, self.smooth, strict=True)
        for one, lateral, smooth in reversed(list(layers)):
            merged = lateral(one)
            if above is not None:
                merged = merged + F.interpolate(above, scale_factor=2, mode="nearest")
            above = merged
            fine.append(smooth(merged))
        return fine
