"""Actions told from clips of keypoints."""

from __future__ import annotations

import pytest
import torch

from kpcore.errors import DataError
from kpcore.evaluation.actions import recognise


def clips(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One point that goes right, left or up; where it starts tells nothing."""
    chance = torch.Generator().manual_seed(seed)
    action = torch.arange(count) % 3
    start = torch.rand(count, 1, 2, generator=chance) - 0.5
    way = torch.tensor([[0.1, 0.0], [-0.1, 0.0], [0.0, -0.1]])[action]
    points = start + way[:, None] * torch.arange(8.0)[:, None]
    return points[:, :, None], action


def test_motion_tells_the_action():
    figures = recognise(clips(90, 1), clips(30, 2), 3, hidden=16, steps=150, rate=1e-2)
    assert figures.accuracy > 90.0
    assert figures.chance == pytest.approx(100.0 / 3.0)
    assert figures.clips == 30
    assert figures.keypoints == 1
    assert [sum(row) for row in figures.confusion] == [10, 10, 10]
    right = sum(figures.confusion[action][action] for action in range(3))
    assert figures.accuracy == pytest.approx(100.0 * right / 30.0)


def test_labels_without_meaning_are_told_no_better_than_by_chance():
    points, action = clips(90, 1)
    shuffled = action[torch.randperm(90, generator=torch.Generator().manual_seed(3))]
    figures = recognise((points, shuffled), clips(60, 2), 3, hidden=16, steps=60)
    assert figures.accuracy < 60.0


def test_the_same_seed_gives_the_same_figures_and_leaves_the_callers_chance_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = recognise(clips(30, 1), clips(30, 2), 3, hidden=8, steps=10)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert recognise(clips(30, 1), clips(30, 2), 3, hidden=8, steps=10) == first


def test_what_cannot_be_learned_from_is_refused_in_one_sentence():
    points, action = clips(6, 1)
    with pytest.raises(DataError, match="0 test clips"):
        recognise((points, action), (points[:0], action[:0]), 3)
    with pytest.raises(DataError, match="accepted is 0 to 1"):
        recognise((points, action), (points, action), 2)
