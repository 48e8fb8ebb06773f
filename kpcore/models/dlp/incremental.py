"""Decode edits of one picture again and again, keeping the glimpses that did not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from kpcore.api import Decoding, Encoding
from kpcore.latents import Latents
from kpcore.nn.row_cache import RowCache
from kpcore.tracing import Function, as_one_call

if TYPE_CHECKING:
    from kpcore.models.dlp.model import DLP
    from kpcore.models.dlp.renderers import ObjectRenderer


_Calls: TypeAlias = "WeakKeyDictionary[ObjectRenderer, tuple[object, Function]]"
_calls: _Calls = WeakKeyDictionary()
"""Each inference copy's renderer as one call, with the kind of inputs that it takes."""


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
        image, background, heat = _call(renderer, inputs)(*inputs)
        return Decoding(image, renderer.layers(patches, background), heat)


def _call(renderer: ObjectRenderer, inputs: tuple[Tensor, ...]) -> Function:
    """Return what draws these inputs, as one call where one picture is decoded on a CPU."""
    place = inputs[0]
    if len(place) != 1 or place.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return renderer.draw
    kind = [(value.shape, value.dtype) for value in inputs]
    kept = _calls.get(renderer)
    if kept is None or kept[0] != kind:
        kept = kind, as_one_call(renderer.draw, *inputs)
        _calls[renderer] = kept
    return kept[1]


class PlainDecoder:
    """Decodes everything again: in the Masked model every part depends on every particle."""

    def __init__(self, model: DLP, encoding: Encoding) -> None:
        self._model = model
        self._context = encoding.context

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        return self._model.decode(latents, self._context)
