from __future__ import annotations

import numpy as np
import pytest

from kpstudio.services.playback import Playback


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def playback(clock: Clock) -> Playback:
    made = Playback(clock)
    made.set_media(100, 25.0)
    return made


def always(frame: int) -> bool:
    return True


def run(playback: Playback, clock: Clock, seconds: float, ready=always, tick=0.01) -> list[int]:
    shown = []
    for _ in range(round(seconds / tick)):
        frame = playback.advance(ready)
        if frame is not None:
            shown.append(frame)
        clock.now += tick
    return shown


def test_every_frame_is_shown_at_its_time(playback: Playback, clock: Clock):
    playback.play()
    shown = run(playback, clock, 1.02)
    assert shown == list(range(1, 26))
    assert playback.stats.dropped == 0
    assert playback.stats.frames_per_s == pytest.approx(25, abs=1)


def test_it_stops_at_the_end_and_begins_again(playback: Playback, clock: Clock):
    playback.seek(97)
    playback.play()
    assert run(playback, clock, 1.0) == [98, 99]
    assert not playback.playing
    playback.play()
    assert playback.frame == 0


def test_late_frames_are_dropped_and_counted_never_queued(playback: Playback, clock: Clock):
    playback.play()
    shown = run(playback, clock, 2.0, ready=lambda frame: frame % 5 == 0)
    assert shown == list(range(5, 50, 5))
    assert playback.stats.dropped == 4 * len(shown)
    assert playback.stats.shown == len(shown)


def test_a_stall_of_the_window_drops_what_was_missed(playback: Playback, clock: Clock):
    playback.play()
    run(playback, clock, 0.1)
    clock.now += 1.0
    assert playback.advance(always) == 27
    assert playback.stats.dropped == 24


def test_a_seek_waits_for_its_frame_without_counting(playback: Playback, clock: Clock):
    playback.play()
    run(playback, clock, 0.2)
    playback.seek(50)
    assert run(playback, clock, 0.5, ready=lambda frame: False) == []
    assert run(playback, clock, 0.05) == [51]
    assert playback.stats.dropped == 0


@pytest.mark.parametrize(("speed", "frames"), [(0.5, 12), (2.0, 50), (1.1, 27)])
def test_speed(playback: Playback, clock: Clock, speed: float, frames: int):
    playback.set_speed(speed)
    playback.play()
    shown = run(playback, clock, 1.02)
    assert shown[-1] == frames
    assert playback.stats.dropped == 0


def test_what_no_screen_could_show_is_not_called_dropped(playback: Playback, clock: Clock):
    playback.set_speed(16.0)
    playback.play()
    run(playback, clock, 0.2, tick=1 / 60)
    assert playback.stats.dropped == 0
    assert playback.frame > 60


def test_a_change_of_speed_does_not_jump(playback: Playback, clock: Clock):
    playback.play()
    run(playback, clock, 1.0)
    at = playback.frame
    playback.set_speed(4.0)
    assert run(playback, clock, 0.02)[-1:] in ([at + 1], [at + 2])


def test_loop_all_goes_round_without_a_pause(playback: Playback, clock: Clock):
    playback.set_loop("all")
    playback.seek(97)
    playback.play()
    assert playback.upcoming(5) == [97, 98, 99, 0, 1]
    assert run(playback, clock, 0.2)[:4] == [98, 99, 0, 1]
    assert playback.stats.dropped == 0


def test_one_key_sets_a_then_b_then_clears(playback: Playback, clock: Clock):
    playback.seek(30)
    playback.mark()
    assert (playback.mark_a, playback.mark_b, playback.loop) == (30, None, "off")
    playback.seek(20)
    playback.mark()
    assert (playback.mark_a, playback.mark_b, playback.loop) == (20, 30, "ab")
    playback.play()
    shown = run(playback, clock, 1.0)
    assert set(shown) == set(range(20, 31))
    assert shown[10:13] == [20, 21, 22] or shown[9:12] == [30, 20, 21]
    playback.mark()
    assert (playback.mark_a, playback.mark_b, playback.loop) == (None, None, "off")


def test_frames_of_a_variable_rate_come_at_their_own_times(clock: Clock):
    times = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.02, 0.3, 39)])
    playback = Playback(clock)
    playback.set_media(40, 7.0, times.tolist())
    playback.play()
    playback.advance(always)
    began = clock.now
    for _ in range(4000):
        clock.now += 0.005
        frame = playback.advance(always)
        if frame is not None:
            assert clock.now - began == pytest.approx(times[frame], abs=0.006)
    assert playback.frame == 39
    assert playback.stats.dropped == 0


def test_playback_goes_on_past_the_media(playback: Playback, clock: Clock):
    playback.set_beyond(10)
    playback.seek(95)
    playback.play()
    assert run(playback, clock, 1.0)[-1] == 109
    playback.set_beyond(0)
    assert playback.count == 100
    assert playback.seek(105) == 99


def test_one_frame_does_not_play(clock: Clock):
    playback = Playback(clock)
    playback.set_media(1, 25.0)
    playback.play()
    assert not playback.playing


def test_the_next_tick_is_when_the_next_frame_is_due(playback: Playback, clock: Clock):
    playback.play()
    playback.advance(always)
    assert playback.next_due_s() == pytest.approx(0.04)
    clock.now += 0.03
    assert playback.next_due_s() == pytest.approx(0.01, abs=1e-3)


def test_a_reader_that_is_too_slow_falls_behind_by_no_more_than_it_needs(
    playback: Playback, clock: Clock
):
    """One frame is read in the time of three: it is always one that is due or to come."""
    playback.play()
    playback.advance(always)
    read, busy_until, reading = {0}, 0.0, 0
    for _ in range(300):
        clock.now += 0.01
        if clock.now >= busy_until:
            read.add(reading)
            wanted = [frame for frame in playback.upcoming(60) if frame not in read]
            reading, busy_until = wanted[0], clock.now + 0.12
        playback.advance(lambda frame: frame in read)
    due = playback.frame_at(3.0)
    assert due - playback.frame <= 7
    assert playback.stats.dropped > playback.stats.shown


def test_fast_forward_reads_only_what_can_be_shown(playback: Playback, clock: Clock):
    playback.set_speed(16.0)
    assert playback.upcoming(3) == [0, 7, 14]
