"""What the trainer and the evaluation ask of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import Window

Report = Callable[[int, int], None]
"""Called with the pictures ready so far and the pictures in all, from any thread."""


@dataclass(frozen=True, slots=True)
class DataDescription:
    """What a checkpoint remembers of its data (JSON values).

    Attributes:
        source: Path or catalogue name as the user gave it.
        split: "train" or "held-out".
        held_out: Names of the files, or the index range, kept out of training.
        images: Number of images; 0 for endless procedural data.
        framing: How a source picture became the model's square (see `kpcore.geometry.framing`).
        options: Whatever else made the data what it is (seed, stride, ...).
    """

    source: str
    split: str = "train"
    held_out: tuple[str, ...] = ()
    images: int = 0
    framing: dict[str, Any] = field(default_factory=dict[str, Any])
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class ImageSource(Protocol):
    """Random access to windows of frames of one size; a window of a still source is one picture.

    Index i is a window: where it lies never changes, and it never crosses the end of a clip or the
    border of what is held out.
    """

    @property
    def description(self) -> DataDescription:
        """What this source is."""
        ...

    @property
    def window(self) -> Window:
        """Which frames lie in a window."""
        ...

    def __len__(self) -> int:
        """Windows in one pass (for endless data: a nominal epoch)."""
        ...

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the first frame of each window; a pure function of the index."""
        ...

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B T 3 H W"]:
        """Return all frames of each window; a pure function of the index."""
        ...

    def references(
        self, indices: Sequence[int], draw: tuple[int, int]
    ) -> UInt8[Tensor, "B 3 H W"] | None:
        """Return another frame near each window's first; None where there is none.

        Args:
            indices: Windows.
            draw: What the choice depends on beside the index, e.g. (seed, step).
        """
        ...


@runtime_checkable
class FrameRows(Protocol):
    """A source that numbers all its frames, so that what is computed of each can be kept."""

    @property
    def clips(self) -> Sequence[tuple[str, int]]:
        """Text that the pixels of each clip depend on, and its frames; empty for endless data."""
        ...

    def rows(self, indices: Sequence[int]) -> list[list[int]]:
        """Return the numbers of the frames in each window, counted over all clips."""
        ...

    def pictures(self, rows: Sequence[int]) -> UInt8[Tensor, "N 3 H W"]:
        """Return the frames of these numbers."""
        ...


def reference_row(row: int, rows: range, within: int, draw: tuple[int, int], index: int) -> int:
    """Return the number of another frame of `rows`, at most `within` from `row`.

    A pure function of its arguments; `row` itself where it is the only one.
    """
    near = range(max(rows.start, row - within), min(rows.stop, row + within + 1))
    if len(near) == 1:
        return row
    chosen = near[int(np.random.default_rng([*draw, index]).integers(len(near) - 1))]
    return chosen + 1 if chosen >= row else chosen


def too_short(source: str, split: str, window: Window, longest: int) -> str:
    """Return the sentence for clips of which even the longest has not the frames of a window."""
    every = f", every {window.stride}" if window.stride > 1 else ""
    return (
        f"this model learns from {window.frames} successive frames{every} of a clip, but the "
        f"longest clip of the {split} part of '{source}' has {longest}; give longer videos, a "
        f"smaller --stride, or procedural scenes"
    )
