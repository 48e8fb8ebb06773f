"""How fast pictures come, for the status bar."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from kpstudio.session.pictures import Tier


@dataclass(frozen=True, slots=True)
class Timings:
    """How fast pictures come.

    Attributes:
        tier: Of the picture that is shown.
        decode_ms: The last exact decode.
        preview_ms: The last preview.
        frames_per_s: Pictures shown in the last second.
        device: Where the model runs.
        cache_mb: Frames kept.
    """

    tier: Tier = "exact"
    decode_ms: float = 0.0
    preview_ms: float = 0.0
    frames_per_s: float = 0.0
    device: str = "cpu"
    cache_mb: float = 0.0


class Meter:
    """Counts the pictures of the last second."""

    def __init__(self) -> None:
        self.timings = Timings()
        self._shown_at: deque[float] = deque(maxlen=512)

    def count(self) -> None:
        """A picture is shown."""
        self._shown_at.append(time.monotonic())

    def update(self, **changes: Any) -> Timings:
        """Take new figures and return all."""
        now = time.monotonic()
        while self._shown_at and now - self._shown_at[0] > 1.0:
            self._shown_at.popleft()
        self.timings = replace(self.timings, frames_per_s=float(len(self._shown_at)), **changes)
        return self.timings
