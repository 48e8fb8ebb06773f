"""The preview: decoded glimpses at new positions over the last background, in a millisecond.

The same arithmetic as `kpcore.api.Layers.composite` (separable bilinear placement, then the
family's covering rule), in numpy on the window that each glimpse touches. The placed window of a
particle that did not move is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kpstudio.services.pixels import to_bytes

if TYPE_CHECKING:
    from kpcore.api import Layers
    from kpcore.latents import Latents

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """A glimpse placed on the part of the canvas that it touches."""

    at: tuple[float, float]
    rows: slice
    columns: slice
    colour: FloatArray
    alpha: FloatArray


class Compositor:
    """Composes one decoding's layers for any positions; used by one thread at a time."""

    def __init__(self, layers: Layers, identity: tuple[int, ...]) -> None:
        """Copy the layers of the first image of a decoding.

        Args:
            layers: Of the decoding.
            identity: Of the particles that were decoded, in the order of the layers.
        """
        self.identity = identity
        self.patches: FloatArray = np.array(layers.patches[0].float().cpu().numpy())
        self.background: FloatArray = np.array(layers.background[0].float().cpu().numpy())
        self._rule = layers.rule
        self._scale = np.float32(layers.position_scale)
        height, width = self.background.shape[1:]
        side = self.patches.shape[-1]
        self._targets = _samples(height), _samples(width)
        self._source = _samples(side)
        self._placed: dict[int, _Window] = {}

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        windows = sum(w.colour.nbytes + w.alpha.nbytes for w in self._placed.values())
        return self.patches.nbytes + self.background.nbytes + windows

    def shares_layers(self, other: Compositor) -> bool:
        """Return whether both would compose the same pictures."""
        return (
            self.identity == other.identity
            and np.array_equal(self.background, other.background)
            and np.array_equal(self.patches, other.patches)
        )

    def compose(self, latents: Latents) -> FloatArray:
        """Return the picture (3, H, W) in [0, 1] with the glimpses where the latents say.

        Particles that were not decoded, or whose position is not finite, are left out.
        """
        picture = np.zeros_like(self.background)
        used: FloatArray = np.zeros(self.background.shape[1:], np.float32)
        for window, seen in self._visible(latents, used):
            picture[:, window.rows, window.columns] += seen * window.colour
        rest = 1.0 if self._rule == "sum" else np.float32(1.0) - np.clip(used, 0.0, 1.0)
        picture += rest * self.background
        return np.clip(picture, 0.0, 1.0, out=picture)

    def pixels(self, latents: Latents) -> NDArray[np.uint8]:
        """Return the picture as contiguous bytes (H, W, 3)."""
        return np.ascontiguousarray(to_bytes(self.compose(latents)).transpose(1, 2, 0))

    def place(self, latents: Latents) -> None:
        """Place all glimpses ahead of the first picture."""
        self._visible(latents, np.zeros(self.background.shape[1:], np.float32))

    def masks(self, latents: Latents, identity: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return how much of each particle is seen, (K, H, W) in the order of `identity`."""
        masks = np.zeros((len(identity), *self.background.shape[1:]), np.uint8)
        used: FloatArray = np.zeros(masks.shape[1:], np.float32)
        place = {number: row for row, number in enumerate(identity)}
        shown = [place[self.identity[row]] for row in self._rows(latents)]
        for row, (window, seen) in zip(shown, self._visible(latents, used), strict=True):
            masks[row, window.rows, window.columns] = to_bytes(seen)
        return masks

    def glimpses(self, identity: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return the straight RGBA glimpses (K, S, S, 4) in the order of `identity`."""
        side = self.patches.shape[-1]
        glimpses = np.zeros((len(identity), side, side, 4), np.uint8)
        place = {number: row for row, number in enumerate(identity)}
        rows = [place[number] for number in self.identity]
        glimpses[rows] = to_bytes(self.patches).transpose(0, 2, 3, 1)
        return glimpses

    # -- placing ---------------------------------------------------------------------------------
    def _rows(self, latents: Latents) -> list[int]:
        """Rows of the layers that the latents show, front first."""
        finite = np.asarray(np.isfinite(latents.position[0].numpy()).all(axis=1)).tolist()
        shown = {
            number
            for number, is_finite in zip(latents.topology.identity, finite, strict=True)
            if is_finite
        }
        return [row for row, number in enumerate(self.identity) if number in shown]

    def _visible(self, latents: Latents, used: FloatArray) -> list[tuple[_Window, FloatArray]]:
        """Each placed window with how much of it is seen; fills `used` with their sum."""
        where = {number: row for row, number in enumerate(latents.topology.identity)}
        position = latents.position[0].numpy() * self._scale
        presence = None if latents.presence is None else latents.presence[0].numpy()
        result: list[tuple[_Window, FloatArray]] = []
        for row in self._rows(latents):
            at = where[self.identity[row]]
            window = self._window(row, position[at])
            alpha = window.alpha if presence is None else window.alpha * presence[at]
            below = used[window.rows, window.columns]
            room = np.float32(1.0) - below
            if self._rule == "sum":
                seen = np.array(alpha)
            else:
                seen = np.minimum(room, alpha) if self._rule == "remainder" else room * alpha
            below += seen
            result.append((window, seen))
        return result

    def _window(self, row: int, position: FloatArray) -> _Window:
        at = (float(position[0]), float(position[1]))
        kept = self._placed.get(row)
        if kept is not None and kept.at == at:
            return kept
        rows, vertical = self._weights(position[1], self._targets[0])
        columns, horizontal = self._weights(position[0], self._targets[1])
        placed = np.clip(vertical @ self.patches[row] @ horizontal.T, 0.0, 1.0)
        window = _Window(at, rows, columns, placed[:3], placed[3])
        self._placed[row] = window
        return window

    def _weights(self, centre: np.float32, target: FloatArray) -> tuple[slice, FloatArray]:
        """Canvas pixels that a glimpse at `centre` touches along one axis, and their weights."""
        canvas, side = len(target), len(self._source)
        shift = centre * np.float32(canvas / 2)
        first = min(canvas, max(0, math.floor(float(shift) + canvas / 2 - side / 2 - 1)))
        last = min(canvas, max(first, math.ceil(float(shift) + canvas / 2 + side / 2 + 1)))
        distance = target[first:last, None] - self._source[None, :] - shift
        return slice(first, last), np.maximum(np.float32(1.0) - np.abs(distance), 0.0)


def _samples(count: int) -> FloatArray:
    """Centres of `count` pixels in pixels from the middle."""
    return np.arange(count, dtype=np.float32) + np.float32(0.5 - count / 2)
