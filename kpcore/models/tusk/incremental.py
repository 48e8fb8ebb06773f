"""Decode edits of one picture again and again."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Decoding
from kpcore.latents import Latents
from kpcore.nn.hastening import hasten
from kpcore.nn.row_cache import RowCache
from kpcore.tracing import one_call

if TYPE_CHECKING:
    from kpcore.models.tusk.model import Tusk
    from kpcore.models.tusk.networks import MapDecoder


def without_gradients(decoder: MapDecoder) -> MapDecoder:
    """Return a copy of a decoder, channels last, whose weights want no gradients."""
    copy = deepcopy(decoder).requires_grad_(False)
    copy.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    hasten(copy)
    return copy


class SummingDecoder:
    """Decodes the sum of the keypoints' maps: every keypoint may change every pixel."""

    def __init__(self, model: Tusk) -> None:
        self._model = model

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture."""
        given = self._model.given(latents)
        (image,) = one_call(self._model.edit_decoder(), self._draw, *given)
        return Decoding(image)

    def _draw(self, position: Tensor, presence: Tensor, feature: Tensor) -> tuple[Tensor]:
        found = self._model.found(position, presence, feature)
        return (self._model.edit_decoder()(self._model.summed(found)),)


class BlendingDecoder:
    """Keeps each keypoint's layer; only keypoints that changed pass the network."""

    def __init__(self, model: Tusk) -> None:
        self._model = model
        self._layers = RowCache(self._decoded)
        self._weights = model.edit_decoder()

    def _decoded(self, rows: Float[Tensor, "B K D"]) -> Float[Tensor, "B K 4 H W"]:
        drawn = one_call(self._weights, self._draw, rows)
        return drawn[0].unflatten(0, rows.shape[:2])

    def _draw(self, rows: Tensor) -> tuple[Tensor]:
        maps = self._model.apart(rows[..., :2], rows[..., 2], rows[..., 3:])
        return (self._weights(maps.flatten(0, 1)),)

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture."""
        found = self._model.keypoints(latents)
        if found.position.shape[1] == 0:
            return self._model.decode(latents)
        parts = [found.position, found.confidence[..., None], found.descriptor]
        return self._model.blended(self._layers(torch.cat(parts, dim=-1)), found.confidence)
