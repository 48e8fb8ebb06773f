"""A convolution in half precision: only for drafts, and close to the exact one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.drafting import drafting
from kpcore.nn import doubling, half_precision
from kpcore.nn.doubling import DoubledConvolution
from kpcore.nn.half_precision import DraftedConvolution, gains_by_halving


@pytest.mark.parametrize("mode", ["zeros", "replicate"])
@torch.no_grad()
def test_only_drafts_are_rounded(mode: str) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 24, 3, padding=1, padding_mode=mode)
    layer, maps = DraftedConvolution(conv, conv), torch.randn(2, 32, 9, 11)
    exact = conv(maps)
    assert torch.equal(layer(maps), exact)
    with drafting():
        rough = layer(maps)
    assert rough.dtype == exact.dtype
    error = float((rough - exact).std() / exact.std())
    assert 1e-4 < error < 0.006
    assert torch.equal(layer(maps), exact)


@pytest.mark.parametrize(("plainly", "most"), [(False, 0.05), (True, 0.006)])
@pytest.mark.parametrize("channels", [(16, 20), (160, 144)])
@pytest.mark.parametrize("edges", ["zeros", "replicate"])
@torch.no_grad()
def test_a_doubling_is_rounded_in_drafts(
    edges: str,
    channels: tuple[int, int],
    plainly: bool,
    most: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: True)
    monkeypatch.setattr(doubling, "is_faster_plainly", lambda: plainly)
    torch.manual_seed(0)
    conv = nn.Conv2d(*channels, 3, padding=1, padding_mode=edges)
    after = nn.Identity() if edges == "zeros" else nn.LeakyReLU(0.1)
    head = None if edges == "zeros" else nn.Conv2d(channels[1], 4, 1)
    layer = DoubledConvolution(conv, after, head)
    maps = torch.randn(1, channels[0], 6, 5)
    exact = layer(maps)
    with drafting():
        rough = layer(maps)
    assert rough.dtype == exact.dtype
    assert 1e-4 < float((rough - exact).std() / exact.std()) < most
    assert torch.allclose(layer(maps), exact, atol=1e-6)


def test_a_timing_finds_the_faster_way_to_draft_doublings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: True)
    taken = iter([1.0, 2.0, 2.0, 1.0])
    monkeypatch.setattr(doubling, "fastest", lambda work, given: next(taken))
    doubling.is_faster_plainly.cache_clear()
    assert doubling.is_faster_plainly()
    doubling.is_faster_plainly.cache_clear()
    assert not doubling.is_faster_plainly()
    doubling.is_faster_plainly.cache_clear()


def test_small_convolutions_and_slow_processors_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = nn.Conv2d(16, 16, 3), nn.Conv2d(16, 3, 3)
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: True)
    assert gains_by_halving(large)
    assert not gains_by_halving(small)
    monkeypatch.setattr(half_precision, "is_faster_in_half", lambda: False)
    assert not gains_by_halving(large)
    conv = nn.Conv2d(16, 16, 3, padding=1, padding_mode="replicate")
    layer = DoubledConvolution(conv, nn.Identity(), None)
    assert layer.rough is None
    assert layer.plain is None
