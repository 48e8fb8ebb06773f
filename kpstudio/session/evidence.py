"""What the encoder saw of the shown frame, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Values for overlays and read-outs.

    Attributes:
        frame: Of the media.
        confidence: (C, h, w) bytes: one map for each particle, or one for all; None for none.
        count: Probability of 0, 1, 2, ... objects; empty where they are not counted.
    """

    frame: int
    confidence: NDArray[np.uint8] | None = None
    count: tuple[float, ...] = ()
