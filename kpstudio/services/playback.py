"""Which frame is due now: play, pause, speed, loop and A-B loop by a monotonic clock.

Knows no Qt, no pictures and no threads. Time runs whether or not frames are ready; a frame that is
not ready when it is due is passed over and counted, never queued.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from psygnal import Signal

Loop: TypeAlias = Literal["off", "all", "ab"]

STILL_RATE = 10.0
"""Frames per second of media that have no rate of their own, such as folders."""
FASTEST, SLOWEST = 16.0, 0.05
SPEED_STEP = 1.1
"""Factor of one key press, as mpv has it."""
SCREEN_RATE = 60.0
"""Frames per second beyond which skipping is meant: no screen shows more."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How playback went.

    Attributes:
        frames_per_s: Frames shown in the last second.
        shown: Frames shown since play was last pressed.
        dropped: Frames that came too late since then.
    """

    frames_per_s: float = 0.0
    shown: int = 0
    dropped: int = 0


class Playback:
    """Transport of one clip; told what is ready, it says what to show."""

    changed = Signal()
    """Playing, speed, loop, marks or extent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start paused with nothing to play.

        Args:
            clock: Seconds that never run backwards.
        """
        self._clock = clock
        self._times: Sequence[float] = ()
        self._rate = STILL_RATE
        self._count = 0
        self._beyond = 0
        self._frame = 0
        self._playing = False
        self._speed = 1.0
        self._loop: Loop = "off"
        self._mark_a: int | None = None
        self._mark_b: int | None = None
        self._since: tuple[float, float] | None = None
        self._shown_at: deque[float] = deque(maxlen=256)
        self._shown = self._dropped = 0

    # -- what there is to play -------------------------------------------------------------------
    def set_media(self, count: int, rate: float | None = None, times: Sequence[float] = ()) -> None:
        """Play another clip, from its first frame, paused.

        Args:
            count: Number of frames.
            rate: Frames per second; None for stills.
            times: Seconds of each frame from the first, rising; empty when they are even.
        """
        self._count, self._beyond = count, 0
        self._rate = rate or STILL_RATE
        self._times = tuple(times) if len(times) == count else ()
        self._frame = 0
        self._mark_a = self._mark_b = None
        if self._loop == "ab":
            self._loop = "off"
        self._playing = False
        self._since = None
        self._reset_counts()
        self.changed.emit()

    def set_beyond(self, frames: int) -> None:
        """Have `frames` more frames follow the media, e.g. predicted ones."""
        if frames != self._beyond:
            self._beyond = max(0, frames)
            self._hold_marks()
            self._restart()
            self.changed.emit()

    @property
    def count(self) -> int:
        """Frames that can be shown: those of the media and those beyond."""
        return self._count + self._beyond

    @property
    def rate(self) -> float:
        """Frames per second at speed 1."""
        return self._rate

    def time_of(self, frame: int) -> float:
        """Return the second at which a frame begins."""
        if not self._times:
            return frame / self._rate
        if frame < self._count:
            return self._times[max(0, frame)]
        return self._times[-1] + (frame - self._count + 1) / self._rate

    def frame_at(self, second: float) -> int:
        """Return the frame that is shown at a second of the clip."""
        if not self._times:
            return math.floor(second * self._rate + 1e-6)
        if second < self._times[-1] + 1 / self._rate:
            return max(0, bisect_right(self._times, second + 1e-6) - 1)
        past = second - self._times[-1]
        return self._count - 1 + math.floor(past * self._rate + 1e-6)

    # -- values ----------------------------------------------------------------------------------
    @property
    def playing(self) -> bool:
        """Whether time runs."""
        return self._playing

    @property
    def speed(self) -> float:
        """Times the clip's own rate."""
        return self._speed

    @property
    def loop(self) -> Loop:
        """What is repeated."""
        return self._loop

    @property
    def mark_a(self) -> int | None:
        """First frame of the A-B loop."""
        return self._mark_a

    @property
    def mark_b(self) -> int | None:
        """Last frame of the A-B loop."""
        return self._mark_b

    @property
    def frame(self) -> int:
        """The frame that is shown."""
        return self._frame

    @property
    def stats(self) -> Shown:
        """How it went since play was last pressed."""
        now = self._clock()
        while self._shown_at and now - self._shown_at[0] > 1.0:
            self._shown_at.popleft()
        return Shown(float(len(self._shown_at)), self._shown, self._dropped)

    @property
    def span(self) -> tuple[int, int]:
        """First and last frame that are played now."""
        last = max(0, self.count - 1)
        if self._loop == "ab" and self._mark_a is not None:
            return self._mark_a, last if self._mark_b is None else self._mark_b
        return 0, last

    # -- transport -------------------------------------------------------------------------------
    def play(self) -> None:
        """Let time run; at the end of the clip it begins again."""
        if self._playing or self.count < 2:
            return
        first, last = self.span
        if not first <= self._frame < last:
            self._frame = first
        self._playing = True
        self._since = None
        self._reset_counts()
        self.changed.emit()

    def pause(self) -> None:
        """Hold time."""
        if self._playing:
            self._playing = False
            self._since = None
            self.changed.emit()

    def toggle(self) -> None:
        """Play or pause."""
        (self.pause if self._playing else self.play)()

    def seek(self, frame: int) -> int:
        """Go to a frame; while playing, time waits until that frame is ready.

        Returns:
            The frame, held within the ends.
        """
        self._frame = min(max(0, self.count - 1), max(0, frame))
        self._restart()
        return self._frame

    def set_speed(self, speed: float) -> None:
        """Play at another speed, within `SLOWEST` to `FASTEST`."""
        held = min(FASTEST, max(SLOWEST, speed))
        if abs(held - 1.0) < 0.02:
            held = 1.0
        if held != self._speed:
            if self._since is not None:
                self._since = (self._clock(), self._second())
            self._speed = held
            self.changed.emit()

    def set_loop(self, loop: Loop) -> None:
        """Repeat nothing, all, or what lies between the marks."""
        if loop == "ab" and self._mark_a is None:
            return
        if loop != self._loop:
            self._loop = loop
            self._restart()
            self.changed.emit()

    def mark(self) -> None:
        """Set A at the shown frame, then B, then clear both: one key, as mpv has it."""
        if self._mark_a is None:
            self._mark_a = self._frame
        elif self._mark_b is None and self._frame != self._mark_a:
            ends = sorted((self._mark_a, self._frame))
            self._mark_a, self._mark_b = ends[0], ends[1]
            self._loop = "ab"
        else:
            self.clear_marks()
            return
        self._restart()
        self.changed.emit()

    def set_marks(self, first: int, last: int) -> None:
        """Repeat from `first` to `last`."""
        ends = sorted((first, last))
        self._mark_a, self._mark_b = ends[0], ends[1]
        self._loop = "ab"
        self._hold_marks()
        self._restart()
        self.changed.emit()

    def clear_marks(self) -> None:
        """Forget A and B."""
        self._mark_a = self._mark_b = None
        if self._loop == "ab":
            self._loop = "off"
        self._restart()
        self.changed.emit()

    # -- time ------------------------------------------------------------------------------------
    def advance(self, is_ready: Callable[[int], bool]) -> int | None:
        """Return the frame to show now, or None when what is shown should stay.

        Of frames that are due the newest one that is ready is shown; those before it that were
        not shown in time are dropped.

        Args:
            is_ready: Whether a frame could be shown at once.
        """
        if not self._playing:
            return None
        if self._since is None:
            if is_ready(self._frame):
                self._since = (self._clock(), self.time_of(self._frame))
            return None
        first, last = self.span
        due = self.frame_at(self._second())
        if due > last:
            return self._past_end(first, last, is_ready)
        for frame in range(due, self._frame, -1):
            if is_ready(frame):
                self._count_shown(frame - self._frame - 1)
                self._frame = frame
                return frame
        return None

    def upcoming(self, count: int) -> list[int]:
        """Return the frames to be shown next, in that order, round the loop.

        They begin at the one that is due now: what is late already is not worth reading. While
        time waits for a frame they begin with that.
        """
        first, last = self.span
        frames: list[int] = []
        frame = self._frame
        if self._since is not None:
            frame = max(frame + self._stride, min(last, self.frame_at(self._second())))
        for _ in range(min(count, last - first)):
            if frame > last:
                if self._loop == "off":
                    break
                frame = first
            frames.append(frame)
            frame += self._stride
        return frames

    @property
    def _stride(self) -> int:
        """Frames from one that is shown to the next: more than 1 where no screen shows them all."""
        return max(1, math.ceil(self._rate * self._speed / SCREEN_RATE - 1e-6))

    def next_due_s(self) -> float:
        """Return the seconds until another frame is due; 0 when it is already."""
        if not self._playing or self._since is None:
            return 0.0
        frame = self.frame_at(self._second())
        return max(0.0, (self.time_of(frame + 1) - self._second()) / self._speed)

    def _past_end(self, first: int, last: int, is_ready: Callable[[int], bool]) -> int | None:
        missed = last - self._frame
        if self._loop == "off":
            if not missed:
                self.pause()
                return None
            if not is_ready(last):
                return None
            self._count_shown(missed - 1)
            self._frame = last
            return last
        if not is_ready(first):
            return None
        length = self.time_of(last + 1) - self.time_of(first)
        over = (self._second() - self.time_of(last + 1)) % max(length, 1e-6)
        self._since = (self._clock(), self.time_of(first) + over)
        due = max(first, min(last, self.frame_at(self.time_of(first) + over)))
        frame = due if is_ready(due) else first
        self._count_shown(missed + frame - first)
        self._frame = frame
        return frame

    def _second(self) -> float:
        """Where playback is in the clip, in seconds; 0 while it holds."""
        if self._since is None:
            return self.time_of(self._frame)
        return self._since[1] + (self._clock() - self._since[0]) * self._speed

    def _restart(self) -> None:
        self._since = None

    def _count_shown(self, skipped: int) -> None:
        """Count a frame that is shown, and those that were skipped before it."""
        self._dropped += skipped // self._stride
        self._shown += 1
        self._shown_at.append(self._clock())

    def _reset_counts(self) -> None:
        self._shown = self._dropped = 0
        self._shown_at.clear()

    def _hold_marks(self) -> None:
        last = max(0, self.count - 1)
        if self._mark_a is not None:
            self._mark_a = min(last, self._mark_a)
        if self._mark_b is not None:
            self._mark_b = min(last, self._mark_b)
