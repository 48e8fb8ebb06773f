from __future__ import annotations

import numpy as np
import pytest
import torch

from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents, Topology
from kpcore.tracking import ABSENT, Tracker, follow, match


def particles(*places, feature=None, presence=None, prototype=None) -> Latents:
    return Latents(
        torch.tensor([places], dtype=torch.float32).reshape(1, len(places), 2),
        Topology.flat(len(places)),
        feature=None if feature is None else torch.tensor([feature], dtype=torch.float32),
        presence=None if presence is None else torch.tensor([presence], dtype=torch.float32),
        prototype=None if prototype is None else torch.tensor([prototype]),
    )


# -- one step -------------------------------------------------------------------------------------
def test_nearest_particles_are_paired_whatever_their_rows():
    found = match(particles((0, 0), (0.5, 0.5)), particles((0.5, 0.45), (0.05, 0)))
    assert found.pairs == ((0, 1), (1, 0))
    assert found.lost == found.new == ()
    assert found.distance == pytest.approx((0.05, 0.05))
    assert found.after(0) == 1


def test_the_sum_of_costs_is_least_not_each_ones_own():
    """Greedily 1 would go to the place 0.06 away, and 0 would be left 0.16 away."""
    found = match(particles((0.0, 0), (0.1, 0)), particles((0.04, 0), (0.2, 0)), gate=0.3)
    assert found.pairs == ((0, 0), (1, 1))


def test_beyond_the_gate_one_is_lost_and_one_is_new():
    found = match(particles((0, 0), (0.5, 0)), particles((0, 0.01), (0.9, 0)), gate=0.2)
    assert found.pairs == ((0, 0),)
    assert (found.lost, found.new) == ((1,), (1,))
    assert found.after(1) is None


def test_a_good_pair_is_not_broken_for_a_second_bad_one():
    """Two pairs of 0.19 each cost 1.81, one pair of 0 and two without partner cost 1."""
    before, after = particles((0.0, 0), (0.19, 0)), particles((0.19, 0), (0.38, 0))
    assert match(before, after, gate=0.2, feature_weight=0).pairs == ((1, 0),)


def test_features_decide_where_particles_cross():
    before = particles((0, 0), (0.1, 0), feature=[[1, 0], [0, 1]])
    after = particles((0.04, 0), (0.06, 0), feature=[[0, 1], [1, 0]])
    assert match(before, after).pairs == ((0, 1), (1, 0))
    assert match(before, after, feature_weight=0).pairs == ((0, 0), (1, 1))


def test_prototypes_decide_where_there_are_no_features():
    before = particles((0, 0), (0.1, 0), prototype=[3, 5])
    after = particles((0.04, 0), (0.06, 0), prototype=[5, 3])
    assert match(before, after).pairs == ((0, 1), (1, 0))


def test_particles_that_are_not_present_take_no_part():
    before = particles((0, 0), (0.5, 0), presence=[0.1, 0.9])
    after = particles((0, 0), (0.5, 0.02), (0.9, 0.9), presence=[0.9, 0.9, 0.2])
    found = match(before, after)
    assert found.pairs == ((1, 1),)
    assert (found.lost, found.new) == ((), (0,))


def test_nothing_matches_nothing():
    nothing, one = particles(), particles((0, 0))
    assert match(nothing, one).new == (0,)
    assert match(one, nothing).lost == (0,)
    assert match(nothing, nothing).pairs == ()


def test_pictures_without_present_particles_match_nothing_though_they_have_features():
    gone = particles((0, 0), feature=[[1.0, 2.0]], presence=[0.1])
    assert match(gone, gone).pairs == ()


def test_a_shuffled_moved_picture_is_unshuffled():
    random = np.random.default_rng(0)
    place = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 10), np.linspace(-0.9, 0.9, 10)), -1)
    place = place.reshape(-1, 2)
    order = random.permutation(100)
    later = (place + random.uniform(-0.09, 0.09, place.shape))[order]
    found = match(particles(*place.tolist()), particles(*later.tolist()), gate=0.15)
    assert all(order[new] == old for old, new in found.pairs)
    assert len(found.pairs) == 100


@pytest.mark.parametrize("wrong", [{"gate": 0.0}, {"gate": float("nan")}, {"feature_weight": -1.0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="gate"):
        match(particles((0, 0)), particles((0, 0)), **wrong)


def test_batches_and_foreign_features_are_refused():
    one = particles((0, 0), feature=[[1.0]])
    with pytest.raises(ShapeError, match="one picture"):
        match(Latents.stack([one, one]), one)
    with pytest.raises(ShapeError, match="features of 1 and of 2"):
        match(one, particles((0, 0), feature=[[1.0, 2.0]]))


# -- over frames ----------------------------------------------------------------------------------
def test_numbers_stay_with_their_particles():
    frames = [
        particles((0, 0), (0.5, 0)),
        particles((0.5, 0.05), (0, 0.05)),
        particles((0.5, 0.1), (-0.9, 0), (0, 0.1)),
        particles((0, 0.15), (-0.9, 0)),
    ]
    assert follow(frames) == ((0, 1), (1, 0), (1, 2, 0), (0, 2))


def test_a_number_is_not_given_twice_and_absent_rows_have_none():
    frames = [particles((0, 0)), particles((0, 0), presence=[0.0]), particles((0, 0))]
    assert follow(frames) == ((0,), (ABSENT,), (1,))


def test_with_patience_a_hidden_particle_comes_back_under_its_number():
    tracker = Tracker(patience=2)
    seen = particles((0, 0), (0.5, 0))
    hidden = particles((0, 0), (0.5, 0), presence=[1.0, 0.0])
    assert tracker.add(seen) == (0, 1)
    assert tracker.add(hidden) == (0, ABSENT)
    assert tracker.add(hidden) == (0, ABSENT)
    assert tracker.add(seen) == (0, 1)
    for _ in range(3):
        tracker.add(hidden)
    assert tracker.add(seen) == (0, 2)


def test_negative_patience_is_refused():
    with pytest.raises(InputError, match="patience"):
        Tracker(patience=-1)
