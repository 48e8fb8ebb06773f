"""Convolution blocks and small networks that DLP's parts are made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["relu", "leaky"]


class ConvBlock(nn.Sequential):
    """Convolution with replicated edges, batch norm, activation and, where asked, doubling.

    Source: dlp.md section 3. Doubling is bilinear and comes last.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        activation: Activation = "relu",
        double: bool = False,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=nn.Conv2d(
                channels_in,
                channels_out,
                kernel,
                stride,
                padding=kernel // 2,
                padding_mode="replicate",
                bias=False,
            ),
            norm=nn.BatchNorm2d(channels_out),
            activation=nn.ReLU() if activation == "relu" else nn.LeakyReLU(0.01),
        )
        if double:
            layers["enlarge"] = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        super().__init__(layers)
        self.channels = (channels_in, channels_out)


class DownCNN(nn.Module):
    """Two blocks at full size, then two per halving; a 1x1 convolution makes the maps.

    Source: DLP appendix A; the position encoder, the patch prior and the glimpse encoder.
    """

    def __init__(
        self, channels_in: int, channels: Sequence[int], maps: int, first_kernel: int = 3
    ) -> None:
        super().__init__()
        blocks = [
            ConvBlock(channels_in, channels[0], kernel=first_kernel),
            ConvBlock(channels[0], channels[0]),
        ]
        for before, width in pairwise(channels):
            blocks += [ConvBlock(before, width, stride=2), ConvBlock(width, width)]
        self.body = nn.Sequential(*blocks)
        self.head = nn.Conv2d(channels[-1], maps, 1)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B M h w"]:
        """Return the maps, not normalised."""
        return self.head(self.body(image))


class UpCNN(nn.Module):
    """Blocks that each double the map, one that does not, and a 1x1 convolution.

    Source: DLP appendix A; the picture decoder and the glimpse decoder.
    """

    def __init__(self, channels_in: int, widths: Sequence[int], channels_out: int) -> None:
        """Make the layers.

        Args:
            channels_in: Of the small map.
            widths: Output channels of each block; all but the last double.
            channels_out: Of the 1x1 convolution at the end.
        """
        super().__init__()
        ends = [channels_in, *widths]
        self.body = nn.Sequential(
            *(
                ConvBlock(before, width, activation="leaky", double=index < len(widths) - 1)
                for index, (before, width) in enumerate(zip(ends, widths, strict=False))
            )
        )
        self.head = nn.Conv2d(widths[-1], channels_out, 1)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the enlarged map, without activation."""
        return self.head(self.body(maps))


def mlp(*widths: int) -> nn.Sequential:
    """Return fully connected layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, width in pairwise(widths):
        layers += [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def small_convolutions(module: nn.Module, deviation: float = 0.01) -> None:
    """Draw all convolution weights from N(0, deviation^2) and zero their biases (DLP app. A)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
