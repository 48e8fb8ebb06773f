"""Pictures: those that are wanted, those that are shown, and which of two is the newer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from kpstudio.session.reference_edits import Reference
from kpstudio.session.view import Role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kpcore.api import Encoding
    from kpcore.latents import Latents

Tier: TypeAlias = Literal["preview", "draft", "exact"]
_TIERS: tuple[Tier, ...] = ("preview", "draft", "exact")
"""Worst first."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels ready to paint.

    Attributes:
        pixels: uint8 (H, W, 3), C-contiguous.
        revision: Of the latents it shows.
        frame: Of the media.
        tier: "exact" is the model's own picture; "draft" the same roughly, while a hand moves;
            "preview" moved glimpses over the last one's background.
        milliseconds: What it took to make.
        base: Revision whose decode gave the background (that of the picture unless a preview).
        extras: Further arrays for overlays, e.g. "masks" (K, H, W) uint8, "heatmaps" (K, h, w)
            uint8, "glimpses" (K, S, S, 4) uint8.
    """

    pixels: NDArray[np.uint8]
    revision: int
    frame: int
    tier: Tier = "exact"
    milliseconds: float = 0.0
    base: int = -1
    extras: Mapping[str, NDArray[np.uint8]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A picture that the session would like: the engine answers the newest only.

    Attributes:
        model: Key of the model.
        media: Key of the media.
        frame: Of the media.
        revision: Grows with every change of the latents.
        latents: What to decode.
        encoding: Of the frame; its context is decoded with.
        final: No gesture is under way: must be answered exactly.
        reference: Whose appearance to decode with; None for the frame's own.
        as_encoded: Nothing of the particles was edited, and as many are kept as in training.
    """

    model: int
    media: int
    frame: int
    revision: int
    latents: Latents
    encoding: Encoding
    final: bool
    reference: Reference | None = None
    as_encoded: bool = False

    @property
    def is_unedited(self) -> bool:
        """Whether this is the reconstruction: nothing moved, and the frame's own appearance."""
        return self.as_encoded and self.reference is None


class Gallery:
    """The picture that each canvas shows; none ever goes back to an older one.

    Newer particles win; of the same particles the exact picture wins, then a draft, then the
    preview over the newer background. While frames play, a picture of a frame that was shown a
    moment ago is taken too, until one of a later frame comes.
    """

    def __init__(self) -> None:
        self._pictures: dict[Role, Picture] = {}
        self._ranks: dict[Role, tuple[int, int, int, int]] = {}
        self._visit = 0
        self._visits = {0: 0}

    def __getitem__(self, role: Role) -> Picture | None:
        """Return what the canvas of `role` shows, or None."""
        return self._pictures.get(role)

    def visit(self, frame: int) -> None:
        """Go to a frame; pictures of those before are still taken, until `stay`."""
        self._visit += 1
        self._visits[frame] = self._visit

    def stay(self, frame: int) -> None:
        """Take pictures of this frame only."""
        self._visits = {frame: self._visit}

    def take(self, role: Role, picture: Picture) -> bool:
        """Keep a picture unless a newer one is shown; return whether it was kept."""
        visit = self._visits.get(picture.frame)
        if visit is None:
            return False
        rank = (visit, picture.revision, _TIERS.index(picture.tier), picture.base)
        if rank <= self._ranks.get(role, (-1, -1, -1, -1)):
            return False
        self._ranks[role] = rank
        self._pictures[role] = picture
        return True

    def clear(self) -> None:
        """Forget all pictures."""
        self._pictures.clear()
        self._ranks.clear()
