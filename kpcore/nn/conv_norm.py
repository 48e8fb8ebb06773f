"""Convolution, normalisation, ReLU: what the keypoint networks of the IMM line are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

Norm = Literal["batch", "instance", "group"]
"""Over the batch; per channel of each picture; over eighths of the channels of each picture.

Batch norm is the only one of the three with which a moved point leaves the far part of a decoded
picture exactly as it was.
"""


_FIRST_LOGIT = -1.0
"""Of a renderer's mask: at first the ground shows through."""


@dataclass(frozen=True, slots=True)
class ConvStep:
    """One convolution of a stack.

    Attributes:
        width: Output channels.
        stride: 1 keeps the size, 2 halves it.
        kernel: Side of the kernel, odd.
    """

    width: int
    stride: int = 1
    kernel: int = 3


def normalisation(kind: Norm, channels: int) -> nn.Module:
    """Return a normalisation layer with one learned scale and shift per channel."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(channels if kind == "instance" else math.gcd(8, channels), channels)


def conv_norm(channels_in: int, step: ConvStep, norm: Norm) -> nn.Sequential:
    """Return a convolution with bias and zero padding, its normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, step.width, step.kernel, step.stride, step.kernel // 2),
        normalisation(norm, step.width),
        nn.ReLU(inplace=True),
    )


class ConvStack(nn.Sequential):
    """Convolutions one after the other, each with normalisation and ReLU."""

    def __init__(self, channels_in: int, steps: Sequence[ConvStep], norm: Norm) -> None:
        ends = [channels_in, *(step.width for step in steps)]
        super().__init__(
            *(conv_norm(before, step, norm) for before, step in zip(ends, steps, strict=False))
        )
        self.channels = ends[-1]
        self.stride = math.prod(step.stride for step in steps)


def halving(widths: Sequence[int], first_kernel: int = 7) -> tuple[ConvStep, ...]:
    """Return the steps of the IMM encoder: two convolutions per width, halving between widths.

    Source: Jakab et al., 2018; other_systems.md section 4.
    """
    first = (ConvStep(widths[0], kernel=first_kernel), ConvStep(widths[0]))
    rest = [step for width in widths[1:] for step in (ConvStep(width, stride=2), ConvStep(width))]
    return (*first, *rest)


class Renderer(nn.Module):
    """Feature maps to a picture: two convolutions per width, doubling between widths.

    The second convolution of the last width makes three linear channels, and where a ground lies
    behind the picture a fourth: the logit of the mask that `over_ground` takes.

    Source: the renderer of Jakab et al., 2018, and the decoder of Kulkarni et al., 2019;
    other_systems.md sections 4 and 5.
    """

    def __init__(
        self, channels_in: int, widths: Sequence[int], norm: Norm, masked: bool = False
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels_in
        for width in widths[:-1]:
            layers += [
                conv_norm(before, ConvStep(width), norm),
                conv_norm(width, ConvStep(width), norm),
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            ]
            before = width
        layers += [conv_norm(before, ConvStep(widths[-1]), norm)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 4 if masked else 3, 3, padding=1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, 0.5)
        if masked:
            nn.init.constant_(self.head.bias[3:], _FIRST_LOGIT)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the picture, not clamped, and the logit if there is one."""
        return self.head(self.body(maps))


def over_ground(
    drawn: Float[Tensor, "B 4 H W"], ground: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, "B 3 H W"]:
    """Return what a renderer drew where its mask says so, and the ground elsewhere."""
    return ground + drawn[:, 3:].sigmoid() * (drawn[:, :3] - ground)
