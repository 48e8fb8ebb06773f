"""Where each frame lies along the timeline; the ruler and every strip share one axis."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, Signal

MARGIN = 10.0
"""Points at both ends that belong to no frame."""

CLOSEST_PX = 48.0
"""Width of a frame at the closest zoom."""


class FrameAxis(QObject):
    """Maps frames to x and back; frame f covers f to f + 1, and its middle is at f + 0.5."""

    changed = Signal()
    """Anything lies elsewhere now."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._count = 1
        self._media = 1
        self._width = 100.0
        self._first = 0.0
        self._last = 1.0

    # -- values ----------------------------------------------------------------------------------
    @property
    def count(self) -> int:
        """Number of frames, at least 1: those of the media and those beyond."""
        return self._count

    @property
    def media_count(self) -> int:
        """Frames of the media itself; those from here on are predicted."""
        return self._media

    @property
    def visible(self) -> tuple[float, float]:
        """Left and right end of what is shown, in frames."""
        return self._first, self._last

    @property
    def visible_frames(self) -> range:
        """Frames of which at least a part is shown."""
        return range(max(0, math.floor(self._first)), min(self._count, math.ceil(self._last)))

    @property
    def px_per_frame(self) -> float:
        """Width of a frame in points."""
        return (self._width - 2 * MARGIN) / max(1e-9, self._last - self._first)

    @property
    def is_whole(self) -> bool:
        """Whether every frame is shown."""
        return self._first <= 0.0 and self._last >= self._count

    def x_of(self, frame: float) -> float:
        """Return the x of the middle of a frame."""
        return MARGIN + (frame + 0.5 - self._first) * self.px_per_frame

    def cell(self, frame: int) -> tuple[float, float]:
        """Return the left and right end of a frame."""
        left = MARGIN + (frame - self._first) * self.px_per_frame
        return left, left + self.px_per_frame

    def frame_at(self, x: float) -> int:
        """Return the frame under x, the nearest one beyond the ends."""
        frame = math.floor(self._first + (x - MARGIN) / self.px_per_frame)
        return min(self._count - 1, max(0, frame))

    # -- changes ---------------------------------------------------------------------------------
    def set_extent(self, count: int, media_count: int | None = None) -> None:
        """Say how many frames there are; the whole is shown when the whole was shown before.

        Args:
            count: Of all frames.
            media_count: Of those of the media; None for all.
        """
        media = count if media_count is None else media_count
        count, media = max(1, count), max(1, media)
        if (count, media) == (self._count, self._media):
            return
        whole = self.is_whole
        self._count, self._media = count, media
        if whole:
            self._first, self._last = 0.0, float(count)
        self._hold()
        self.changed.emit()

    def set_width(self, width: float) -> None:
        """Say how wide the strips are, in points."""
        if width != self._width:
            self._width = max(2 * MARGIN + 1, width)
            self._hold()
            self.changed.emit()

    def show(self, first: float, last: float) -> None:
        """Show the frames from `first` to `last`."""
        before = self.visible
        self._first, self._last = first, last
        self._hold()
        if self.visible != before:
            self.changed.emit()

    def show_all(self) -> None:
        """Show every frame."""
        self.show(0.0, float(self._count))

    def zoom(self, factor: float, x: float) -> None:
        """Show the frames `factor` times as wide, with what is under x held still."""
        held = self._first + (x - MARGIN) / self.px_per_frame
        length = (self._last - self._first) / factor
        share = (x - MARGIN) / max(1.0, self._width - 2 * MARGIN)
        first = held - share * length
        self.show(first, first + length)

    def pan(self, frames: float) -> None:
        """Move what is shown by so many frames."""
        length = self._last - self._first
        first = min(max(0.0, self._first + frames), max(0.0, self._count - length))
        self.show(first, first + length)

    def reveal(self, frame: int) -> None:
        """Bring a frame into view, by a page when it lies outside."""
        length = self._last - self._first
        if frame < self._first or frame + 1 > self._last:
            self.show(frame - 0.1 * length, frame + 0.9 * length)

    def _hold(self) -> None:
        least = min(float(self._count), max(1.0, (self._width - 2 * MARGIN) / CLOSEST_PX))
        length = min(float(self._count), max(least, self._last - self._first))
        self._first = min(max(0.0, self._first), self._count - length)
        self._last = self._first + length
