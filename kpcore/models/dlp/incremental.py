"""Decode edits of one picture again and again, keeping the glimpses that did not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Decoding, Encoding
from kpcore.latents import Latents

if TYPE_CHECKING:
    from kpcore.models.dlp.model import DLP


class IncrementalDecoder:
    """Decodes a glimpse again only when its feature changed.

    The result depends on the latents alone, bit for bit, not on the edits before: of one picture
    each glimpse is always decoded by itself, of several all are always decoded together.
    """

    def __init__(self, model: DLP) -> None:
        self._model = model
        self._rows: list[Tensor] = []
        self._patches: list[Tensor] = []

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        particles = self._model.particles(latents)
        renderer = self._model.working.renderer
        background, heat = renderer.background(particles)
        return renderer.compose(latents, self._glimpses(particles.feature), background, heat)

    def _glimpses(self, feature: Float[Tensor, "B K D"]) -> Float[Tensor, "B K 4 S S"]:
        decode = self._model.working.renderer.patches
        rows = list(feature.split(1, dim=1)) if len(feature) == 1 else [feature]
        known = len(rows) == len(self._rows)
        self._patches = [
            self._patches[index] if known and _same(row, self._rows[index]) else decode(row)
            for index, row in enumerate(rows)
        ]
        self._rows = [row.clone() for row in rows]
        return torch.cat(self._patches, dim=1)


class PlainDecoder:
    """Decodes everything again: in the Masked model every part depends on every particle."""

    def __init__(self, model: DLP, encoding: Encoding) -> None:
        self._model = model
        self._context = encoding.context

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        return self._model.decode(latents, self._context)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.device == b.device and torch.equal(a, b)
