from __future__ import annotations

import torch

from kpcore.latents import Latents, Topology
from kpstudio.services.linking import Linker, link


def particles(places: list[tuple[float, float]], presence: list[float] | None = None) -> Latents:
    return Latents(
        torch.tensor([places]),
        Topology.flat(len(places)),
        presence=None if presence is None else torch.tensor([presence]),
    )


BEFORE = [(-0.5, 0.0), (0.0, 0.5), (0.6, -0.4)]


def moved(order: list[int]) -> list[tuple[float, float]]:
    return [(BEFORE[i][0] + 0.03, BEFORE[i][1] - 0.02) for i in order]


def test_shuffled_particles_are_found_again():
    found = link(particles(BEFORE), particles(moved([2, 0, 1])))
    assert found.rows == (1, 2, 0)
    assert found.matched == (True, True, True)


def test_an_absent_particle_keeps_its_row_s_number_without_being_matched():
    before = particles(BEFORE, [1.0, 1.0, 1.0])
    after = particles(moved([1, 2, 0]), [0.1, 1.0, 1.0])
    found = link(before, after)
    assert found.rows == (2, 0, 1)
    assert found.matched == (True, False, True)


def test_what_is_too_far_away_takes_what_is_left():
    found = link(particles(BEFORE), particles([*moved([1, 0]), (-0.9, -0.9)]))
    assert found.rows == (1, 0, 2)
    assert found.matched == (True, True, False)


def test_fewer_particles_than_before():
    found = link(particles(BEFORE), particles(moved([2, 0])))
    assert found.rows == (1, -1, 0)
    assert found.matched == (True, False, True)


def test_frames_are_linked_once_both_are_known_in_any_order():
    linker = Linker(lambda frame: "clip.mp4")
    assert linker.add(4, particles(BEFORE)) == {}
    assert linker.add(6, particles(BEFORE)) == {}
    assert linker.add(5, particles(moved([2, 0, 1]))).keys() == {4, 5}
    assert linker.add(5, particles(BEFORE)) == {}


def test_frames_of_two_files_never_continue_each_other():
    linker = Linker(lambda frame: f"{frame // 2}.mp4")
    linker.add(0, particles(BEFORE))
    assert linker.add(1, particles(BEFORE)).keys() == {0}
    assert linker.add(2, particles(BEFORE)) == {}


def test_keypoints_that_keep_their_rows_are_not_matched():
    linker = Linker(lambda frame: "clip.mp4", ordered=True)
    linker.add(0, particles(BEFORE))
    assert linker.add(1, particles(moved([2, 0, 1])))[0].rows == (0, 1, 2)
