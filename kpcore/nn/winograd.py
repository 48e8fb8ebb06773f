"""3x3 convolutions in a quarter of the multiplications, for inference.

Winograd's minimal filtering makes four by four pixels of a convolution from six by six of its input
with 36 products per channel pair instead of 144. Rounding errors are a few times those of the plain
convolution, about 3e-5 of a map's spread in single precision.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_POINTS = (0.0, 1.0, -1.0, 0.5, -0.5)
"""Where the polynomials are evaluated; infinity is the sixth."""
_PORTION = 16384
"""Tiles times channels worked on at once: what they need stays in a processor's cache."""
_CHANNELS = range(64, 385)
"""Fewer channels are not worth the transforms; the kernels of more leave the cache."""
_PRODUCTS = 64 * 64
"""Least product of input and output channels."""
_TILES = 4
"""Least number of tiles; smaller maps leave matrices of a few rows."""


def _powers(degree: int) -> Tensor:
    """Values of 1, x, ... x^degree at the points, and the last coefficient for infinity."""
    rows = [[point**power for power in range(degree + 1)] for point in _POINTS]
    return torch.tensor([*rows, [0.0] * degree + [1.0]], dtype=torch.float64)


def input_transform() -> Float[Tensor, "6 6"]:
    """Return the matrix from six pixels of the input to six numbers, for one axis."""
    products = torch.einsum("ri,rt->itr", output_transform().T, _powers(2)).flatten(0, 1)
    wanted = torch.zeros(4, 3, 6, dtype=torch.float64)
    for place in range(4):
        for tap in range(3):
            wanted[place, tap, place + tap] = 1.0
    return torch.linalg.lstsq(products, wanted.flatten(0, 1)).solution


def output_transform() -> Float[Tensor, "4 6"]:
    """Return the matrix from six products to four pixels of the output, for one axis."""
    return _powers(3).T


def transformed(weight: Float[Tensor, "o i 3 3"]) -> Float[Tensor, "36 i o"]:
    """Return the kernels as 36 matrices between channels."""
    kernel = _powers(2)
    taps = weight.detach().cpu().double()
    return torch.einsum("rt,su,oitu->rsio", kernel, kernel, taps).flatten(0, 1)


def bias_of(conv: nn.Conv2d) -> Tensor:
    """Return the bias of a convolution, zeros where it has none."""
    return conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()


class WinogradConvolution(nn.Module):
    """A 3x3 convolution with edges of zeros or replicated, for inference on a processor."""

    def __init__(self, conv: nn.Conv2d) -> None:
        """Take a convolution's weights.

        Args:
            conv: Serves maps of a few pixels, and other devices.
        """
        super().__init__()
        self.conv = conv
        self.mode = "replicate" if conv.padding_mode == "replicate" else "constant"
        spread, collect = input_transform(), output_transform()
        self._keep("weight", transformed(conv.weight))
        self._keep("spread", torch.kron(spread, spread))
        self._keep("collect", torch.kron(collect, collect))
        self._keep("bias", bias_of(conv))
        self.weight: Tensor
        self.spread: Tensor
        self.collect: Tensor
        self.bias: Tensor

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.to(self.conv.weight).contiguous(), persistent=False)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c h w"]:
        """Return the convolved maps."""
        height, width = maps.shape[-2:]
        down, across = -(-height // 4), -(-width // 4)
        if maps.is_cuda or down * across < _TILES:
            return self.conv(maps)
        edges = (1, 1 + 4 * across - width, 1, 1 + 4 * down - height)
        padded = nn.functional.pad(maps, edges, mode=self.mode).permute(0, 2, 3, 1)
        tiles = padded.unfold(1, 6, 4).unfold(2, 6, 4).permute(4, 5, 0, 1, 2, 3)
        batch, channels = maps.shape[0], len(self.bias)
        result = maps.new_empty(batch, down, 4, across, 4, channels)
        step = max(1, _PORTION // (maps.shape[1] * across * batch))
        for row in range(0, down, step):
            part = tiles[:, :, :, row : row + step]
            value = self._convolve(part.reshape(36, -1, maps.shape[1]))
            value = value.view(4, 4, *part.shape[2:5], channels)
            result[:, row : row + step].copy_(value.permute(2, 3, 0, 4, 1, 5))
        whole = result.view(batch, 4 * down, 4 * across, channels).permute(0, 3, 1, 2)
        return whole[..., :height, :width]

    def _convolve(self, tiles: Float[Tensor, "36 T C"]) -> Float[Tensor, "16 T c"]:
        count = tiles.shape[1]
        spread = (self.spread @ tiles.flatten(1)).view(tiles.shape)
        product = torch.bmm(spread, self.weight)
        return (self.collect @ product.flatten(1)).view(16, count, -1).add_(self.bias)


def gains_by_tiles(conv: nn.Conv2d) -> bool:
    """Return whether `WinogradConvolution` can stand for a convolution, and is faster."""
    ends = conv.in_channels, conv.out_channels
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == conv.padding == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode in {"zeros", "replicate"}
        and all(channels in _CHANNELS for channels in ends)
        and ends[0] * ends[1] >= _PRODUCTS
        and conv.weight.device.type == "cpu"
    )
