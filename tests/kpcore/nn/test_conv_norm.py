"""Stacks and renderers against the published numbers of weights, and what norms do to edits."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.nn.conv_norm import ConvStack, ConvStep, Renderer, halving


def weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_weights_of_the_published_networks():
    imm = ConvStack(3, halving((32, 64, 128, 256)), "batch")
    assert weights(imm) == 1_178_016
    assert weights(Renderer(256 + 10, (256, 128, 64, 32), "batch")) == 1_777_731
    assert weights(ConvStack(3, halving((16, 32)), "instance")) == 18_768
    assert weights(Renderer(32, (128, 64), "instance")) == 260_739


def test_sizes_halve_between_widths_and_double_back():
    picture = torch.rand(2, 3, 32, 32)
    stack = ConvStack(3, halving((4, 8, 12)), "batch")
    maps = stack(picture)
    assert maps.shape == (2, 12, 8, 8)
    assert (stack.channels, stack.stride) == (12, 4)
    assert Renderer(12, (8, 8, 4), "batch")(maps).shape == picture.shape


@pytest.mark.parametrize(("norm", "local"), [("batch", True), ("instance", False)])
def test_only_batch_norm_leaves_far_pixels_as_they_were(norm, local):
    torch.manual_seed(0)
    renderer = Renderer(4, (8, 4), norm).eval()
    maps = torch.rand(1, 4, 16, 16)
    changed = maps.clone()
    changed[:, :, 1, 1] += 5.0
    with torch.no_grad():
        far = (renderer(maps) - renderer(changed))[..., 20:, 20:].abs().max()
    assert (float(far) == 0.0) is local


def test_a_group_is_an_eighth_of_the_channels():
    norm = ConvStack(3, (ConvStep(24),), "group")[0][1]
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == 8
