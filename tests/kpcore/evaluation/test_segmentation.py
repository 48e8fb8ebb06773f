from __future__ import annotations

import numpy as np
import pytest

from kpcore.evaluation.segmentation import adjusted_rand_index, foreground_ari


def test_agreement_does_not_depend_on_names():
    assert adjusted_rand_index(np.array([0, 0, 1, 1, 2]), np.array([7, 7, 3, 3, 9])) == 1.0


def test_agreement_by_hand():
    # n = [[2, 1], [0, 3]]: together 8, a = 12, b = 2 + 12 = 14, expected 12 * 14 / 30 = 5.6.
    seen = adjusted_rand_index(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1]))
    assert seen == pytest.approx((8.0 - 5.6) / (13.0 - 5.6))


def test_one_part_against_two_is_chance():
    assert adjusted_rand_index(np.array([0, 0, 1, 1]), np.zeros(4, int)) == 0.0


def test_one_part_each_agrees():
    assert adjusted_rand_index(np.zeros(4, int), np.ones(4, int)) == 1.0


def test_only_pixels_of_objects_count():
    masks = np.zeros((2, 2, 4), bool)
    masks[0, 0, :2] = masks[1, 1, 2:] = True
    alphas = np.zeros((3, 2, 4))
    alphas[2] = 0.5
    alphas[0, 0, :2], alphas[1, 1, 2:] = 0.6, 0.9
    assert foreground_ari(masks, alphas) == 1.0
    alphas[1, 1, 2:] = 0.1
    alphas[0, 1, 2:] = 0.6
    assert foreground_ari(masks, alphas) == 0.0


def test_a_picture_without_objects_has_no_figure():
    assert foreground_ari(np.zeros((0, 2, 2), bool), np.ones((1, 2, 2))) is None
