from __future__ import annotations

import torch
from torch import nn

from kpcore.nn.blocks import ConvBlock, DownCNN, UpCNN, mlp, small_convolutions


def test_shapes():
    image = torch.rand(2, 3, 32, 32)
    assert DownCNN(3, (4, 6, 8), 5, first_kernel=7)(image).shape == (2, 5, 8, 8)
    assert UpCNN(5, (8, 6, 4), 3)(torch.rand(2, 5, 8, 8)).shape == (2, 3, 32, 32)
    assert mlp(4, 6, 2)(torch.rand(2, 4)).shape == (2, 2)


def test_edges_are_replicated():
    block = ConvBlock(1, 1).eval()
    nn.init.constant_(block[0].weight, 1.0)
    assert torch.allclose(block(torch.ones(1, 1, 5, 5)), torch.full((1, 1, 5, 5), 9.0), atol=1e-3)


def test_an_mlp_ends_without_activation():
    network = mlp(2, 3, 4)
    assert isinstance(network[-1], nn.Linear)
    assert isinstance(network[1], nn.ReLU)


def test_small_convolutions_leave_other_layers():
    network = nn.Sequential(nn.Conv2d(8, 64, 3), nn.Flatten(), nn.Linear(64, 2))
    kept = network[2].weight.clone()
    small_convolutions(network)
    assert 0.009 < float(network[0].weight.detach().std()) < 0.011
    assert not network[0].bias.any()
    assert torch.equal(network[2].weight, kept)
