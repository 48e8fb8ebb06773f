"""Decode edits of one picture again and again, keeping the glimpses that did not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from kpcore.api import Decoding, Encoding
from kpcore.latents import Latents
from kpcore.nn.row_cache import RowCache

if TYPE_CHECKING:
    from kpcore.models.dlp.model import DLP
    from kpcore.models.dlp.renderers import ObjectRenderer


class IncrementalDecoder:
    """Decodes a glimpse again only when its feature changed.

    The result depends on the latents alone, bit for bit, not on the edits before.
    """

    def __init__(self, model: DLP, encoding: Encoding) -> None:
        self._model = model
        self._glimpses = RowCache(lambda rows: self._renderer.patches(rows))

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        particles = self._model.particles(latents)
        renderer = self._renderer
        background, heat = renderer.background(particles)
        return renderer.compose(latents, self._glimpses(particles.feature), background, heat)

    @property
    def _renderer(self) -> ObjectRenderer:
        return cast("ObjectRenderer", self._model.working.renderer)


class PlainDecoder:
    """Decodes everything again: in the Masked model every part depends on every particle."""

    def __init__(self, model: DLP, encoding: Encoding) -> None:
        self._model = model
        self._context = encoding.context

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        return self._model.decode(latents, self._context)
