from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kpcore.errors import CapabilityError, InputError
from kpcore.evaluation.calibration import measure, roll_out_futures
from kpcore.evaluation.episodes import Episode
from kpcore.latents import Latents, Topology
from tests.kpcore.evaluation.conftest import SIDE, Drift
from tests.kpcore.evaluation.test_prediction import PX, episode


def particles(sigma: float, count: int = 3) -> Latents:
    log_var = torch.full((1, count, 2), 2 * float(np.log(sigma)))
    return Latents(
        torch.zeros(1, count, 2),
        Topology.flat(count),
        position_log_var=log_var,
        feature=torch.ones(1, count, 4),
        feature_log_var=torch.full((1, count, 4), -2.0),
    )


def test_particles_without_a_posterior_are_refused(dot_model):
    plain = replace(particles(0.1), position_log_var=None)
    with pytest.raises(CapabilityError, match="uncertainty"):
        roll_out_futures(Drift(dot_model, (0.0, 0.0)), [plain], steps=2, futures=4)


def test_futures_of_a_steady_predictor_keep_the_spread_of_their_start(dot_model):
    predictor = Drift(dot_model, (2 * PX, 0.0))
    places = roll_out_futures(predictor, [particles(0.05)], steps=5, futures=400)
    assert places.shape == (400, 5, 3, 2)
    assert places[:, 0].std(0).mean() == pytest.approx(0.05, rel=0.1)
    assert np.allclose(places[:, 4] - places[:, 0], [8 * PX, 0.0], atol=1e-6)
    again = roll_out_futures(predictor, [particles(0.05)], steps=5, futures=400)
    assert np.array_equal(places, again)


def test_a_predictor_that_errs_more_than_it_spreads_is_found_out(dot_model):
    """Too fast by 1 px a step; the posterior's deviation is exp(-4.5) = 0.18 px a coordinate."""
    figures = measure(Drift(dot_model, (3 * PX, 0.0)), [episode()], steps=4, futures=64)
    sigma = np.exp(-4.5) * SIDE / 2
    assert figures.spread_px == pytest.approx((sigma * 2**0.5,) * 4, rel=0.3)
    assert figures.error_px == pytest.approx((1, 2, 3, 4), abs=0.15)
    assert figures.inside == (0.0,) * 4
    exact = measure(Drift(dot_model, (2 * PX, 0.0)), [episode()], steps=4, futures=64)
    assert max(exact.error_px) < max(exact.spread_px)
    assert exact.inside == (100.0,) * 4


def test_what_cannot_be_judged_is_refused(dot_model):
    predictor = Drift(dot_model, (0.0, 0.0))
    with pytest.raises(InputError, match="at least 2"):
        measure(predictor, [episode()], 4, futures=1)
    with pytest.raises(InputError, match="no true tracks"):
        measure(predictor, [Episode(episode().frames, "film")], 4)
    with pytest.raises(InputError, match="no particle"):
        measure(predictor, [episode(seen=0)], 4)
