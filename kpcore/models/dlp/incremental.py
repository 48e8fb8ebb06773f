"""Decode edits of one picture again and again, keeping the glimpses that did not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from kpcore.api import Decoding, Encoding
from kpcore.latents import Latents
from kpcore.nn.row_cache import RowCache
from kpcore.tracing import one_call

if TYPE_CHECKING:
    from kpcore.models.dlp.model import DLP
    from kpcore.models.dlp.renderers import MaskedRenderer, ObjectRenderer


class IncrementalDecoder:
    """Decodes a glimpse again only when its feature changed.

    The result depends on the latents alone, bit for bit, not on the edits before.
    """

    def __init__(self, model: DLP, encoding: Encoding) -> None:
        self._model = model
        self._renderer = cast("ObjectRenderer", model.working.renderer)
        self._glimpses = RowCache(lambda rows: self._renderer.patches(rows))

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        particles = self._model.particles(latents)
        self._renderer = renderer = cast("ObjectRenderer", self._model.working.renderer)
        patches = self._glimpses(particles.feature)
        inputs = (
            latents.position, patches, particles.feature, particles.presence, particles.background,
        )  # fmt: skip
        image, background, heat = one_call(renderer, renderer.draw, *inputs)
        return Decoding(image, renderer.layers(patches, background), heat)


class MaskedDecoder:
    """Decodes everything again: in the Masked model every part depends on every particle."""

    def __init__(self, model: DLP, encoding: Encoding) -> None:
        self._model = model
        self._context = encoding.context

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        model = self._model
        particles, context = model.particles(latents), model.checked(latents, self._context)
        renderer = cast("MaskedRenderer", model.working.renderer)
        inputs = (
            particles.position, particles.feature, particles.presence, particles.background,
            context["maps"],
        )  # fmt: skip
        image, heat = one_call(renderer, renderer.draw, *inputs)
        return Decoding(image, None, heat)
