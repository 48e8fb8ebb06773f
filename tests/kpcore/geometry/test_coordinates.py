from __future__ import annotations

import pytest
import torch

from kpcore.geometry.coordinates import (
    corner_aligned,
    from_corner_aligned,
    pixel_centres,
    pixel_to_unit,
    to_corner_aligned,
    unit_to_pixel,
)
from kpcore.geometry.units import edge_distance, unit_at_edge_distance


@pytest.mark.parametrize("size", [1, 2, 7, 128])
def test_edges_lie_at_one(size: int) -> None:
    assert pixel_to_unit(-0.5, size) == -1.0
    assert pixel_to_unit(size - 0.5, size) == 1.0
    assert unit_to_pixel(pixel_to_unit(0.25, size), size) == pytest.approx(0.25)


def test_centres_match_the_scalar_function() -> None:
    assert pixel_centres(5).tolist() == pytest.approx([pixel_to_unit(i, 5) for i in range(5)])


def test_published_grid_maps_to_pixel_centres() -> None:
    ours = from_corner_aligned(corner_aligned(16), 16)
    assert torch.allclose(ours, pixel_centres(16), atol=1e-6)
    assert torch.allclose(to_corner_aligned(ours, 16), corner_aligned(16), atol=1e-6)


def test_distances_from_an_edge_come_back() -> None:
    assert edge_distance(-1.0, 640) == 0.0
    assert edge_distance(1.0, 640) == 640
    assert edge_distance(pixel_to_unit(3, 8), 8) == 3.5
    assert unit_at_edge_distance(edge_distance(0.3, 640), 640) == pytest.approx(0.3)
