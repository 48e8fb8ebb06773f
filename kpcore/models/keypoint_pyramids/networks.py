"""The networks of Keypoint Pyramids that no other paper has."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.models.keypoint_pyramids.config import PyramidsConfig
from kpcore.nn.conv_norm import ConvStack, ConvStep, Renderer
from kpcore.nn.feature_pyramid import FeaturePyramid
from kpcore.nn.keypoint_head import KeypointHead, keypoint_maps


class PyramidEncoder(nn.Module):
    """A picture to keypoints of all levels (Keypoint Pyramids sec. 3.1)."""

    def __init__(self, config: PyramidsConfig) -> None:
        super().__init__()
        self.config = config
        self.pyramid = FeaturePyramid(
            config.widths, len(config.points), config.channels, config.norm
        )
        seen = (0, *config.points[:-1]) if config.conditioned else (0,) * len(config.points)
        self.heads = nn.ModuleList(
            KeypointHead(
                config.channels + above,
                count,
                hidden=config.head_widths,
                norm=config.norm,
                form=config.softmax,
                gain=config.softmax_gain,
            )
            for above, count in zip(seen, config.points, strict=True)
        )

    def forward(
        self, image: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B K 2"], list[Tensor]]:
        """Return the keypoints, coarsest level first, and the feature map of each level."""
        c = self.config
        features = self.pyramid(image)
        found: list[Tensor] = []
        for head, seen, side in zip(self.heads, features, c.sides, strict=True):
            if found and c.conditioned:
                seen = torch.cat([seen, keypoint_maps(found[-1], side, c.sigma)], 1)
            found.append(head(seen))
        return torch.cat(found, 1), features

    def confidence(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        """Return the distribution of each keypoint, all at the finest level's size."""
        c, features = self.config, self.pyramid(image)
        above: Tensor | None = None
        maps: list[Tensor] = []
        for head, seen, side in zip(self.heads, features, c.sides, strict=True):
            if above is not None and c.conditioned:
                seen = torch.cat([seen, keypoint_maps(above, side, c.sigma)], 1)
            assert isinstance(head, KeypointHead)
            above = head(seen)
            maps.append(nn.functional.interpolate(head.confidence(seen), features[-1].shape[-2:]))
        return torch.cat(maps, 1)


class LevelFeatures(ConvStack):
    """A level's own features of a picture, on top of the feature pyramid (sec. 3.3)."""

    def __init__(self, config: PyramidsConfig, level: int) -> None:
        width = config.level_channels[level]
        super().__init__(config.channels, (ConvStep(width), ConvStep(width)), config.norm)


def level_renderer(
    config: PyramidsConfig, level: int, channels_in: int, masked: bool = False
) -> Renderer:
    """Return the decoder of features at a level's size."""
    coarser = len(config.points) - 1 - level
    first = config.renderer_widths[:1]
    return Renderer(channels_in, first * coarser + config.renderer_widths, config.norm, masked)
