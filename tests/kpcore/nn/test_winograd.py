"""Winograd's filtering, against the convolution it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.nn.winograd import WinogradConvolution


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (5, 3, 12, 4), (2, 3, 9, 7), (1, 3, 2, 1)])
@pytest.mark.parametrize("edges", ["zeros", "replicate"])
@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_it_is_the_convolution(shape: tuple[int, ...], edges: str, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, 3, padding=1, padding_mode=edges, bias=bias).double()
    maps = torch.randn(shape, dtype=torch.float64)
    assert torch.allclose(WinogradConvolution(conv)(maps), conv(maps), atol=1e-12)


@torch.no_grad()
def test_rows_worked_on_apart_join_without_a_seam() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(96, 96, 3, padding=1).double()
    maps = torch.randn(3, 96, 42, 38, dtype=torch.float64)
    assert torch.allclose(WinogradConvolution(conv)(maps), conv(maps), atol=1e-11)


@torch.no_grad()
def test_single_precision_keeps_its_digits() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(128, 128, 3, padding=1)
    maps = torch.randn(1, 128, 20, 20)
    want = conv.double()(maps.double())
    ours = WinogradConvolution(conv.float())(maps).double()
    assert (ours - want).abs().max() < 5e-5 * want.std()
