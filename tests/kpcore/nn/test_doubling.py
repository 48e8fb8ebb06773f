"""Doubling and convolving at once, against doing one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.nn import doubling
from kpcore.nn.blocks import UpCNN
from kpcore.nn.conv_norm import Renderer
from kpcore.nn.doubling import DoubledConvolution
from kpcore.nn.folding import fold


def plain(maps: torch.Tensor, conv: nn.Conv2d) -> torch.Tensor:
    return conv(nn.functional.interpolate(maps, scale_factor=2, mode="bilinear"))


@pytest.fixture(params=["four kernels", "one kernel"], autouse=True)
def way(request, monkeypatch):
    if request.param == "one kernel":
        monkeypatch.setattr(doubling, "_FOUR_KERNELS", 0)
    return request.param


@pytest.mark.parametrize(("channels", "phases"), [(128, 2), (129, 1)])
def test_large_kernels_are_kept_once(channels, phases, way):
    conv = nn.Conv2d(128, channels, 3, padding=1)
    made = DoubledConvolution(conv, nn.Identity(), None)
    assert made.phases == (phases if way == "four kernels" else 1)


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (5, 3, 8, 4), (2, 3, 36, 64)])
def test_it_is_the_convolution_of_the_doubled_map(shape):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, 3, padding=1, padding_mode="replicate").double()
    maps = torch.randn(shape, dtype=torch.float64)
    fast = DoubledConvolution(conv, nn.LeakyReLU(0.01), None)
    want = nn.functional.leaky_relu(plain(maps, conv), 0.01)
    assert torch.allclose(fast(maps), want, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (5, 3, 8, 4), (2, 3, 9, 7), (1, 3, 2, 1)])
@pytest.mark.parametrize("edges", ["zeros", "replicate"])
def test_it_is_so_with_either_kind_of_edges_and_odd_sides(shape, edges):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, 3, padding=1, padding_mode=edges).double()
    maps = torch.randn(shape, dtype=torch.float64)
    fast = DoubledConvolution(conv, nn.Identity(), None)
    assert torch.allclose(fast(maps), plain(maps, conv), atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_folded_renderer_gives_the_same_picture(norm):
    torch.manual_seed(0)
    renderer = Renderer(4, (8, 6, 5), norm).double().eval()
    for layer in renderer.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    maps = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    folded = fold(renderer)
    assert not any(isinstance(part, nn.BatchNorm2d | nn.Upsample) for part in folded.modules())
    assert torch.allclose(folded(maps), renderer(maps), atol=1e-12)


@torch.no_grad()
def test_single_precision_keeps_its_digits():
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 48, 3, padding=1, padding_mode="replicate")
    maps = torch.randn(1, 64, 16, 16)
    ours = DoubledConvolution(conv, nn.Identity(), None)(maps)
    want = plain(maps.double(), conv.double())
    assert float((ours - want).abs().max()) < 1e-4 * float(want.std())


def test_a_folded_decoder_gives_the_same_map():
    torch.manual_seed(0)
    network = UpCNN(4, [8, 6, 5], 3).double()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            nn.init.normal_(layer.bias)
    network.eval()
    maps = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    folded = fold(nn.ModuleDict({"decoder": network}))["decoder"]
    assert not any(isinstance(part, nn.BatchNorm2d | nn.Upsample) for part in folded.modules())
    assert torch.allclose(folded(maps), network(maps), atol=1e-12)
