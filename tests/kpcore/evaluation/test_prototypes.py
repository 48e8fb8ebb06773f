from __future__ import annotations

import numpy as np
import pytest

from kpcore.evaluation.prototypes import attribute_accuracy, owned_objects


def test_a_keypoint_owns_the_object_under_most_of_its_solid_pixels():
    masks = np.zeros((2, 1, 10), bool)
    masks[0, 0, :4] = masks[1, 0, 6:] = True
    alphas = np.zeros((4, 1, 10))
    alphas[0, 0, :5] = 0.9  # 4 of 5 on the first object
    alphas[1, 0, 4:8] = 0.9  # 2 of 4 on the second: not more than half
    alphas[2, 0, 6:] = 0.8  # nowhere above 0.8
    alphas[3, 0, 7:] = 1.0
    assert owned_objects(alphas, masks).tolist() == [0, -1, -1, 1]


def test_without_objects_nothing_is_owned():
    assert owned_objects(np.ones((2, 1, 3)), np.zeros((0, 1, 3), bool)).tolist() == [-1, -1]


def test_accuracy_by_hand():
    seen = [
        (0, {"shape": "cube", "colour": "red"}),
        (0, {"shape": "cube", "colour": "blue"}),
        (0, {"shape": "ball", "colour": "red"}),
        (4, {"shape": "ball"}),
    ]
    figures = attribute_accuracy(seen, ("shape", "colour", "size"))
    assert figures["shape"] == pytest.approx(75.0)
    assert figures["colour"] == pytest.approx(200.0 / 3.0)
    assert figures["size"] == 0.0
