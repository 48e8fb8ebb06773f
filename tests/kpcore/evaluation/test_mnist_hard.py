from __future__ import annotations

import numpy as np
import pytest

from kpcore.evaluation.mnist_hard import digit_figures, matched, overlaps


def px(*points: tuple[float, float]) -> np.ndarray:
    """Unit coordinates of points given in pixels from the left and top edge of 80."""
    return np.array(points, float) * (2.0 / 80.0) - 1.0


def test_overlap_of_boxes_is_that_of_pixels():
    # 20 x 20 boxes moved by 4 and 3: 16 * 17 of 800 - 272 pixels.
    seen = overlaps(px((44.0, 43.0), (40.0, 40.0), (60.0, 40.0)), px((40.0, 40.0))[0])
    np.testing.assert_allclose(seen, [272.0 / 528.0, 1.0, 0.0])


def test_boxes_of_different_sides_share_the_smaller_one_at_most():
    seen = overlaps(px((40.0, 40.0)), px((41.0, 40.0))[0], true_side=10.0 / 80.0)
    np.testing.assert_allclose(seen, [100.0 / 400.0])


def test_a_prediction_finds_one_digit_only_and_a_missed_digit_takes_none():
    points = px((20.0, 20.0), (50.0, 50.0))
    # The first two digits compete for the first point; the third is 7 px off on both axes.
    digits = px((21.0, 20.0), (20.0, 20.0), (57.0, 57.0), (50.0, 51.0))
    assert matched(points, digits).tolist() == [0, -1, -1, 1]


def test_nothing_is_found_without_predictions():
    assert matched(np.zeros((0, 2)), px((20.0, 20.0))).tolist() == [-1]


def test_figures_by_hand():
    # Prototypes 0 and 1 both stand for class 0 many-to-one; one-to-one, 1 must take class 1.
    table = np.array([[5, 1], [3, 1]])
    figures = digit_figures(table, digits=20)
    assert figures.localisation == pytest.approx(50.0)
    assert figures.classification == pytest.approx(80.0)
    assert figures.both == pytest.approx(40.0)
    assert figures.classification_bipartite == pytest.approx(60.0)
    assert figures.both_bipartite == pytest.approx(30.0)


def test_nothing_found_is_nought_percent():
    figures = digit_figures(np.zeros((3, 10), int), digits=9)
    assert (figures.localisation, figures.classification, figures.both) == (0.0, 0.0, 0.0)
