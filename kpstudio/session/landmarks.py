"""Annotated landmarks, and what a linear regression makes of the particles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kpcore.latents import Latents

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Regressor:
    """A linear map from the places of particles to landmarks, with the truth where it is known.

    Attributes:
        source: What it was fitted to, as it was asked for.
        title: Shown name of the data.
        names: Of the landmarks.
        weights: One row for each coordinate of each particle: what it adds to x, y of the first
            landmark, of the second, ...; in unit coordinates, without a bias, origin in the middle.
        span: Two landmarks whose distance is the unit of errors; None for the picture's edge.
        truth: Frame -> annotated landmarks, NaN where one is missing.
        fitted: Pictures that it was fitted to.
        prototypes: Where keypoints come in no order: of how many kinds they are. Each kind has
            `keypoints` places, taken from left to right, and what is not taken counts for nothing.
        keypoints: Places of each prototype.
    """

    source: str
    title: str
    names: tuple[str, ...]
    weights: Sequence[Sequence[float]]
    span: tuple[int, int] | None = None
    truth: Mapping[int, tuple[Point, ...]] = field(default_factory=dict[int, tuple[Point, ...]])
    fitted: int = 0
    prototypes: int = 0
    keypoints: int = 0

    def told(self, latents: Latents) -> tuple[Point, ...]:
        """Return where the particles say that the landmarks are; none for another number of them.

        Particles beyond those of training are left out.
        """
        places = latents.rows("position")
        if self.prototypes:
            places = self._by_prototype(places, latents.rows("prototype"))
        flat = [value for place in places for value in place]
        if not flat or len(flat) < len(self.weights):
            return ()
        sums = [0.0] * (2 * len(self.names))
        for value, row in zip(flat, self.weights, strict=False):
            for index, weight in enumerate(row):
                sums[index] += value * weight
        return tuple(zip(sums[::2], sums[1::2], strict=True))

    def _by_prototype(
        self, places: Sequence[Sequence[float]], kinds: Sequence[int] | None
    ) -> list[Sequence[float]]:
        """As `kpcore.evaluation.landmarks.by_prototype`, of one picture; none without kinds."""
        if kinds is None or len(places) < self.keypoints:
            return []
        ordered: list[Sequence[float]] = [(0.0, 0.0)] * (self.prototypes * self.keypoints)
        taken = [0] * self.prototypes
        few = range(self.keypoints)
        for row in sorted(few, key=lambda row: places[row][0]):
            kind = kinds[row]
            ordered[kind * self.keypoints + taken[kind]] = places[row]
            taken[kind] += 1
        return ordered

    def errors(self, told: Sequence[Point], frame: int) -> tuple[float, ...]:
        """Return how far each landmark of a frame is off, in percent; NaN where that is unknown."""
        truth = self.truth.get(frame, ())
        if not truth or len(told) != len(truth):
            return ()
        unit = 2.0
        if self.span is not None:
            unit = math.dist(truth[self.span[0]], truth[self.span[1]])
        if not unit > 0.0:
            return ()
        return tuple(100.0 * math.dist(a, b) / unit for a, b in zip(told, truth, strict=True))

    @property
    def unit(self) -> str:
        """What errors are percents of."""
        return "eye distance" if self.span is not None else "picture's edge"


def mean_error(errors: Sequence[float]) -> float | None:
    """Return the mean of the errors that are known, or None when none is."""
    known = [error for error in errors if math.isfinite(error)]
    return sum(known) / len(known) if known else None
