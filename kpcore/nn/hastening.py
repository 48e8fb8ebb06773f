"""Faster operations in the place of a network's convolutions, for decoders of edits."""

from __future__ import annotations

from torch import nn

from kpcore.nn.few_channels import FewChannelConvolution, has_few_channels
from kpcore.nn.half_precision import DraftedConvolution, gains_by_halving
from kpcore.nn.winograd import WinogradConvolution, gains_by_tiles


def hasten(network: nn.Module) -> None:
    """Replace those 3x3 convolutions of an inference copy that have something faster.

    What is faster in half precision is computed so while a draft is asked for.

    The last digits of a result depend on where the matrices lie in memory, so that what must be
    the same each time to the bit, such as an encoding, goes without. Nothing changes for weights
    on another device than the processor.
    """
    for part in list(network.modules()):
        for name, layer in part.named_children():
            if isinstance(layer, nn.Conv2d):
                setattr(part, name, _hastened(layer))


def _hastened(conv: nn.Conv2d) -> nn.Module:
    exact: nn.Module = conv
    if gains_by_tiles(conv):
        exact = WinogradConvolution(conv)
    elif has_few_channels(conv):
        exact = FewChannelConvolution(conv)
    return DraftedConvolution(exact, conv) if gains_by_halving(conv) else exact
