"""Keypoints of maps, maps of keypoints, and the pyramid they are read from."""

from __future__ import annotations

import math

import pytest
import torch

from kpcore.nn.feature_pyramid import FeaturePyramid
from kpcore.nn.keypoint_head import KeypointHead, PyramidKeypoints, keypoint_maps, union


def test_maps_have_no_half_in_the_exponent_and_peak_at_their_keypoint():
    # On a corner-aligned grid of 5 the cell (3, 1) lies at (0.5, -0.5); unit coordinates are 4/5.
    place = torch.tensor([[[0.4, -0.4]]])
    maps = keypoint_maps(place, 5, 0.5)
    assert float(maps[0, 0, 1, 3]) == pytest.approx(1.0)
    assert float(maps[0, 0, 1, 4]) == pytest.approx(math.exp(-1.0), rel=1e-5)


def test_the_union_is_never_more_than_one():
    place = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [0.9, 0.9]]])
    joined = union(keypoint_maps(place, 9, 0.3))
    assert joined.shape == (1, 1, 9, 9)
    assert float(joined.max()) <= 1.0


def test_a_sharp_map_is_found_where_it_is_at_any_size():
    head = KeypointHead(1, 1, form="joint", gain=100.0)
    with torch.no_grad():
        head.maps.weight.fill_(1.0)
        head.maps.bias.zero_()
    for side in (8, 16):
        features = torch.zeros(1, 1, side, side)
        features[0, 0, side // 4, side // 2] = 1.0
        want = [(2 * (side // 2) + 1) / side - 1, (2 * (side // 4) + 1) / side - 1]
        assert head(features)[0, 0].tolist() == pytest.approx(want, abs=1e-4)


def test_every_level_doubles_the_one_before_and_fine_maps_know_the_coarse():
    pyramid = FeaturePyramid((4, 6, 8), 3, 5, "batch").eval()
    picture = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        maps = pyramid(picture)
        assert [tuple(one.shape) for one in maps] == [(1, 5, 4, 4), (1, 5, 8, 8), (1, 5, 16, 16)]
        pyramid.lateral[0].weight += 1.0  # of the coarsest stage of the three? the finest kept
        changed = pyramid(picture)
    assert not torch.equal(maps[-1], changed[-1])


def test_keypoints_come_from_the_finest_map():
    pyramid = FeaturePyramid((4, 6, 8), 2, 5, "batch")
    keypoints = PyramidKeypoints(pyramid, KeypointHead(5, 7, hidden=(6,), form="joint"))
    assert keypoints(torch.rand(2, 3, 16, 16)).shape == (2, 7, 2)
