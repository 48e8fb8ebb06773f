"""The preview: decoded glimpses at new positions over the last background, in a millisecond.

The same arithmetic as `kpcore.api.Layers.composite` (separable bilinear placement, then the
family's covering rule), in numpy on the window that each glimpse touches. The placed window of a
particle that did not move is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kpstudio.services.pixels import to_bytes

if TYPE_CHECKING:
    from kpcore.api import Layers
    from kpcore.latents import Latents

FloatArray = NDArray[np.float32]

_Area: TypeAlias = tuple[slice, slice]
"""Rows and columns of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """A glimpse placed on the part of the canvas that it touches."""

    at: tuple[float, float]
    rows: slice
    columns: slice
    colour: FloatArray
    alpha: FloatArray

    def touches(self, area: _Area) -> bool:
        """Return whether it shares pixels with an area."""
        return (
            self.rows.start < area[0].stop
            and area[0].start < self.rows.stop
            and self.columns.start < area[1].stop
            and area[1].start < self.columns.stop
        )

    def cut(self, area: _Area) -> tuple[_Area, _Area]:
        """Return what it shares with an area: within the area, and within the window."""
        cuts = [
            _shared(mine, other)
            for mine, other in zip((self.rows, self.columns), area, strict=True)
        ]
        return (cuts[0][0], cuts[1][0]), (cuts[0][1], cuts[1][1])


_Stack: TypeAlias = dict[int, tuple[_Window, float]]
"""Placed glimpse and presence by row of the layers, front first."""


class Compositor:
    """Composes one decoding's layers for any positions; used by one thread at a time."""

    def __init__(
        self, layers: Layers, identity: tuple[int, ...], before: Compositor | None = None
    ) -> None:
        """Copy the layers of the first image of a decoding.

        Args:
            layers: Of the decoding.
            identity: Of the particles that were decoded, in the order of the layers.
            before: Of an earlier decoding: where the glimpses are the same, they stay placed.
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
        if before is not None and before._has_glimpses(self):
            self.patches, self._placed = before.patches, dict(before._placed)
        self._last: tuple[_Stack, NDArray[np.uint8]] | None = None

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

    def _has_glimpses(self, other: Compositor) -> bool:
        """Return whether its glimpses lie as another's on canvases of one size."""
        return (
            (self.identity, self._scale) == (other.identity, other._scale)
            and self.background.shape == other.background.shape
            and np.array_equal(self.patches, other.patches)
        )

    def compose(self, latents: Latents) -> FloatArray:
        """Return the picture (3, H, W) in [0, 1] with the glimpses where the latents say.

        Particles that were not decoded, or whose position is not finite, are left out.
        """
        return self._blend(self._stack(latents), self._everything)[0]

    def pixels(self, latents: Latents) -> NDArray[np.uint8]:
        """Return the picture as contiguous bytes (H, W, 3).

        Only what changed since the last picture is composed again.
        """
        stack = self._stack(latents)
        if self._last is None:
            pixels, areas = np.empty((*self.background.shape[1:], 3), np.uint8), [self._everything]
        else:
            pixels, areas = self._last[1].copy(), _changed(self._last[0], stack)
        for area in areas:
            touched = {row: glimpse for row, glimpse in stack.items() if glimpse[0].touches(area)}
            picture, _ = self._blend(touched, area)
            pixels[area] = to_bytes(picture).transpose(1, 2, 0)
        self._last = stack, pixels
        return pixels

    def begin(self, latents: Latents, pixels: NDArray[np.uint8]) -> None:
        """Start from a picture that is known: the model's own of these particles."""
        self._last = self._stack(latents), pixels

    def masks(self, latents: Latents, identity: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return how much of each particle is seen, (K, H, W) in the order of `identity`."""
        masks = np.zeros((len(identity), *self.background.shape[1:]), np.uint8)
        place = {number: row for row, number in enumerate(identity)}
        stack = self._stack(latents)
        for (row, (window, _)), seen in zip(
            stack.items(), self._blend(stack, self._everything)[1], strict=True
        ):
            masks[place[self.identity[row]], window.rows, window.columns] = to_bytes(seen)
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
    def _stack(self, latents: Latents) -> _Stack:
        """Return the placed glimpse and presence of each row that is shown, front first."""
        positions = latents.position[0].numpy()
        finite = [math.isfinite(x) and math.isfinite(y) for x, y in positions.tolist()]
        where = {
            number: at
            for at, (number, shown) in enumerate(
                zip(latents.topology.identity, finite, strict=True)
            )
            if shown
        }
        placed = (positions * self._scale).tolist()
        presence = None if latents.presence is None else latents.presence[0].tolist()
        return {
            row: (
                self._window(row, *placed[where[number]]),
                1.0 if presence is None else presence[where[number]],
            )
            for row, number in enumerate(self.identity)
            if number in where
        }

    def _blend(self, stack: _Stack, area: _Area) -> tuple[FloatArray, list[FloatArray]]:
        """Return a part of the picture (3, h, w), and how much of each glimpse is seen there."""
        background = self.background[:, *area]
        picture = np.zeros_like(background)
        used: FloatArray = np.zeros(background.shape[1:], np.float32)
        every: list[FloatArray] = []
        for window, presence in stack.values():
            inside, own = window.cut(area)
            alpha = window.alpha[own] * np.float32(presence)
            below = used[inside]
            if self._rule == "sum":
                seen = alpha
            else:
                room = np.float32(1.0) - below
                seen = np.minimum(room, alpha) if self._rule == "remainder" else room * alpha
            below += seen
            picture[:, *inside] += seen * window.colour[:, *own]
            every.append(seen)
        rest = 1.0 if self._rule == "sum" else np.float32(1.0) - np.clip(used, 0.0, 1.0)
        picture += rest * background
        return np.clip(picture, 0.0, 1.0, out=picture), every

    @property
    def _everything(self) -> _Area:
        height, width = self.background.shape[1:]
        return slice(0, height), slice(0, width)

    def _window(self, row: int, x: float, y: float) -> _Window:
        kept = self._placed.get(row)
        if kept is not None and kept.at == (x, y):
            return kept
        rows, vertical = self._weights(np.float32(y), self._targets[0])
        columns, horizontal = self._weights(np.float32(x), self._targets[1])
        placed = np.clip(vertical @ self.patches[row] @ horizontal.T, 0.0, 1.0)
        window = _Window((x, y), rows, columns, placed[:3], placed[3])
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


def _shared(mine: slice, other: slice) -> tuple[slice, slice]:
    """Return what two ranges share, counted from the start of the other and of the first."""
    first = max(mine.start, other.start)
    last = max(first, min(mine.stop, other.stop))
    return (
        slice(first - other.start, last - other.start),
        slice(first - mine.start, last - mine.start),
    )


def _changed(before: _Stack, after: _Stack) -> list[_Area]:
    """Return the areas in which two stacks of the same layers may differ."""
    areas: list[_Area] = []
    for row in before.keys() | after.keys():
        old, new = before.get(row), after.get(row)
        if old is None or new is None or old[0] is not new[0] or old[1] != new[1]:
            areas += [(glimpse[0].rows, glimpse[0].columns) for glimpse in (old, new) if glimpse]
    return _merged(areas)


def _merged(areas: list[_Area]) -> list[_Area]:
    """Return areas that cover the same, two at a time taken together where that is less work."""
    result: list[_Area] = []
    for area in areas:
        for index, other in enumerate(result):
            both = (_span(area[0], other[0]), _span(area[1], other[1]))
            if _size(both) <= _size(area) + _size(other):
                result[index] = both
                break
        else:
            result.append(area)
    return result


def _span(first: slice, second: slice) -> slice:
    return slice(min(first.start, second.start), max(first.stop, second.stop))


def _size(area: _Area) -> int:
    return (area[0].stop - area[0].start) * (area[1].stop - area[1].start)


def _samples(count: int) -> FloatArray:
    """Centres of `count` pixels in pixels from the middle."""
    return np.arange(count, dtype=np.float32) + np.float32(0.5 - count / 2)
