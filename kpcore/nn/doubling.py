"""Bilinear doubling and the convolution after it, as one convolution of the small map.

Each pixel of the doubled map mixes two neighbours a quarter and three quarters; a 3x3 kernel over
three such pixels reaches three pixels of the small map. So every one of the four places inside a
doubled pixel has a 3x3 kernel of its own on the small map, with edges replicated in both cases.
The work is the same; the doubled input map is never written.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.nn.blocks import ConvBlock, UpCNN

_REACH = (
    ((0.75, 0.25, 0.0), (0.25, 0.75, 0.0), (0.0, 0.75, 0.25)),
    ((0.25, 0.75, 0.0), (0.0, 0.75, 0.25), (0.0, 0.25, 0.75)),
)
"""By place in the pair and by kernel tap: the shares of the small map's three pixels."""


def doubled_convolution(conv: nn.Conv2d) -> nn.Conv2d:
    """Return the convolution of the small map that equals doubling, then `conv`.

    Its channels lie as `nn.PixelShuffle(2)` wants them.

    Args:
        conv: 3x3, stride 1, edges replicated, with bias.
    """
    merged = nn.Conv2d(
        conv.in_channels, conv.out_channels * 4, 3, padding=1, padding_mode="replicate"
    ).to(conv.weight)
    reach = torch.tensor(_REACH, dtype=torch.float64, device=conv.weight.device)
    weight = torch.einsum("oitu,pta,qub->opqiab", conv.weight.double(), reach, reach)
    with torch.no_grad():
        merged.weight.copy_(weight.flatten(0, 2))
        if conv.bias is not None and merged.bias is not None:
            merged.bias.copy_(conv.bias.repeat_interleave(4))
    return merged.requires_grad_(False)


def _pointwise(head: nn.Conv2d) -> nn.Conv2d:
    """The same 1x1 convolution for each of the four places, channels shuffled."""
    wide = nn.Conv2d(head.in_channels * 4, head.out_channels * 4, 1).to(head.weight)
    same = torch.eye(4, dtype=head.weight.dtype, device=head.weight.device)
    with torch.no_grad():
        wide.weight.copy_(torch.kron(head.weight[:, :, 0, 0], same)[:, :, None, None])
        if head.bias is not None and wide.bias is not None:
            wide.bias.copy_(head.bias.repeat_interleave(4))
    return wide.requires_grad_(False)


class MergedUpCNN(nn.Sequential):
    """A folded `UpCNN` whose doublings are part of its convolutions."""

    def forward(self, input: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the enlarged map, without activation."""
        return super().forward(input)


def merge_doublings(network: UpCNN) -> MergedUpCNN:
    """Return a folded network (batch norms gone) without doublings of its own."""
    layers: list[nn.Module] = []
    blocks = [block for block in network.body if isinstance(block, ConvBlock)]
    for index, block in enumerate(blocks):
        conv, activation = block.get_submodule("conv"), block.get_submodule("activation")
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"a block's conv is a {type(conv).__name__}")
        if index == 0:
            layers += [conv, activation]
        elif index < len(blocks) - 1:
            layers += [doubled_convolution(conv), activation, nn.PixelShuffle(2)]
        else:
            layers += [doubled_convolution(conv), activation]
    return MergedUpCNN(*layers, _pointwise(network.head), nn.PixelShuffle(2))
