"""Which convolutions are replaced, and that pictures stay the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.nn import half_precision
from kpcore.nn.conv_norm import Renderer
from kpcore.nn.edit_rendering import fast_renderer
from kpcore.nn.few_channels import FewChannelConvolution
from kpcore.nn.folding import fold
from kpcore.nn.half_precision import DraftedConvolution
from kpcore.nn.hastening import hasten
from kpcore.nn.winograd import WinogradConvolution


def test_only_convolutions_that_gain_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: False)
    network = nn.Sequential(
        nn.Conv2d(128, 128, 3, padding=1),
        nn.Conv2d(32, 128, 3, padding=1),
        nn.Conv2d(128, 128, 3, stride=2, padding=1),
        nn.Conv2d(128, 128, 3),
        nn.Conv2d(128, 128, 1),
        nn.Conv2d(128, 128, 3, padding=1, groups=2),
        nn.Conv2d(128, 512, 3, padding=1),
        nn.Conv2d(128, 128, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 3, 3, padding=1),
        nn.Conv2d(64, 3, 3, padding=1, padding_mode="replicate"),
        nn.Conv2d(64, 3, 1),
        nn.Conv2d(3, 3, 3, padding=1),
    )
    hasten(network)
    kinds = [type(layer) for layer in network]
    assert kinds == [
        WinogradConvolution,
        *7 * [nn.Conv2d],
        FewChannelConvolution,
        *3 * [nn.Conv2d],
    ]


def test_what_is_faster_in_half_precision_is_drafted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: True)
    network = nn.Sequential(
        nn.Conv2d(128, 128, 3, padding=1), nn.Conv2d(16, 16, 1), nn.Conv2d(64, 3, 3)
    )
    hasten(network)
    drafted = [layer for layer in network if isinstance(layer, DraftedConvolution)]
    assert [type(layer.exact) for layer in drafted] == [WinogradConvolution, nn.Conv2d]
    assert type(network[2]) is nn.Conv2d


@pytest.mark.parametrize("shape", [(1, 8, 6, 6), (3, 8, 5, 9), (2, 8, 1, 1)])
@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_few_channels_are_the_convolution(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 2, 3, padding=1, bias=bias).double()
    maps = torch.randn(shape, dtype=torch.float64)
    for given in (maps, maps.contiguous(memory_format=torch.channels_last)):
        assert torch.allclose(FewChannelConvolution(conv)(given), conv(given), atol=1e-12)


@torch.no_grad()
def test_a_renderer_for_edits_is_hastened_and_draws_the_same() -> None:
    torch.manual_seed(0)
    renderer = Renderer(70, (128, 16), "batch").eval()
    maps = torch.randn(2, 70, 16, 16)
    fast = fast_renderer(renderer)
    assert any(isinstance(part, WinogradConvolution) for part in fast.modules())
    assert torch.allclose(fast(maps), renderer(maps), atol=1e-5)
    plain = fold(renderer)
    assert not any(isinstance(part, WinogradConvolution) for part in plain.modules())
