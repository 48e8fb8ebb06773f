"""Landmark regression against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kpcore.errors import DataError
from kpcore.evaluation import landmarks

PAIRS = ((0, 1), (2, 3))


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_error_is_the_mean_distance_in_percent_of_the_span_or_of_the_edge():
    truth = np.array([[[-0.5, 0.0], [0.5, 0.0], [0.0, 0.4]]])
    told = truth + np.array([[[0.1, 0.0], [0.0, 0.2], [0.0, 0.0]]])
    # Distances 0.1, 0.2, 0; mean 0.1. Span 1.0, edge 2.0.
    assert landmarks.error_percent(told, truth, (0, 1)) == pytest.approx([10.0])
    assert landmarks.error_percent(told, truth) == pytest.approx([5.0])


def test_a_keypoint_in_the_middle_is_a_bias_from_the_corner_and_nothing_from_the_centre():
    points = np.zeros((6, 1, 2))
    truth = np.tile([[[0.2, 0.0]]], (6, 1, 1))
    centre = landmarks.regress((points, truth), (points, truth))
    corner = landmarks.regress((points, truth), (points, truth), origin="corner")
    # From the centre all inputs are 0, so 0 is told: 0.2 away, of an edge of 2.
    assert centre.error == pytest.approx(10.0)
    assert corner.error == pytest.approx(0.0, abs=1e-9)
    biased = landmarks.regress((points, truth), (points, truth), bias=True)
    assert biased.error == pytest.approx(0.0, abs=1e-9)
    assert (centre.origin, centre.bias, corner.origin, biased.bias) == (
        "centre",
        False,
        "corner",
        True,
    )


def test_a_linear_world_is_told_exactly_and_extra_inputs_count():
    random = chance()
    points = random.uniform(-1, 1, (40, 3, 2))
    extra = random.uniform(-1, 1, (40, 1))
    truth = (points @ np.array([[0.5, 0.1], [-0.2, 0.4]]))[:, :2] + 0.3 * extra[:, :, None]
    first, last = slice(0, 25), slice(25, None)
    without = landmarks.regress((points[first], truth[first]), (points[last], truth[last]))
    told = landmarks.regress(
        (points[first], truth[first]),
        (points[last], truth[last]),
        extra=(extra[first], extra[last]),
    )
    assert told.error < 1e-9
    assert without.error > 1.0
    assert (told.fitted, told.tested) == (25, 15)


def test_more_inputs_than_pictures_are_no_fault():
    random = chance()
    points, truth = random.uniform(-1, 1, (4, 30, 2)), random.uniform(-1, 1, (4, 2, 2))
    told = landmarks.fit(points, truth)
    assert np.allclose(told(points), truth)


def test_pictures_without_all_landmarks_or_with_an_empty_span_are_left_out():
    random = chance()
    points, truth = random.uniform(-1, 1, (10, 2, 2)), random.uniform(-1, 1, (10, 2, 2))
    truth[3, 1] = np.nan
    truth[7, 1] = truth[7, 0]
    assert landmarks.usable(truth).sum() == 9
    assert landmarks.usable(truth, (0, 1)).sum() == 8
    figures = landmarks.regress((points, truth), (points, truth), (0, 1))
    assert (figures.fitted, figures.tested, figures.unit) == (8, 8, "span")
    assert np.isfinite(figures.error)


def test_halves_give_the_root_mean_square_distance_with_and_without_a_bias():
    # Joints are always at (0.3, 0.4) and the one keypoint at the middle: with a bias all is told,
    # without one nothing, so every joint is 0.5 off: 25 % of an edge of 2.
    points, truth = np.zeros((8, 1, 2)), np.tile([0.3, 0.4], (8, 2, 1))
    figures = landmarks.halves(points, truth)
    assert figures.rmse == pytest.approx(0.0, abs=1e-9)
    assert figures.rmse_no_bias == pytest.approx(25.0)
    assert (figures.fitted, figures.tested) == (4, 4)


def test_halves_never_cut_a_video():
    points, truth = np.zeros((9, 1, 2)), np.zeros((9, 1, 2))
    groups = [0] * 7 + [1] * 2
    for seed in range(4):
        figures = landmarks.halves(points, truth, groups, seed)
        assert {figures.fitted, figures.tested} == {7, 2}
    with pytest.raises(DataError, match="videos"):
        landmarks.halves(points, truth, [5] * 9)


def body(count: int, facing: np.ndarray) -> np.ndarray:
    """Two pairs of joints; who faces away has left and right the other way round."""
    y = chance(1).uniform(-0.5, 0.5, (count, 4))
    x = np.tile([0.4, -0.4, 0.2, -0.2], (count, 1))
    joints = np.stack([x, y], -1)
    return np.where(facing[:, None, None], joints, landmarks.swapped(joints, PAIRS))


def test_frontal_means_that_more_than_two_thirds_of_left_joints_lie_to_the_right():
    joints = np.zeros((3, 6, 2))
    joints[0, [0, 2, 4], 0] = 1.0
    joints[1, [0, 2, 5], 0] = 1.0  # two of three pairs: not more than two thirds
    pairs = ((0, 1), (2, 3), (4, 5))
    assert landmarks.frontal(joints, pairs).tolist() == [True, False, False]


def test_left_and_right_are_chosen_as_the_map_tells_them():
    facing = np.arange(60) % 3 != 0
    joints = body(60, facing)
    # The keypoints see the shape of the body, and not which side is left.
    shape = np.where(facing[:, None, None], joints, landmarks.swapped(joints, PAIRS))
    figures = landmarks.left_right((shape, joints), (shape, joints), PAIRS)
    assert figures.error == pytest.approx(0.0, abs=1e-9)
    assert figures.exchanged == pytest.approx(100.0 / 3.0)
    assert figures.rounds == 2
    plain = landmarks.regress((shape, joints), (shape, joints))
    assert plain.error > 5.0


def test_left_right_needs_someone_who_faces_the_camera():
    joints = body(6, np.zeros(6, bool))
    with pytest.raises(DataError, match="front"):
        landmarks.left_right((joints, joints), (joints, joints), PAIRS)


def test_no_pictures_are_refused():
    with pytest.raises(DataError, match="0 sets"):
        landmarks.fit(np.zeros((0, 1, 2)), np.zeros((0, 1, 2)))


def test_grid_points_lie_in_the_middles_of_equal_cells():
    grid = landmarks.grid_points(4, 2)
    assert grid.shape == (2, 4, 2)
    assert grid[1].tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]


def test_keypoints_are_placed_by_prototype_and_from_left_to_right():
    points = np.array([[[0.5, 0.1], [-0.5, 0.2], [0.0, 0.3]]])
    placed = landmarks.by_prototype(points, np.array([[2, 2, 0]]), 3)
    assert placed.shape == (1, 9, 2)
    kinds = placed.reshape(3, 3, 2)
    assert kinds[0].tolist() == [[0.0, 0.3], [0.0, 0.0], [0.0, 0.0]]
    assert (kinds[1] == 0.0).all()
    assert kinds[2].tolist() == [[-0.5, 0.2], [0.5, 0.1], [0.0, 0.0]]


@pytest.mark.parametrize("origin", ["centre", "corner"])
def test_keypoints_in_a_changing_order_tell_landmarks_by_their_prototypes(origin):
    random = chance()
    true = random.uniform(-0.9, 0.9, (60, 3, 2))
    order = np.argsort(random.random((60, 3)), axis=1)
    mixed = np.take_along_axis(true, order[..., None], axis=1)
    train, test = slice(0, 40), slice(40, 60)

    def error(points: np.ndarray) -> float:
        figures = landmarks.regress(
            (points[train], true[train]), (points[test], true[test]), origin=origin
        )
        return figures.error

    assert error(landmarks.by_prototype(mixed, order, 3, origin)) < 1e-6
    assert error(mixed) > 5.0


def test_inputs_that_differ_by_rounding_alone_are_not_leant_on():
    """Log-variances that rise and fall together differ by single precision's last digit."""
    random = chance()
    points = random.normal(size=(200, 3, 2))
    truth = points @ np.array([[0.9, 0.1], [-0.1, 0.9]]) + random.normal(0.0, 0.02, points.shape)
    doubt = np.repeat(random.normal(-4.8, 0.06, (200, 1)), 6, axis=1)
    noisy = (doubt * (1.0 + 6e-8 * random.integers(-1, 2, doubt.shape))).astype(np.float32)
    told = landmarks.fit(points[:100], truth[:100], extra=noisy[:100])
    assert np.abs(told.weights).max() < 10.0
    found = landmarks.error_percent(told(points[100:], noisy[100:]), truth[100:])
    assert found.mean() < 3.0
