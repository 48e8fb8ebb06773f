"""Which particle of one frame is which of the next: assignment, and identities over frames.

Families whose particles come in no fixed order (DLP's are sorted by confidence, or chosen anew in
every picture) do not match by index. Here particles of neighbouring frames are paired so that the
sum of position and appearance differences is least.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import linear_sum_assignment

from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents

GATE = 0.2
"""Farthest that a particle moves from frame to frame, unit coordinates: a tenth of the picture."""
ABSENT = -1
"""Identity of a row whose particle is not present."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pairs of particles of two frames; rows of particles that are not present occur nowhere.

    Attributes:
        pairs: (row before, row after) of each pair, by rows before.
        lost: Rows before without a partner.
        new: Rows after without a partner.
        distance: How far each pair's particle moved, unit coordinates.
    """

    pairs: tuple[tuple[int, int], ...]
    lost: tuple[int, ...]
    new: tuple[int, ...]
    distance: tuple[float, ...]

    def after(self, row: int) -> int | None:
        """Return the row after of the particle at `row` before, or None when it is lost."""
        return dict(self.pairs).get(row)


def match(
    before: Latents,
    after: Latents,
    *,
    gate: float = GATE,
    feature_weight: float = 0.5,
    present: float = 0.5,
) -> Assignment:
    """Return the assignment of two pictures' particles with the least sum of costs.

    A pair costs (distance / gate)^2 + feature_weight * appearance, where appearance is the squared
    difference of features, 1 for two particles drawn at random and at most that; prototypes, where
    there are no features, differ by 0 or 1. A particle without a partner costs as much as the worst
    pair, so that no good pair is broken to save a bad one.

    Args:
        before: One picture's particles: batch shape () or (1,).
        after: The next picture's; another count is fine.
        gate: Particles farther apart are never paired, unit coordinates.
        feature_weight: Weight of appearance; 0 goes by position alone.
        present: Particles of lower presence take no part.

    Raises:
        InputError: The gate is not positive, or the weight is negative.
        ShapeError: More than one picture, or features of two widths.
    """
    first, second = _Sight.of(before, present), _Sight.of(after, present)
    return _pair(first, second, gate, feature_weight)


class Tracker:
    """Gives every particle a number that it keeps from frame to frame."""

    def __init__(
        self,
        *,
        gate: float = GATE,
        feature_weight: float = 0.5,
        present: float = 0.5,
        patience: int = 0,
    ) -> None:
        """Choose how particles are paired (see `match`).

        Args:
            gate: As `match` has it.
            feature_weight: As `match` has it.
            present: As `match` has it.
            patience: Frames for which a particle that was lost may come back near where it was
                last seen, under its old number.

        Raises:
            InputError: A number is out of range.
        """
        _check(gate, feature_weight)
        if patience < 0:
            raise InputError(f"patience is {patience} frames; use 0 or more")
        self._gate, self._weight = gate, feature_weight
        self._present, self._patience = present, patience
        self._next = 0
        self._known: _Sight | None = None
        self._identity = np.zeros(0, dtype=np.int64)
        self._unseen = np.zeros(0, dtype=np.int64)

    def add(self, latents: Latents) -> tuple[int, ...]:
        """Return the identity of each row of the next frame, `ABSENT` where none is present.

        Raises:
            ShapeError: More than one picture, or features of another width than before.
        """
        seen = _Sight.of(latents, self._present)
        identity = np.full(len(seen.row), ABSENT, dtype=np.int64)
        kept = np.zeros(0, dtype=np.int64)
        if self._known is not None:
            found = _pair(self._known.numbered(), seen.numbered(), self._gate, self._weight)
            for old, new in found.pairs:
                identity[new] = self._identity[old]
            lost = np.asarray(found.lost, dtype=np.int64)
            kept = lost[self._unseen[lost] < self._patience]
        fresh = identity == ABSENT
        identity[fresh] = np.arange(self._next, self._next + fresh.sum())
        self._next += int(fresh.sum())
        self._unseen = np.concatenate(
            [np.zeros(len(identity), dtype=np.int64), self._unseen[kept] + 1]
        )
        self._identity = np.concatenate([identity, self._identity[kept]])
        self._known = seen if self._known is None else seen.joined(self._known.rows(kept))
        whole = np.full(latents.count, ABSENT, dtype=np.int64)
        whole[seen.row] = identity
        return tuple(whole.tolist())


def follow(
    frames: Iterable[Latents],
    *,
    gate: float = GATE,
    feature_weight: float = 0.5,
    present: float = 0.5,
    patience: int = 0,
) -> tuple[tuple[int, ...], ...]:
    """Return, for each frame, the identity of each row, `ABSENT` where none is present.

    Raises:
        InputError: A number is out of range.
        ShapeError: A frame holds more than one picture, or features of another width.
    """
    tracker = Tracker(gate=gate, feature_weight=feature_weight, present=present, patience=patience)
    return tuple(tracker.add(latents) for latents in frames)


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """Present particles as arrays: row in the latents, position, appearance (or prototype)."""

    row: Int[ndarray, " M"]
    position: Float[ndarray, "M 2"]
    feature: Float[ndarray, "M D"] | None
    prototype: Int[ndarray, " M"] | None

    @classmethod
    def of(cls, latents: Latents, present: float) -> _Sight:
        """The particles of one picture whose presence is at least `present`."""
        if latents.batch_shape not in ((), (1,)):
            raise ShapeError(
                f"particles of one picture are matched, batch shape () or (1,); got "
                f"{latents.batch_shape}"
            )

        one = {
            name: value.detach().cpu().numpy()[0 if latents.batch_shape else ...]
            for name, value in latents.named().items()
        }
        presence = one.get("presence")
        shown = (
            np.arange(latents.count) if presence is None else np.flatnonzero(presence >= present)
        )
        rows = np.arange(latents.count)
        everyone = cls(rows, one["position"], one.get("feature"), one.get("prototype"))
        return everyone.rows(shown)

    def numbered(self) -> _Sight:
        """The same particles, in rows 0, 1, 2..."""
        return replace(self, row=np.arange(len(self.row)))

    def rows(self, index: Int[ndarray, " m"]) -> _Sight:
        """The particles at `index`."""
        return _Sight(
            self.row[index],
            self.position[index],
            None if self.feature is None else self.feature[index],
            None if self.prototype is None else self.prototype[index],
        )

    def joined(self, other: _Sight) -> _Sight:
        """These particles, then the other ones."""

        def both(a: ndarray | None, b: ndarray | None) -> ndarray | None:
            return None if a is None or b is None else np.concatenate([a, b])

        return _Sight(
            np.concatenate([self.row, other.row]),
            np.concatenate([self.position, other.position]),
            both(self.feature, other.feature),
            both(self.prototype, other.prototype),
        )


def _check(gate: float, feature_weight: float) -> None:
    if not gate > 0 or not feature_weight >= 0:
        raise InputError(
            f"gate {gate} and feature_weight {feature_weight} were asked for; use a gate above 0 "
            f"(unit coordinates) and a weight of at least 0"
        )


def _pair(first: _Sight, second: _Sight, gate: float, weight: float) -> Assignment:
    _check(gate, weight)
    gap = first.position[:, None] - second.position[None]
    distance = np.sqrt((gap * gap).sum(-1))
    worst = 1.0 + weight
    cost = (distance / gate) ** 2
    if weight:
        cost = cost + weight * _appearance(first, second)
    allowed = distance <= gate
    old, new = linear_sum_assignment(np.where(allowed, cost, worst))
    held = allowed[old, new]
    old, new = old[held], new[held]
    return Assignment(
        tuple(zip(first.row[old].tolist(), second.row[new].tolist(), strict=True)),
        tuple(np.delete(first.row, old).tolist()),
        tuple(np.delete(second.row, new).tolist()),
        tuple(distance[old, new].tolist()),
    )


def _appearance(first: _Sight, second: _Sight) -> Float[ndarray, "M N"]:
    """Squared difference of appearance; 1 for two particles drawn at random, at most 1."""
    a, b = first.feature, second.feature
    if a is not None and b is not None and (len(a) or len(b)):
        if a.shape[1] != b.shape[1]:
            raise ShapeError(
                f"features of {a.shape[1]} and of {b.shape[1]} numbers cannot be compared; match "
                f"particles of one model"
            )
        spread = 2.0 * np.concatenate([a, b]).var(axis=0).sum()
        square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2.0 * (a @ b.T)
        return np.clip(square / max(float(spread), 1e-12), 0.0, 1.0)
    if first.prototype is not None and second.prototype is not None:
        return (first.prototype[:, None] != second.prototype[None]).astype(np.float64)
    return np.zeros((len(first.row), len(second.row)))
