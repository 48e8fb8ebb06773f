"""Convolutions in half precision, for drafts.

Source: Kalamkar et al., A Study of BFLOAT16 for Deep Learning Training, 2019. Numbers are rounded
to eight bits and products are added up in single precision: a map is off by 0.3 % of its spread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.drafting import is_drafting

_GAIN = 0.8
"""Half precision must take at most this share of the time."""
_ROUNDS = 8
_PRODUCTS = 16 * 16
"""Input times output channels from which the two changes of format are worth it."""


class DraftedConvolution(nn.Module):
    """A convolution that is computed in bfloat16 while a draft is asked for."""

    def __init__(self, exact: nn.Module, conv: nn.Conv2d) -> None:
        """Take a convolution.

        Args:
            exact: What computes it while none is.
            conv: Its weights.
        """
        super().__init__()
        self.exact = exact
        self.rough = halved(conv)

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B c H W"]:
        """Return the convolved maps."""
        if not is_drafting() or maps.device.type != "cpu":
            return self.exact(maps)
        halved = maps.to(torch.bfloat16, memory_format=torch.channels_last)
        return self.rough(halved).to(maps.dtype)


def halved(conv: nn.Conv2d) -> nn.Conv2d:
    """Return a copy of a convolution in bfloat16, for maps that lie channels last."""
    rough = deepcopy(conv).bfloat16().requires_grad_(False)
    return rough.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def gains_by_halving(conv: nn.Conv2d) -> bool:
    """Return whether a convolution is faster in half precision on this processor."""
    products = conv.in_channels * conv.out_channels
    return conv.weight.device.type == "cpu" and products >= _PRODUCTS and is_faster_in_half()


@cache
def is_faster_in_half() -> bool:
    """Return whether this processor convolves faster in bfloat16, found by timing, once."""
    conv = nn.Conv2d(64, 64, 3, padding=1).requires_grad_(False)
    conv.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    maps = torch.zeros(1, 64, 32, 32).contiguous(memory_format=torch.channels_last)
    whole = fastest(conv, maps)
    return fastest(conv.bfloat16(), maps.bfloat16()) < _GAIN * whole


@torch.no_grad()
def fastest(work: Callable[[Tensor], Tensor], given: Tensor) -> float:
    """Return the seconds that work takes at best."""
    taken: list[float] = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work(given)
        taken.append(time.perf_counter() - started)
    return min(taken)
