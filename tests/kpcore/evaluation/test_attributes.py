"""Linear support vector machines against solutions by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kpcore.errors import DataError
from kpcore.evaluation.attributes import SHAPE_RELATED, fit, recognise

NO_YES = np.array([False, True])


def test_two_points_by_hand():
    # w^2 / 2 + 2 cost (1 - w)^2 is least at w = 4 cost / (1 + 4 cost).
    machine = fit(np.array([[-1.0], [1.0]]), NO_YES)
    assert machine.weights == pytest.approx([0.8], abs=1e-5)
    assert machine.bias == pytest.approx(0.0, abs=1e-5)
    # At distance 1 apart: w^2 / 2 + cost (1 - w / 2)^2 * 2, least at w = 2 cost / (1 + cost).
    machine = fit(np.array([[0.0], [1.0]]), NO_YES, cost=2.0)
    assert machine.weights == pytest.approx([4 / 3], abs=1e-5)
    assert machine.bias == pytest.approx(-2 / 3, abs=1e-5)


def test_points_beyond_the_margin_do_not_count():
    inputs = np.array([[-1.0], [1.0], [50.0]])
    assert fit(inputs, np.array([False, True, True])).weights == pytest.approx([0.8], abs=1e-5)


def test_no_small_step_makes_the_objective_smaller():
    chance = np.random.default_rng(0)
    inputs = chance.normal(size=(80, 4))
    so = inputs @ chance.normal(size=4) + chance.normal(size=80) > 0.3

    def objective(w: np.ndarray) -> float:
        short = np.maximum(0.0, 1.0 - np.where(so, 1.0, -1.0) * (inputs @ w[:4] + w[4]))
        return float(w[:4] @ w[:4]) / 2.0 + 0.5 * float(short @ short)

    machine = fit(inputs, so, cost=0.5)
    best = np.append(machine.weights, machine.bias)
    for _ in range(50):
        assert objective(best) <= objective(best + 0.01 * chance.normal(size=5))


def test_figures_by_hand():
    # The sign of the first input is the answer; the second never varies while learning.
    train = np.array([[-1.0, 5.0], [-2.0, 5.0], [-3.0, 5.0], [1.0, 5.0], [2.0, 5.0]])
    test = np.array([[-4.0, 9.0], [-4.0, 9.0], [4.0, -9.0], [-4.0, 5.0]])
    figures = recognise(
        (train, np.array([0, 0, 0, 1, 1], bool)), (test, np.array([0, 0, 1, 1], bool))
    )
    assert figures.accuracy == pytest.approx(75.0)
    assert figures.balanced == pytest.approx(75.0), "both of the others, half of the yes"
    assert figures.guessing == pytest.approx(50.0)
    assert (figures.fitted, figures.tested) == (5, 4)


def test_test_pictures_that_are_alike_have_no_balance():
    figures = recognise((np.array([[-1.0], [1.0]]), NO_YES), (np.ones((3, 1)), np.ones(3, bool)))
    assert figures.accuracy == 100.0
    assert math.isnan(figures.balanced)


def test_what_cannot_be_learned_from_is_refused_in_one_sentence():
    with pytest.raises(DataError, match="2 of 2 answers are yes"):
        fit(np.zeros((2, 1)), np.ones(2, bool))
    with pytest.raises(DataError, match="at least one"):
        recognise((np.zeros((2, 1)), NO_YES), (np.zeros((0, 1)), np.zeros(0, bool)))


def test_the_papers_thirteen_attributes():
    assert len(set(SHAPE_RELATED)) == 13
    assert list(SHAPE_RELATED) == sorted(SHAPE_RELATED), "the order of CelebA's file and table 3"
