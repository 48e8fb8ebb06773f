from __future__ import annotations

import numpy as np
import pytest

from kpstudio.session.tracks import Link, Tracks


def clip(frames: int, count: int, seed: int = 0) -> tuple[list[Link], list[tuple[int, ...]]]:
    """Links of a clip whose model shuffles its rows, and each row's true number."""
    rng = np.random.default_rng(seed)
    links, truth = [], [tuple(range(count))]
    for _ in range(frames - 1):
        rows = tuple(rng.permutation(count).tolist())
        links.append(Link(rows, (True,) * count))
        after = [0] * count
        for row, other in enumerate(rows):
            after[other] = truth[-1][row]
        truth.append(tuple(after))
    return links, truth


@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_numbers_follow_the_particles_in_whatever_order_links_come(order: str):
    links, truth = clip(30, 6)
    frames = list(range(29))
    if order == "backward":
        frames.reverse()
    elif order == "shuffled":
        np.random.default_rng(1).shuffle(frames)
    tracks = Tracks()
    tracks.begin(0, tuple(range(6)))
    for frame in frames:
        tracks.link(frame, links[frame])
    assert [tracks.numbers(frame) for frame in range(30)] == truth


def test_numbers_spread_both_ways_from_the_first_frame_looked_at():
    links, truth = clip(20, 4)
    tracks = Tracks()
    tracks.begin(12, truth[12])
    for frame, link in enumerate(links):
        tracks.link(frame, link)
    assert [tracks.numbers(frame) for frame in range(20)] == truth


def test_numbers_never_change_once_they_are_shown():
    links, _ = clip(20, 4)
    tracks = Tracks()
    tracks.begin(5, (0, 1, 2, 3))
    seen: dict[int, object] = {}
    for frame in np.random.default_rng(3).permutation(19).tolist():
        tracks.link(frame, links[frame])
        for other in range(20):
            numbers = tracks.numbers(other)
            if numbers is not None:
                assert seen.setdefault(other, numbers) == numbers
                assert sorted(numbers) == [0, 1, 2, 3]


def test_a_trail_ends_where_a_particle_was_lost_though_its_number_lives_on():
    tracks = Tracks()
    tracks.begin(0, (0, 1))
    tracks.link(0, Link((1, 0), (True, False)))
    assert tracks.numbers(1) == (1, 0)
    assert tracks.before(1, 1) == 0
    assert tracks.before(1, 0) is None


def test_frames_of_another_count_get_free_numbers():
    tracks = Tracks()
    tracks.begin(0, (0, 1, 2))
    tracks.link(0, Link((1, -1, 0), (True, False, True)))
    assert tracks.numbers(1)[:2] == (2, 0)
    assert len(set(tracks.numbers(1))) == len(tracks.numbers(1))


def test_frames_that_are_not_linked_have_no_numbers():
    tracks = Tracks()
    tracks.begin(0, (0, 1))
    assert tracks.numbers(7) is None
    assert not tracks.is_linked(0)
    tracks.link(6, Link((0, 1), (True, True)))
    assert tracks.numbers(7) is None
    assert tracks.is_linked(7)
