from __future__ import annotations

import torch

from kpcore.capabilities import Capabilities, constrain
from kpcore.latents import Latents, Topology


def at(*points: tuple[float, float], presence: list[float] | None = None) -> Latents:
    return Latents(
        torch.tensor([points]),
        Topology.flat(len(points)),
        presence=None if presence is None else torch.tensor([presence]),
    )


def test_what_fits_is_returned_itself() -> None:
    latents = at((0.5, -0.5), presence=[0.3])
    assert constrain(latents, Capabilities((8, 8), 1, presence="gate")) is latents


def test_positions_and_presence_are_held() -> None:
    held = constrain(at((2.0, -3.0), presence=[1.5]), Capabilities((8, 8), 1, presence="gate"))
    assert held.rows("position") == [[1.0, -1.0]]
    assert held.rows("presence") == [1.0]


def test_positions_snap_to_the_nearest_lattice_cell() -> None:
    held = constrain(at((0.1, -0.9), (1.0, 1.0)), Capabilities((8, 8), 2, lattice=(4, 2)))
    # two columns at -0.5, 0.5; four rows at -0.75, -0.25, 0.25, 0.75
    assert held.rows("position") == [[0.5, -0.75], [0.5, 0.75]]


def test_counts_are_whole() -> None:
    held = constrain(
        at((0.0, 0.0), (0.0, 0.0), presence=[0.4, 0.6]), Capabilities((8, 8), 2, presence="count")
    )
    assert held.rows("presence") == [0.0, 1.0]
