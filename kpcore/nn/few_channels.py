"""3x3 convolutions to a few channels, such as a picture's three, as one product of matrices.

A processor's convolutions make eight or sixteen output channels at once, most of which would be
thrown away here. Instead each pixel's channels are multiplied with all taps of all outputs, and the
products are added up where they belong.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.nn.winograd import bias_of

MOST = 4
"""Output channels up to which this is faster."""


class FewChannelConvolution(nn.Module):
    """A 3x3 convolution with edges of zeros, for inference on a processor."""

    def __init__(self, conv: nn.Conv2d) -> None:
        """Take a convolution's weights.

        Args:
            conv: Serves other devices.
        """
        super().__init__()
        self.conv = conv
        # `fold` adds a product at the tap's place; a convolution looks at the opposite one.
        taps = conv.weight.detach().flip(-1, -2).permute(0, 2, 3, 1)
        self.register_buffer("weight", taps.flatten(0, 2).contiguous(), persistent=False)
        self.register_buffer("bias", bias_of(conv)[:, None, None], persistent=False)
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c h w"]:
        """Return the convolved maps."""
        if maps.is_cuda:
            return self.conv(maps)
        pixels = maps.permute(0, 2, 3, 1).flatten(1, 2)
        products = torch.matmul(self.weight, pixels.mT)
        size = (maps.shape[-2], maps.shape[-1])
        return nn.functional.fold(products, size, 3, padding=1).add_(self.bias)


def has_few_channels(conv: nn.Conv2d) -> bool:
    """Return whether `FewChannelConvolution` can stand for a convolution, and is faster."""
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == conv.padding == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and conv.out_channels <= MOST
        and conv.in_channels >= 4 * conv.out_channels
        and conv.weight.device.type == "cpu"
    )
