"""Terms that hold keypoints to places."""

from __future__ import annotations

import math

import torch

from kpcore.losses.constraints import crowding, variance


def test_the_variance_of_one_place_and_of_two():
    share = torch.zeros(1, 2, 5, 5)
    share[0, 0, 2, 3] = 1.0
    share[0, 1, 0, 0] = share[0, 1, 0, 4] = 0.5
    torch.testing.assert_close(variance(share), torch.tensor([[0.0, 1.0]]))


def test_keypoints_apart_are_no_crowd():
    close = torch.tensor([[[0.0, 0.0], [0.08, 0.0], [0.9, 0.9]]])
    torch.testing.assert_close(crowding(close), torch.tensor([2.0 * math.exp(-0.5)]))
