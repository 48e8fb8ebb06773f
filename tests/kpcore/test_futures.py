from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore.errors import CapabilityError, InputError
from kpcore.futures import drawn, spread
from kpcore.latents import Latents, Topology


@pytest.fixture
def latents() -> Latents:
    return Latents(
        torch.tensor([[[0.0, 0.5], [-0.5, 0.0]]]),
        Topology.flat(2),
        position_log_var=torch.tensor([[[-2.0, -4.0], [-40.0, -40.0]]]),
        feature=torch.zeros(1, 2, 3),
        feature_log_var=torch.zeros(1, 2, 3),
        presence=torch.ones(1, 2),
        background=torch.ones(1, 4),
    )


def test_draws_have_the_spread_that_the_posterior_says(latents: Latents):
    (many,) = drawn([latents], 4000, seed=1)
    assert many.batch_shape == (4000,)
    assert many.position[1:, 0].std(0).tolist() == pytest.approx([0.3679, 0.1353], rel=0.05)
    assert float((many.position[:, 1] - latents.position[:, 1]).abs().max()) < 1e-6
    assert many.feature is not None
    assert float(many.feature.std()) == pytest.approx(1.0, rel=0.05)
    assert many.background is not None
    assert many.background.shape == (4000, 4)


def test_the_first_future_is_the_likeliest(latents: Latents):
    (many,) = drawn([latents], 3)
    assert torch.equal(many.position[:1], latents.position)
    assert not torch.equal(many.position[1], many.position[2])


def test_the_same_seed_draws_the_same_and_frames_differ(latents: Latents):
    first, second = drawn([latents, latents], 5, seed=7)
    again, _ = drawn([latents, latents], 5, seed=7)
    other, _ = drawn([latents, latents], 5, seed=8)
    assert torch.equal(first.position, again.position)
    assert not torch.equal(first.position, second.position)
    assert not torch.equal(first.position, other.position)


def test_what_cannot_be_drawn_is_refused(latents: Latents):
    sure = replace(latents, position_log_var=None)
    assert drawn([sure], 1)[0].position.shape == (1, 2, 2)
    with pytest.raises(CapabilityError, match="one future only"):
        drawn([sure], 2)
    with pytest.raises(InputError, match="0 futures"):
        drawn([latents], 0)
    with pytest.raises(InputError, match=r"\(2,\)"):
        drawn([Latents.stack([latents, latents])], 2)


def test_spread_is_the_distance_from_the_mean():
    position = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.6, 0.8], [1.0, 1.0]]])
    assert spread(position).tolist() == pytest.approx([0.5, 0.0])
    assert spread(position[:1]).tolist() == [0.0, 0.0]
