"""The graph component against its definition, written out."""

from __future__ import annotations

import torch

from kpcore.nn.graph import edges, nearest
from kpcore.nn.pointnet import PointNet, PointNetLayer


def test_a_layer_is_the_maximum_of_messages():
    torch.manual_seed(0)
    layer = PointNetLayer(3, 5).double().eval()
    feature, position = (torch.randn(2, 6, n, dtype=torch.float64) for n in (3, 2))
    neighbours = nearest(position, 4)
    ours = layer(feature.flatten(0, 1), position.flatten(0, 1), edges(neighbours))
    for image in range(2):
        for i in range(6):
            messages = torch.stack(
                [
                    torch.cat([feature[image, j], position[image, j] - position[image, i]])
                    for j in neighbours[image, i]
                ]
            )
            want = layer.mlp(messages).amax(0)
            assert torch.allclose(ours[image * 6 + i], want, atol=1e-12)


def test_the_order_of_particles_does_not_matter():
    torch.manual_seed(0)
    network = PointNet(features=4, maps=3, side=16).double().eval()
    position = torch.rand(1, 12, 2, dtype=torch.float64)
    feature = torch.rand(1, 12, 4, dtype=torch.float64)
    order = torch.randperm(12)
    maps = network(position, feature)
    assert maps.shape == (1, 3, 16, 16)
    assert torch.allclose(network(position[:, order], feature[:, order]), maps, atol=1e-12)


def test_absent_particles_leave_no_trace():
    torch.manual_seed(0)
    network = PointNet(features=4, maps=3, side=8).double().eval()
    position = torch.rand(1, 14, 2, dtype=torch.float64)
    feature = torch.rand(1, 14, 4, dtype=torch.float64)
    present = torch.ones(1, 14, dtype=torch.bool)
    present[0, [3, 7]] = False
    kept = present[0].nonzero().squeeze(1)
    want = network(position[:, kept], feature[:, kept])
    assert torch.allclose(network(position, feature, present), want, atol=1e-12)
