"""Decode edits of one picture again and again."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.api import Decoding
from kpcore.latents import Latents
from kpcore.nn.row_cache import RowCache
from kpcore.tracing import Function, as_one_call

if TYPE_CHECKING:
    from kpcore.models.tusk.model import Tusk
    from kpcore.models.tusk.networks import MapDecoder

Draw = Callable[[Tensor], Tensor]
"""From keypoints' maps to colours and, when blending by alpha, a logit."""


_calls: WeakKeyDictionary[MapDecoder, tuple[object, Function]] = WeakKeyDictionary()
"""Each decoder as one call, with the kind of maps and the weights that it takes."""


def drawing(decoder: MapDecoder, maps: Float[Tensor, "B C h w"]) -> Draw:
    """Return what decodes such maps, as one call where they are of one picture on a CPU."""
    if len(maps) != 1 or maps.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return decoder
    kind = (maps.shape, maps.dtype, *(weight.data_ptr() for weight in decoder.parameters()))
    kept = _calls.get(decoder)
    if kept is None or kept[0] != kind:
        twin = _without_gradients(decoder)
        kept = _calls[decoder] = kind, as_one_call(lambda given: (twin(given),), maps)
    call = kept[1]
    return lambda given: call(given)[0]


def _without_gradients(decoder: MapDecoder) -> MapDecoder:
    """Return a decoder of the same weights, in the same memory, that want no gradients."""
    same = {
        id(weight): nn.Parameter(weight.detach(), requires_grad=False)
        for weight in decoder.parameters()
    }
    return deepcopy(decoder, cast("dict[int, object]", same))


class SummingDecoder:
    """Decodes the sum of the keypoints' maps: every keypoint may change every pixel."""

    def __init__(self, model: Tusk) -> None:
        self._model = model

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture."""
        maps = self._model.summed(self._model.keypoints(latents))
        return Decoding(drawing(self._model.networks.decoder, maps)(maps))


class BlendingDecoder:
    """Keeps each keypoint's layer; only keypoints that changed pass the network."""

    def __init__(self, model: Tusk) -> None:
        self._model = model
        self._layers = RowCache(self._decoded)

    def _decoded(self, rows: Float[Tensor, "B K D"]) -> Float[Tensor, "B K 4 H W"]:
        maps = self._model.apart(rows[..., :2], rows[..., 2], rows[..., 3:])
        drawn = drawing(self._model.networks.decoder, maps.flatten(0, 1))(maps.flatten(0, 1))
        return drawn.unflatten(0, maps.shape[:2])

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture."""
        found = self._model.keypoints(latents)
        if found.position.shape[1] == 0:
            return self._model.decode(latents)
        parts = [found.position, found.confidence[..., None], found.descriptor]
        return self._model.blended(self._layers(torch.cat(parts, dim=-1)), found.confidence)
