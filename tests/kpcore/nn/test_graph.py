from __future__ import annotations

import torch

from kpcore.nn.graph import edges, nearest


def test_each_particle_is_its_own_neighbour_and_the_nearest_come_with_it():
    position = torch.tensor([[[0.0, 0.0], [0.1, 0.0], [0.9, 0.9], [1.0, 0.9]]])
    found = nearest(position, 2)
    assert [set(row) for row in found[0].tolist()] == [{0, 1}, {0, 1}, {2, 3}, {2, 3}]


def test_particles_in_one_place_still_are_their_own_neighbours():
    found = nearest(torch.zeros(1, 6, 2), 3)
    assert all(index in row for index, row in enumerate(found[0].tolist()))


def test_fewer_particles_than_neighbours():
    assert nearest(torch.rand(2, 3, 2), 10).shape == (2, 3, 3)


def test_absent_particles_are_no_neighbours():
    position = torch.tensor([[[0.0, 0.0], [0.1, 0.0], [0.2, 0.0]]])
    present = torch.tensor([[True, False, True]])
    found = nearest(position, 3, present)[0].tolist()
    assert set(found[0]) == {0, 2}
    assert set(found[2]) == {0, 2}


def test_edges_number_the_images_of_a_batch_through():
    index = edges(torch.tensor([[[0, 1], [1, 0]], [[0, 1], [1, 0]]]))
    assert index.tolist() == [[0, 1, 1, 0, 2, 3, 3, 2], [0, 0, 1, 1, 2, 2, 3, 3]]
