"""From a score map to keypoints, and from keypoints to maps."""

from __future__ import annotations

import pytest
import torch

from kpcore.models.tusk.networks import (
    nearest_prototype,
    peaks,
    read,
    refined,
    smoothed,
    splats,
)


def pixel(row: float, column: float, size: int) -> list[float]:
    return [(2 * column + 1) / size - 1, (2 * row + 1) / size - 1]


def test_only_the_highest_of_a_window_stays():
    score = torch.full((1, 20, 20), 0.1)
    score[0, 4, 4], score[0, 5, 6], score[0, 15, 10] = 0.9, 0.8, 0.7
    found = peaks(score, 2, window=5)
    assert found.row.tolist() == [[4, 15]]
    assert found.column.tolist() == [[4, 10]]
    assert found.found.tolist() == [[1.0, 1.0]]


def test_a_flat_ground_gives_one_place_per_window_at_most():
    found = peaks(torch.full((1, 20, 20), 0.5), 9, window=5)
    assert found.found.sum() == 1.0, "equality alone would keep all 400 places"
    assert (found.row[0, 0], found.column[0, 0]) == (0, 0)


def test_saturated_neighbours_give_one_keypoint():
    score = torch.zeros(1, 20, 20)
    score[0, 8:11, 8:11] = 1.0
    found = peaks(score, 2, window=5)
    assert found.row[0, 0] == 8
    assert found.column[0, 0] == 8
    chosen = torch.stack([found.row[0], found.column[0]], -1).float()
    assert (chosen[0] - chosen[1]).abs().max() > 2


def test_where_peaks_run_out_the_next_best_places_fill_up_and_say_so():
    score = torch.arange(16.0).view(1, 4, 4) / 16
    found = peaks(score, 3, window=9)
    assert found.found.tolist() == [[1.0, 0.0, 0.0]]
    assert (found.row * 4 + found.column).tolist() == [[15, 14, 13]]


def test_a_place_is_the_weighted_mean_of_its_window():
    score = torch.zeros(1, 20, 20)
    score[0, 10, 10], score[0, 10, 11] = 1.0, 1.0
    place = refined(score, peaks(score, 1, 5), 5, softness=0.01)
    torch.testing.assert_close(place[0, 0], torch.tensor(pixel(10, 10.5, 20)))


def test_softness_flattens_the_mean_by_the_formula():
    score = torch.zeros(1, 20, 20)
    score[0, 10, 10], score[0, 10, 12] = 1.0, 0.5
    place = refined(score, peaks(score, 1, 5), 5, softness=0.2)
    near, far = torch.tensor(1.0 / 0.2).exp(), torch.tensor(0.5 / 0.2).exp()
    # 23 other cells of weight 1; those in the far column miss the far cell.
    shift = float((2 * far - 2) / (near + far + 23))
    torch.testing.assert_close(place[0, 0], torch.tensor(pixel(10, 10 + shift, 20)))


def test_gradients_of_a_place_reach_the_whole_window_and_nothing_else():
    score = (torch.rand(1, 20, 20) * 0.1).requires_grad_()
    with torch.no_grad():
        score[0, 10, 10] = 1.0
    refined(score, peaks(score, 1, 5), 5, 0.2).sum().backward()
    assert score.grad is not None
    touched = score.grad[0].nonzero()
    assert touched.min(0).values.tolist() == [8, 8]
    assert touched.max(0).values.tolist() == [12, 12]


def test_a_corner_stays_in_the_picture():
    score = torch.zeros(1, 20, 20)
    score[0, 0, 0] = 1.0
    place = refined(score, peaks(score, 1, 13), 13, 0.2)
    assert place.abs().max() <= 1.0


def test_reading_is_bilinear_between_pixels():
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    place = torch.tensor([[pixel(1, 1, 4), pixel(1, 1.25, 4), pixel(1.5, 2, 4)]])
    torch.testing.assert_close(read(maps, place)[0, :, 0], torch.tensor([5.0, 5.25, 8.0]))


def test_splats_sum_to_one_and_narrow_ones_are_nearly_a_pixel():
    place = torch.tensor([[pixel(5, 5.25, 20), pixel(5, 5.5, 20)]])
    rows, columns = splats(place, 20, 0.05)
    torch.testing.assert_close(rows.sum(-1), torch.ones(1, 2))
    # Ratio of the neighbours at a quarter: exp(-10 (1 - 2/4)).
    assert float(columns[0, 0, 6] / columns[0, 0, 5]) == pytest.approx(0.0067379, rel=1e-3)
    torch.testing.assert_close(columns[0, 1, 5:7], torch.tensor([0.5, 0.5]))


def test_the_nearest_prototype_is_that_of_the_smallest_angle():
    prototypes = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert nearest_prototype(torch.tensor([[0.6, 0.8], [0.1, 0.99]]), prototypes).tolist() == [1, 2]


def test_smoothed_scores_give_one_maximum_where_two_stood_close_and_keep_flat_ones():
    score = torch.full((1, 24, 24), 0.2)
    score[0, 12, 10:15] = torch.tensor([0.9, 0.8, 0.75, 0.8, 0.89])
    score[0, 3:5, 3:5] = 0.85
    plain, calm = peaks(score, 2, 3), peaks(smoothed(score, 1.0), 2, 3)
    assert plain.row.tolist() == [[12, 12]]
    assert sorted(calm.row[0].tolist()) in ([3, 12], [4, 12])
    flat = torch.full((1, 8, 8), 0.5)
    torch.testing.assert_close(smoothed(flat, 2.0), flat)
    assert smoothed(score, 0.0) is score
