"""What a decode gives the window: bytes to paint, overlays, and what previews are composed from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kpstudio.services.compositor import Compositor
from kpstudio.session.pictures import Tier

if TYPE_CHECKING:
    from torch import Tensor

    from kpcore.api import Decoding, Encoding
    from kpcore.latents import Latents

Bytes: TypeAlias = NDArray[np.uint8]


class Overlays(Mapping[str, Bytes]):
    """Arrays by name, each made when it is first looked at: most overlays are hidden."""

    def __init__(self, made: Mapping[str, Callable[[], Bytes]]) -> None:
        """Keep what makes each array; one thread at a time looks."""
        self._made = dict(made)
        self._kept: dict[str, Bytes] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that were made."""
        return sum(array.nbytes for array in self._kept.values())

    def __getitem__(self, name: str) -> Bytes:
        """Return an array."""
        if name not in self._kept:
            self._kept[name] = self._made[name]()
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._made)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._made)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decode, ready to show.

    Attributes:
        pixels: (H, W, 3).
        difference: To the reconstruction (H, W, 3); None when this is the reconstruction.
        extras: Masks, glimpses and heatmaps, in the order of the encoding's particles; made when
            first looked at.
        compositor: For previews over this background; None when the model has no layers.
        milliseconds: Decoding and conversion.
        tier: "exact", or "draft".
    """

    pixels: Bytes
    difference: Bytes | None
    extras: Overlays
    compositor: Compositor | None
    milliseconds: float
    tier: Tier = "exact"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame as the model sees it, its particles and its reconstruction."""

    input: Bytes
    encoding: Encoding
    reconstruction: Decoded

    @property
    def nbytes(self) -> int:
        """Bytes held, without the particles."""
        decoded = self.reconstruction
        layers = decoded.compositor.nbytes if decoded.compositor else 0
        return self.input.nbytes + decoded.pixels.nbytes + decoded.extras.nbytes + layers


def overlays_of(
    decoding: Decoding,
    latents: Latents,
    identity: tuple[int, ...],
    pixels: Bytes,
    before: Compositor | None,
) -> tuple[Compositor | None, Overlays]:
    """What previews and overlays need of a decoding."""
    decoded = latents.topology.identity
    made: dict[str, Callable[[], Bytes]] = {}
    for name, found in (("heatmaps", decoding.heatmaps), ("masks", decoding.alphas)):
        if found is not None:
            made[name] = partial(_maps, found, decoded, identity)
    if decoding.layers is None:
        return None, Overlays(made)
    compositor = Compositor(decoding.layers, decoded, before)
    compositor.begin(latents, pixels)
    made["glimpses"] = partial(compositor.glimpses, identity)
    made["masks"] = partial(compositor.masks, latents, identity)
    return compositor, Overlays(made)


def _maps(found: Tensor, decoded: tuple[int, ...], identity: tuple[int, ...]) -> Bytes:
    """Return a map of each particle in the order of `identity`, as bytes."""
    maps = found[0].float().clamp(0.0, 1.0).mul(255.0).byte().cpu().numpy()
    result = np.zeros((len(identity), *maps.shape[1:]), np.uint8)
    result[[identity.index(number) for number in decoded]] = maps
    return result
