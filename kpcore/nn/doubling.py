"""Bilinear doubling and the 3x3 convolution after it in a quarter of the multiplications.

Doubling and the input transform of `kpcore.nn.winograd` are both linear, so one of them can be
part of the other, and the doubled map is never made. There are two ways:

- Each pixel of a doubled map is a mean of two by two small ones, with one of four sets of weights
  as its row and its column are even or odd. For each of the four, the convolution of the doubled
  map is a 3x3 convolution of the small one: four kernels, and transforms of small maps only.
- Four by four pixels of the result depend on six by six doubled pixels, and these on four by four
  small ones: one kernel, and an input transform from sixteen small pixels.

The first is faster unless the kernels are large, as they are where maps are small.

Drafts have their products in half precision, which these transforms enlarge to errors of 3 % of a
map's spread, of a trained decoder's picture to about half a level of 255. A processor that
multiplies matrices of half precision by itself is done sooner without them: there a draft doubles
and convolves plainly, with a sixth of those errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.drafting import drafting, is_drafting
from kpcore.nn.blocks import ConvBlock, UpCNN
from kpcore.nn.half_precision import fastest, gains_by_halving, halved
from kpcore.nn.winograd import bias_of, input_transform, output_transform, transformed

_PORTION = 16384
"""Tiles times channels worked on at once on a CPU: what they need stays in its cache."""
_FOUR_KERNELS = 128 * 128
"""Channels in times channels out up to which fetching four kernels takes less than it saves."""
_PHASES = (
    ((0.75, 0.25, 0.0), (0.25, 0.75, 0.75), (0.0, 0.0, 0.25)),
    ((0.25, 0.0, 0.0), (0.75, 0.75, 0.25), (0.0, 0.25, 0.75)),
)
"""Of even and of odd doubled pixels, along one axis: how much of each of the three taps falls on
the small pixel before, at and after the place."""


def phase_kernels(weight: Float[Tensor, "o i 3 3"]) -> Float[Tensor, "4*o i 3 3"]:
    """Return kernels on the small map: (even, even), (even, odd), (odd, even), (odd, odd) pixels.

    The first is the row's. Each phase has the kernel's output channels in their order.
    """
    phases = torch.tensor(_PHASES, dtype=torch.float64)
    taps = weight.detach().cpu().double()
    return torch.einsum("pst,qrv,oitv->pqoisr", phases, phases, taps).flatten(0, 2)


def _doubling() -> Tensor:
    """Matrix from four small pixels to the six doubled ones in their middle, for one axis."""
    even, odd = (0.25, 0.75), (0.75, 0.25)
    rows = [(0, odd), (0, even), (1, odd), (1, even), (2, odd), (2, even)]
    matrix = torch.zeros(6, 4, dtype=torch.float64)
    for row, (first, shares) in enumerate(rows):
        matrix[row, first : first + 2] = torch.tensor(shares, dtype=torch.float64)
    return matrix


class DoubledConvolution(nn.Module):
    """Doubling, a 3x3 convolution, an activation, and maybe a 1x1 convolution.

    For inference; batch norms are folded into `conv` before.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        activation: nn.Module,
        head: nn.Conv2d | None,
        plainly: bool | None = None,
    ) -> None:
        """Make the matrices.

        Args:
            conv: Its edges are replicated; or they are zeros, if nothing follows here.
            activation: Of each number by itself.
            head: The 1x1 convolution after it.
            plainly: Whether drafts go without transforms; None takes what is faster.
        """
        super().__init__()
        self.activation = activation
        zeros = conv.padding_mode == "zeros"
        if zeros and not (head is None and isinstance(activation, nn.Identity)):
            raise TypeError("an activation after edges of zeros belongs after this module")
        self.register_buffer("edge", conv.weight.detach() if zeros else None, persistent=False)
        self.edge: Tensor | None
        spread, collect = input_transform(), output_transform()
        self.phases = 2 if conv.in_channels * conv.out_channels <= _FOUR_KERNELS else 1
        """Along an axis."""
        weight = conv.weight
        self.weight: Tensor
        if self.phases == 2:
            weight = phase_kernels(weight)
        else:
            spread = spread @ _doubling()
        self._keep("weight", transformed(weight), conv)
        gains = gains_by_halving(conv)
        if gains and plainly is None:
            plainly = is_faster_plainly()
        self.plain = PlainDoubling(conv) if gains and plainly else None
        rough = self.weight.bfloat16() if gains and self.plain is None else None
        self.register_buffer("rough", rough, persistent=False)
        self.rough: Tensor | None
        self._keep("spread", torch.kron(spread, spread), conv)
        self._keep("collect", torch.kron(collect, collect), conv)
        self._keep("bias", bias_of(conv).repeat(self.phases**2), conv)
        self.with_head = head is not None
        if head is not None:
            self._keep("head_weight", head.weight.detach()[:, :, 0, 0].T, conv)
            self._keep("head_bias", bias_of(head), conv)
        self.spread: Tensor
        self.collect: Tensor
        self.bias: Tensor
        self.head_weight: Tensor
        self.head_bias: Tensor

    def _keep(self, name: str, value: Tensor, like: nn.Conv2d) -> None:
        self.register_buffer(name, value.to(like.weight).contiguous(), persistent=False)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the map at twice the size."""
        if self.plain is not None and is_drafting() and maps.device.type == "cpu":
            return self._finish(self.plain(maps))
        batch, _, height, width = maps.shape
        phases = self.phases
        step = 2 * phases
        down, across = -(-height // step), -(-width // step)
        edges = (1, 1 + step * across - width, 1, 1 + step * down - height)
        padded = nn.functional.pad(maps, edges, mode="replicate").permute(0, 2, 3, 1)
        tiles = padded.unfold(1, step + 2, step).unfold(2, step + 2, step)
        tiles = tiles.permute(4, 5, 0, 1, 2, 3)
        channels = len(self.head_bias) if self.with_head else len(self.bias) // phases**2
        result = maps.new_empty(batch, down, 4, phases, across, 4, phases, channels)
        for images, rows in self._portions(batch, down, across, maps):
            part = tiles[:, :, images, rows]
            value = self._convolve(part.reshape(len(part) ** 2, -1, maps.shape[1]))
            value = value.view(4, 4, *part.shape[2:5], phases, phases, channels)
            result[images, rows].copy_(value.permute(2, 3, 0, 5, 4, 1, 6, 7))
        whole = result.view(batch, 2 * step * down, 2 * step * across, channels)
        whole = whole.permute(0, 3, 1, 2)
        whole = whole[..., : 2 * height, : 2 * width]
        if self.edge is not None:
            self._take_edges_off(whole, maps, self.edge)
        return whole

    def _finish(self, maps: Float[Tensor, "B D H W"]) -> Float[Tensor, "B c H W"]:
        """Return convolved maps after the activation and the 1x1 convolution."""
        value = self.activation(maps)
        if not self.with_head:
            return value
        return nn.functional.conv2d(value, self.head_weight.T[..., None, None], self.head_bias)

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

    def _convolve(self, tiles: Float[Tensor, "n T C"]) -> Float[Tensor, "16 T D"]:
        count = tiles.shape[1]
        spread = (self.spread @ tiles.flatten(1)).view(36, count, -1)
        if self.rough is None or not is_drafting() or tiles.device.type != "cpu":
            product = torch.bmm(spread, self.weight)
        else:
            product = torch.bmm(spread.bfloat16(), self.rough).to(spread.dtype)
        value = (self.collect @ product.flatten(1)).view(16, count, -1)
        value = self.activation(value.add_(self.bias))
        if self.with_head:
            pixels = value.view(-1, len(self.head_weight))
            value = torch.addmm(self.head_bias, pixels, self.head_weight)
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


class PlainDoubling(nn.Module):
    """Doubling and then a convolution, both in half precision, for drafts."""

    def __init__(self, conv: nn.Conv2d) -> None:
        """Take a copy of the convolution."""
        super().__init__()
        self.conv = halved(conv)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B D H W"]:
        """Return the convolved map at twice the size, in the precision of what was given."""
        halved = maps.to(torch.bfloat16, memory_format=torch.channels_last)
        doubled = nn.functional.interpolate(halved, scale_factor=2, mode="bilinear")
        return self.conv(doubled).to(maps.dtype)


@cache
def is_faster_plainly() -> bool:
    """Return whether this processor makes drafts faster without the transforms, by timing, once."""
    conv = nn.Conv2d(128, 64, 3, padding=1).requires_grad_(False)
    maps = torch.zeros(1, 128, 32, 32).contiguous(memory_format=torch.channels_last)
    ways = [DoubledConvolution(conv, nn.Identity(), None, plainly=way) for way in (True, False)]
    with drafting():
        plain, transformed = (fastest(way, maps) for way in ways)
    return plain < transformed


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
