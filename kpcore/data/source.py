"""What the trainer and the evaluation ask of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jaxtyping import UInt8
from torch import Tensor

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
    """Random access to pictures of one size."""

    @property
    def description(self) -> DataDescription:
        """What this source is."""
        ...

    def __len__(self) -> int:
        """Images in one pass (for endless data: a nominal epoch)."""
        ...

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the pictures at `indices`; a pure function of the index."""
        ...
