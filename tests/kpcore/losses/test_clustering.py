from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from kpcore.losses.clustering import (
    mean_square_distances,
    mixture_weights,
    sample_mixture,
    sliced_wasserstein,
    soft_k_means,
)


def unit(*rows: tuple[float, ...]) -> torch.Tensor:
    return F.normalize(torch.tensor(rows), dim=1)


def test_distances_are_means_over_coordinates():
    seen = mean_square_distances(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    torch.testing.assert_close(seen, torch.tensor([[1.0, 0.0]]))


def test_soft_k_means_by_hand():
    # Distances 0 and 1, times 20: the share of the nearest is 1 / (1 + e^-20).
    seen = soft_k_means(unit((1.0, 0.0)), unit((1.0, 0.0), (0.0, 1.0)))
    assert float(seen) == pytest.approx(math.log1p(math.exp(-20.0)), abs=1e-6)
    half = soft_k_means(unit((1.0, 1.0)), unit((1.0, 0.0), (0.0, 1.0)))
    assert float(half) == pytest.approx(math.log(2.0), rel=1e-5)


def test_mixture_weights_by_hand():
    # Three of four descriptors lie on the first prototype, one on the second, none on the third:
    # spreads 0, 0, 1 have variance 1/3; shares 3/4, 1/4, 0.
    prototypes = unit((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))
    descriptor = prototypes[[0, 0, 0, 1]]
    raw = torch.tensor([0.75, 0.25, 0.0]) + 0.01 + 1.0 / 3.0
    torch.testing.assert_close(mixture_weights(descriptor, prototypes), raw / raw.sum())


def test_samples_follow_the_weights_and_what_is_left_goes_to_the_largest_remainders():
    torch.manual_seed(0)
    prototypes = torch.eye(3)
    points = sample_mixture(prototypes, torch.tensor([0.56, 0.24, 0.2]), 10, 0.02)
    assert points.argmax(1).bincount().tolist() == [6, 2, 2]
    torch.testing.assert_close(points.norm(dim=1), torch.ones(10))
    assert 0.0 < (points - prototypes[points.argmax(1)]).abs().max() < 0.1


def test_no_prototype_takes_what_would_be_a_share_of_many():
    points = sample_mixture(torch.eye(8), torch.full((8,), 1 / 8), 5, 0.02)
    assert points.argmax(1).bincount().max() == 1


def test_samples_move_with_their_prototypes():
    prototypes = torch.eye(3, requires_grad=True)
    sample_mixture(prototypes, torch.tensor([0.5, 0.5, 0.0]), 4, 0.02)[:, 2].sum().backward()
    assert prototypes.grad is not None
    assert (prototypes.grad[:2, 2] != 0.0).all()
    assert (prototypes.grad[2] == 0.0).all()


def test_wasserstein_distance_of_moved_points_is_known():
    # In one dimension every direction is +-1: moving all points by 0.5 costs 0.25 each.
    torch.manual_seed(0)
    points = torch.randn(7, 1)
    seen = sliced_wasserstein(points, points[torch.randperm(7)] + 0.5, projections=10)
    assert float(seen) == pytest.approx(10 * 0.25, rel=1e-4)


def test_wasserstein_distance_does_not_depend_on_order():
    torch.manual_seed(0)
    points = torch.randn(9, 4)
    assert float(sliced_wasserstein(points, points.flip(0))) == pytest.approx(0.0, abs=1e-9)
