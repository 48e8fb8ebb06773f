from __future__ import annotations

from itertools import chain

import pytest
import torch

from kpcore.api import Phase, Window
from kpcore.errors import DataError
from kpcore.training.order import batches, draw_of_step, indices_of_step


def test_each_pass_shows_every_picture_once_in_another_order():
    steps = [indices_of_step(step, 3, 10, seed=4) for step in range(10)]
    shown = list(chain.from_iterable(steps))
    passes = [shown[n : n + 10] for n in (0, 10, 20)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert passes[0] != passes[1]


def test_order_depends_on_the_seed_alone():
    assert indices_of_step(7, 4, 100, seed=1) == indices_of_step(7, 4, 100, seed=1)
    assert indices_of_step(7, 4, 100, seed=1) != indices_of_step(7, 4, 100, seed=2)


def test_processes_share_a_step():
    whole = indices_of_step(5, 7, 20, seed=0)
    parts = [indices_of_step(5, 7, 20, 0, rank, 3) for rank in range(3)]
    assert sorted(chain.from_iterable(parts)) == sorted(whole)


def test_endless_data_never_repeats():
    shown = chain.from_iterable(indices_of_step(step, 5, 0, seed=0) for step in range(4))
    assert list(shown) == list(range(20))


class _Source:
    """Pictures that tell their index; the reference tells what it was drawn from."""

    window = Window(reference_within=1)

    def images(self, indices):
        if 5 in indices:
            raise DataError("frame 5 cannot be read")
        return torch.tensor(indices, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)

    def references(self, indices, draw):
        seed, step = draw
        return self.images([100 * seed + step + index for index in indices])


def test_pictures_come_in_order_and_trouble_comes_through():
    steps = [(step, [index]) for step, index in enumerate([1, 2, 3, 5, 6], 4)]
    stream = batches(_Source(), iter(steps), seed=1, ahead=2)  # type: ignore[arg-type]
    first = [next(stream) for _ in range(3)]
    assert [int(frames.image[0, 0, 0, 0]) for frames in first] == [1, 2, 3]
    assert [int(frames.reference[0, 0, 0, 0]) for frames in first] == [105, 107, 109]
    with pytest.raises(DataError, match="frame 5"):
        next(stream)


def test_phases_may_keep_the_pictures_of_the_step_before():
    def phase(steps: int, keeps: bool) -> Phase:
        return Phase("one", torch.nn.Linear(1, 1), None, steps, keeps_batch=keeps)  # type: ignore[arg-type]

    phases = [phase(2, False), phase(3, True)]
    assert [draw_of_step(phases, step) for step in range(11)] == [0, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4]
    assert [draw_of_step(phases[:1], step) for step in range(5)] == list(range(5))
