from __future__ import annotations

import pytest
import torch

from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.models.dlp_gcn.networks import Dynamics


def parts(seed: int = 0, batch: int = 2, count: int = 5, features: int = 3):
    chance = torch.Generator().manual_seed(seed)
    position = torch.rand(batch, 2, count, 2, generator=chance) * 2 - 1
    feature = torch.randn(batch, 2, count, features, generator=chance)
    presence = torch.ones(batch, 2, count)
    return position, feature, presence, presence > 0.5


def network(**changes: object) -> Dynamics:
    torch.manual_seed(1)
    made = Dynamics(GCNConfig(hidden=16, **{"radius": 0.8, **changes}), 3)  # type: ignore[arg-type]
    made.change.weight.data.normal_()
    return made


def test_changes_stay_below_their_limits():
    position, feature, presence, present = parts()
    made = network()
    made.change.weight.data.mul_(1e4)
    shift, change = made(position, feature, presence, present)
    assert float(shift.detach().abs().max()) == pytest.approx(0.2, rel=1e-4)
    assert float(change.detach().abs().max()) == pytest.approx(0.02, rel=1e-4)


def test_absent_particles_do_not_change_and_are_not_seen():
    position, feature, presence, present = parts()
    present[:, 1, 2] = False
    made = network()
    shift, change = made(position, feature, presence, present)
    assert not shift[:, 1, 2].any()
    assert not change[:, 1, 2].any()
    feature[:, 1, 2] += 5.0
    position[:, 1, 2] = 0.0
    again, _ = made(position, feature, presence, present)
    assert torch.equal(shift, again)


def test_only_particles_within_the_radius_are_seen():
    position, feature, presence, present = parts(batch=1)
    position[..., 0] = torch.linspace(-1, 1, 5)
    position[..., 1] = 0.0
    made = network(radius=0.6)
    shift, _ = made(position, feature, presence, present)
    feature[:, :, 4] += 5.0
    again, _ = made(position, feature, presence, present)
    same = (shift == again).all(-1)
    assert same[0, :, :2].all(), "two layers reach two radii"
    assert not same[0, :, 2:].any()


def test_the_order_of_particles_does_not_matter():
    position, feature, presence, present = parts()
    made = network(relative_edges=True)
    shift, _ = made(position, feature, presence, present)
    order = torch.tensor([3, 0, 4, 1, 2])
    position[:, 1], feature[:, 1] = position[:, 1, order], feature[:, 1, order]
    again, _ = made(position, feature, presence, present)
    torch.testing.assert_close(again[:, 1], shift[:, 1, order], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(again[:, 0], shift[:, 0], atol=1e-6, rtol=1e-4)


def test_frames_are_told_apart():
    position, feature, presence, present = parts()
    position[:, 1], feature[:, 1] = position[:, 0], feature[:, 0]
    shift, _ = network()(position, feature, presence, present)
    assert not torch.allclose(shift[:, 0], shift[:, 1])
