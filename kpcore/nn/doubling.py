"""Bilinear doubling and the 3x3 convolution after it in a quarter of the multiplications.

Four by four pixels of a convolution of the doubled map depend on six by six doubled pixels, which
depend on four by four pixels of the small map. The input transform of `kpcore.nn.winograd` and the
doubling are both linear, so they are one small matrix here, applied to the small map. The doubled
map is never made.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.nn.blocks import ConvBlock, UpCNN
from kpcore.nn.winograd import bias_of, input_transform, output_transform, transformed

_PORTION = 16384
"""Tiles times channels worked on at once on a CPU: what they need stays in its cache."""


def _spread() -> Tensor:
    """Matrix of the input transform of the doubled map, from four small pixels, for one axis."""
    doubled = torch.tensor(
        [
            [0.75, 0.25, 0.0, 0.0],
            [0.25, 0.75, 0.0, 0.0],
            [0.0, 0.75, 0.25, 0.0],
            [0.0, 0.25, 0.75, 0.0],
            [0.0, 0.0, 0.75, 0.25],
            [0.0, 0.0, 0.25, 0.75],
        ],
        dtype=torch.float64,
    )
    return input_transform() @ doubled


class DoubledConvolution(nn.Module):
    """Doubling, a 3x3 convolution, an activation, and maybe a 1x1 convolution.

    For inference; batch norms are folded into `conv` before.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module, head: nn.Conv2d | None) -> None:
        """Make the matrices.

        Args:
            conv: Its edges are replicated; or they are zeros, if nothing follows here.
            activation: Of each number by itself.
            head: The 1x1 convolution after it.
        """
        super().__init__()
        self.activation = activation
        zeros = conv.padding_mode == "zeros"
        if zeros and not (head is None and isinstance(activation, nn.Identity)):
            raise TypeError("an activation after edges of zeros belongs after this module")
        self.register_buffer("edge", conv.weight.detach() if zeros else None, persistent=False)
        self.edge: Tensor | None
        spread, collect = _spread(), output_transform()
        self._keep("weight", transformed(conv.weight), conv)
        self._keep("spread", torch.kron(spread, spread), conv)
        self._keep("collect", torch.kron(collect, collect), conv)
        self._keep("bias", bias_of(conv), conv)
        self.with_head = head is not None
        if head is not None:
            self._keep("head_weight", head.weight.detach()[:, :, 0, 0].T, conv)
            self._keep("head_bias", bias_of(head), conv)
        self.weight: Tensor
        self.spread: Tensor
        self.collect: Tensor
        self.bias: Tensor
        self.head_weight: Tensor
        self.head_bias: Tensor

    def _keep(self, name: str, value: Tensor, like: nn.Conv2d) -> None:
        self.register_buffer(name, value.to(like.weight).contiguous(), persistent=False)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the map at twice the size."""
        batch, _, height, width = maps.shape
        odd = (1, 1 + width % 2, 1, 1 + height % 2)
        padded = nn.functional.pad(maps, odd, mode="replicate").permute(0, 2, 3, 1)
        tiles = padded.unfold(1, 4, 2).unfold(2, 4, 2).permute(4, 5, 0, 1, 2, 3)
        down, across = tiles.shape[3:5]
        channels = (self.head_bias if self.with_head else self.bias).shape[0]
        result = maps.new_empty(batch, down, 4, across, 4, channels)
        for images, rows in self._portions(batch, down, across, maps):
            part = tiles[:, :, images, rows]
            value = self._convolve(part.flatten(0, 1).flatten(1, 3))
            place = result[images, rows]
            place.copy_(value.view(4, 4, *part.shape[2:5], channels).permute(2, 3, 0, 4, 1, 5))
        whole = result.view(batch, 4 * down, 4 * across, channels).permute(0, 3, 1, 2)
        whole = whole[..., : 2 * height, : 2 * width]
        if self.edge is not None:
            self._take_edges_off(whole, maps, self.edge)
        return whole

    def _take_edges_off(
        self, whole: Float[Tensor, "B c H W"], maps: Float[Tensor, "B C h w"], weight: Tensor
    ) -> None:
        """Take off what the replicated edges gave, so that they count as zeros."""
        double, convolve = nn.functional.interpolate, nn.functional.conv1d
        for end, tap in ((0, 0), (-1, 2)):
            row = double(maps[:, :, end], scale_factor=2, mode="linear")
            row = nn.functional.pad(row, (1, 1), mode="replicate")
            whole[:, :, end] -= convolve(row, weight[:, :, tap])
            # the corners went with the rows
            column = double(maps[..., end], scale_factor=2, mode="linear")
            whole[..., end] -= convolve(column, weight[..., tap], padding=1)

    def _convolve(self, tiles: Float[Tensor, "16 T C"]) -> Float[Tensor, "16 T c"]:
        count = tiles.shape[1]
        spread = (self.spread @ tiles.flatten(1)).view(36, count, -1)
        product = torch.bmm(spread, self.weight)
        value = (self.collect @ product.flatten(1)).view(16, count, -1)
        value = self.activation(value.add_(self.bias))
        if self.with_head:
            value = torch.addmm(self.head_bias, value.flatten(0, 1), self.head_weight)
        return value.view(16, count, -1)

    def _portions(
        self, batch: int, down: int, across: int, maps: Tensor
    ) -> Iterator[tuple[slice, slice]]:
        """Images and rows of tiles that are worked on at once."""
        if maps.is_cuda:
            yield slice(0, batch), slice(0, down)
            return
        tiles = max(1, _PORTION // maps.shape[1])
        images = max(1, tiles // (down * across))
        step = max(1, tiles // across)
        for image in range(0, batch, images):
            for row in range(0, down, step):
                yield slice(image, image + images), slice(row, row + step)


class FastUpCNN(nn.Sequential):
    """A folded `UpCNN` whose doublings are part of its convolutions."""

    def forward(self, input: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the enlarged map, without activation."""
        return super().forward(input)


def merge_doublings(network: UpCNN) -> FastUpCNN:
    """Return a folded network (batch norms gone) without doublings of its own."""
    blocks = [block for block in network.body if isinstance(block, ConvBlock)]
    layers: list[nn.Module] = []
    for index, block in enumerate(blocks):
        conv, activation = block.get_submodule("conv"), block.get_submodule("activation")
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"a block's convolution is a {type(conv).__name__}")
        if index == 0:
            layers += [conv, activation]
        else:
            head = network.head if index == len(blocks) - 1 else None
            layers.append(DoubledConvolution(conv, activation, head))
    return FastUpCNN(*layers)


def merge_into_convolutions(chain: nn.Sequential) -> None:
    """Make each bilinear doubling of a folded chain part of the 3x3 convolution after it."""
    for (name, layer), (_, after) in pairwise(list(chain.named_children())):
        if not isinstance(layer, nn.Upsample) or not isinstance(after, nn.Sequential):
            continue
        conv = after[0]
        if (
            (layer.mode, layer.scale_factor, bool(layer.align_corners)) == ("bilinear", 2.0, False)
            and isinstance(conv, nn.Conv2d)
            and (conv.kernel_size, conv.stride, conv.groups) == ((3, 3), (1, 1), 1)
        ):
            after[0] = DoubledConvolution(conv, nn.Identity(), None)
            chain._modules[name] = nn.Identity()
