from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore.capabilities import Capabilities
from kpcore.errors import InputError
from kpcore.evaluation.baselines import ConstantVelocity
from kpcore.evaluation.forecast import RollOut
from kpcore.latents import Latents, Topology
from tests.kpcore.evaluation.conftest import SIDE, DotModel


def particles(*batch, presence=None) -> Latents:
    return Latents(
        torch.tensor(batch),
        Topology.flat(len(batch[0])),
        presence=None if presence is None else torch.tensor(presence),
    )


def test_particles_go_on_as_they_moved_whatever_their_rows(dot_model):
    """In the second clip the rows change places between the frames."""
    before = particles([[0.0, 0.0], [0.5, 0.5]], [[0.0, 0.0], [0.5, 0.5]])
    last = particles([[0.1, 0.0], [0.5, 0.4]], [[0.5, 0.4], [0.1, 0.0]])
    first, second = ConstantVelocity(dot_model).predict([before, last], 2)
    assert torch.allclose(first.position[0], torch.tensor([[0.2, 0.0], [0.5, 0.3]]))
    assert torch.allclose(first.position[1], torch.tensor([[0.5, 0.3], [0.2, 0.0]]))
    assert torch.allclose(second.position[0], torch.tensor([[0.3, 0.0], [0.5, 0.2]]))
    assert second.topology is last.topology


def test_particles_that_are_new_or_not_present_stay(dot_model):
    before = particles([[0.0, 0.0], [-0.5, 0.0]], presence=[[1.0, 0.1]])
    last = particles([[0.9, 0.0], [-0.45, 0.0]], presence=[[1.0, 0.1]])
    (after,) = ConstantVelocity(dot_model).predict([before, last], 1)
    assert torch.equal(after.position, last.position)


def test_rows_of_a_family_that_keeps_them_in_order_are_not_matched():
    class Ordered(DotModel):
        @property
        def capabilities(self) -> Capabilities:
            return replace(super().capabilities, ordered=True)

    before = particles([[0.0, 0.0], [0.5, 0.5]])
    last = particles([[0.5, 0.4], [0.1, 0.0]])
    (after,) = ConstantVelocity(Ordered()).predict([before, last], 1)
    assert torch.allclose(after.position[0], torch.tensor([[1.0, 0.8], [-0.3, -0.5]]))


def test_one_frame_has_no_velocity(dot_model):
    one = particles([[0.0, 0.0]])
    with pytest.raises(InputError, match="1 past frames"):
        list(ConstantVelocity(dot_model).predict([one], 1))
    with pytest.raises(InputError, match="1 frames are given"):
        RollOut(ConstantVelocity(dot_model), "v")(torch.zeros(1, 1, 3, SIDE, SIDE), 1)
