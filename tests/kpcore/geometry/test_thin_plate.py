from __future__ import annotations

import math

import torch

from kpcore.geometry.thin_plate import thin_plate


def points(count: int, seed: int = 0) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.rand(2, count, 2, generator=chance) * 2 - 1


def test_control_points_go_where_they_are_sent() -> None:
    centres = points(12)
    places = centres + 0.1 * points(12, seed=1)
    spline = thin_plate(centres, places)
    assert torch.allclose(spline(centres), places, atol=1e-3)


def test_an_affine_map_is_reproduced_everywhere_without_bending() -> None:
    centres = points(9)
    turn = torch.tensor([[math.cos(0.3), math.sin(0.3)], [-math.sin(0.3), math.cos(0.3)]])
    spline = thin_plate(centres, centres @ turn + 0.2)
    elsewhere = points(50, seed=4)
    assert torch.allclose(spline(elsewhere), elsewhere @ turn + 0.2, atol=1e-4)
    assert spline.weights.abs().max() < 1e-3


def test_coinciding_control_points_are_no_error() -> None:
    centres = points(5)
    twice = torch.cat([centres, centres], dim=1)
    spline = thin_plate(twice, twice + 0.05 * points(10, seed=2), stiffness=1e-3)
    assert spline(points(7)).isfinite().all()


def test_the_warp_can_be_learned_through() -> None:
    where = points(6, seed=3).requires_grad_()
    centres = points(8)
    thin_plate(centres, centres + 0.1)(where).sum().backward()
    assert where.grad is not None
    assert torch.allclose(where.grad, torch.ones_like(where), atol=1e-2)
