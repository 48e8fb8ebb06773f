from __future__ import annotations

import math

import pytest
import torch

from kpcore.geometry.heatmaps import gaussian_maps, spatial_softmax


def test_a_map_is_one_at_its_keypoint_and_falls_with_the_distance():
    position = torch.tensor([[[-1.0, 1.0], [1.0 / 3.0, -1.0]]])
    maps = gaussian_maps(position, 4, 0.5)
    assert maps[0, 0, 3, 0] == pytest.approx(1.0)  # x left, y down
    assert maps[0, 1, 0, 2] == pytest.approx(1.0)
    step = 2.0 / 3.0
    assert maps[0, 0, 3, 1] == pytest.approx(math.exp(-(step**2) / 0.5), rel=1e-5)
    assert maps[0, 0, 2, 1] == pytest.approx(math.exp(-2 * step**2 / 0.5), rel=1e-5)


def test_gradients_reach_the_position():
    position = torch.tensor([[0.1, 0.2]], requires_grad=True)
    gaussian_maps(position, 8, 0.1).square().sum().backward()
    assert position.grad is not None
    assert position.grad.abs().min() > 0


def test_spatial_softmax_by_hand():
    maps = torch.zeros(1, 2, 2)
    maps[0, 0, 1] = 2.0  # means over rows: 0, 1; over columns: 1, 0
    share = 1.0 / (1.0 + math.exp(-1.0))
    want = torch.tensor([[2 * share - 1, 1 - 2 * share]])
    assert torch.allclose(spatial_softmax(maps), want)


def test_a_flat_map_points_to_the_middle():
    assert torch.allclose(spatial_softmax(torch.ones(3, 4, 6)), torch.zeros(3, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("height", "marginal", "joint"),
    [(6.0, -0.017, -0.367), (20.0, -0.081, -0.600), (60.0, -0.433, -0.600)],
)
def test_the_two_forms_of_spatial_softmax_differ_by_far(height, marginal, joint):
    maps = torch.zeros(1, 16, 16)
    maps[0, 8, 3] = height  # column 3 lies at -0.6 of the corner-aligned grid
    assert float(spatial_softmax(maps)[0, 0]) == pytest.approx(marginal, abs=1e-3)
    assert float(spatial_softmax(maps, "joint")[0, 0]) == pytest.approx(joint, abs=1e-3)


def test_the_two_forms_agree_where_a_map_is_a_sum_over_axes_and_sharp():
    along = torch.tensor([0.0, 0.0, 300.0, 0.0])
    maps = (along[:, None] + along)[None]
    assert torch.allclose(spatial_softmax(maps), spatial_softmax(maps, "joint"), atol=1e-6)


def test_tails_are_zero_before_they_leave_the_range_of_normal_numbers() -> None:
    maps = gaussian_maps(torch.tensor([[-0.9, 0.8], [0.1, 0.0]]), 64, 0.07)
    along = torch.linspace(-1.0, 1.0, 64, dtype=torch.float64)
    at = torch.tensor([[-0.9, 0.8], [0.1, 0.0]]).double()
    fall = torch.exp(-0.5 / 0.07**2 * (along - at[..., None]) ** 2)
    want = fall[:, 1, :, None] * fall[:, 0, None, :]
    torch.testing.assert_close(maps.double(), want, rtol=1e-4, atol=1e-14)
    assert bool(((maps == 0.0) | (maps > 1e-31)).all())
    assert bool((maps == 0.0).any())
