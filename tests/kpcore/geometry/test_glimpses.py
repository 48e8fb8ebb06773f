"""Glimpses against the spatial transformer that they stand for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kpcore.geometry.glimpses import boxes, cut, cut_masked, exclusive


def shifted(picture: Tensor, x: float, y: float, mode: str) -> Tensor:
    """The picture sampled (x, y) further on, by the transformer the published code uses."""
    matrix = torch.tensor([[[1.0, 0.0, x], [0.0, 1.0, y]]], dtype=picture.dtype)
    grid = F.affine_grid(matrix, list(picture.shape), align_corners=False)
    return F.grid_sample(picture, grid, mode=mode, padding_mode="zeros", align_corners=False)


def test_boxes_move_by_nearest_sampling():
    position = torch.tensor([[[0.13, -0.41], [0.97, 0.88], [-1.0, 0.02]]])
    middle = torch.zeros(1, 1, 16, 16)
    middle[..., 6:10, 6:10] = 1.0
    ours = boxes(position, 4, 16)
    for k, (x, y) in enumerate(position[0].tolist()):
        assert torch.equal(ours[0, k], shifted(middle, -x, -y, "nearest")[0, 0])


def test_a_glimpse_is_the_masked_picture_moved_to_the_middle():
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    position = torch.tensor([[[0.13, -0.41], [0.97, 0.88], [-0.2, 0.02]]], dtype=torch.float64)
    masks = boxes(position, 8, 16)
    ours, again = cut(picture, position, 8), cut_masked(picture, masks, position, 8)
    for k, (x, y) in enumerate(position[0].tolist()):
        want = shifted(picture * masks[:, k : k + 1], x, y, "bilinear")[0, :, 4:12, 4:12]
        assert torch.allclose(ours[0, k], want, atol=1e-12)
        assert torch.allclose(again[0, k], want, atol=1e-12)


def test_earlier_particles_claim_pixels():
    masks = torch.zeros(1, 3, 2, 2)
    masks[0, 0, 0] = 0.7
    masks[0, 1] = 0.6
    masks[0, 2] = 1.0
    ours = exclusive(masks)
    assert torch.allclose(ours[0, :, 0, 0], torch.tensor([0.7, 0.3, 0.0]), atol=1e-6)
    assert torch.allclose(ours[0, :, 1, 1], torch.tensor([0.0, 0.6, 0.4]), atol=1e-6)
