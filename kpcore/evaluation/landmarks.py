"""How well keypoints tell where annotated landmarks are: linear regression, three protocols.

Positions of keypoints and landmarks are unit coordinates (picture edges at +-1). A regression
without a bias depends on where the origin lies, so every figure says which one it used.

Source: other_systems.md section 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from kpcore.errors import DataError

Origin = Literal["centre", "corner"]
"""Where (0, 0) lies: the picture's middle (LMDIS), or its top left corner (IMM, TUSK). From the
corner, a keypoint that never moves works as a bias."""

FRONTAL = 2.0 / 3.0
"""Share of left joints right of their partners above which a person is seen from the front."""

_ROUNDING = 8.0 * float(np.finfo(np.float32).eps)
"""Directions of the inputs so much smaller than the largest count as nothing: models compute in
single precision, so that there they are rounding errors, on which least squares must not lean."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """A fitted regression from what is known of a picture to its landmarks.

    Attributes:
        weights: One row per input, and a last one for the bias, where there is one.
        bias: Whether there is one.
        origin: Of both sides' coordinates.
    """

    weights: Float[ndarray, "F M"]
    bias: bool
    origin: Origin

    def __call__(
        self, points: Float[ndarray, "n K 2"], extra: Float[ndarray, "n E"] | None = None
    ) -> Float[ndarray, "n T 2"]:
        """Return the landmarks (unit coordinates) that the keypoints of pictures speak for."""
        told = _inputs(points, extra, self.bias, self.origin) @ self.weights
        return told.reshape(len(points), -1, 2) - _shift(self.origin)


def fit(
    points: Float[ndarray, "n K 2"],
    landmarks: Float[ndarray, "n T 2"],
    *,
    extra: Float[ndarray, "n E"] | None = None,
    bias: bool = False,
    origin: Origin = "centre",
) -> LinearMap:
    """Return the least-squares map from keypoints to landmarks; no ridge, safe at any rank.

    Args:
        points: Keypoints of each picture.
        landmarks: Annotated; every one of them.
        extra: Further inputs of each picture, e.g. log-variances and features, flattened.
        bias: Give the regression a constant input.
        origin: Of both sides' coordinates.

    Raises:
        DataError: There are no pictures, or their numbers differ.
    """
    if len(points) != len(landmarks) or not len(points):
        raise DataError(
            f"there are {len(points)} sets of keypoints and {len(landmarks)} of landmarks; a "
            f"regression needs one of each for every picture, and at least one picture"
        )
    known = _inputs(points, extra, bias, origin)
    wanted = (landmarks.astype(np.float64) + _shift(origin)).reshape(len(landmarks), -1)
    weights = np.linalg.lstsq(known, wanted, rcond=_ROUNDING)[0]
    return LinearMap(weights, bias, origin)


def by_prototype(
    points: Float[ndarray, "n K 2"],
    prototype: Int[ndarray, "n K"],
    count: int,
    origin: Origin = "centre",
) -> Float[ndarray, "n L 2"]:
    """Return a place for each of a picture's keypoints of each prototype, from left to right.

    Where one score map finds all keypoints, their order says nothing of what they are; so each
    prototype has as many places as there are keypoints, and those not taken lie at the origin.

    Args:
        points: Keypoints of each picture, in any order.
        prototype: What each is.
        count: Of prototypes.
        origin: Of the regression's coordinates; there an absent keypoint counts for nothing.

    Source: TUSK, evaluation on landmarks (other_systems.md section 7).
    """
    place = places(points, prototype, count)
    return arranged(points, place, count * points.shape[1], -_shift(origin))


def places(
    points: Float[ndarray, "n K 2"], prototype: Int[ndarray, "n K"], count: int
) -> Int[ndarray, "n K"]:
    """Return which of `count * K` places each keypoint takes in the order of `by_prototype`.

    Args:
        points: Keypoints of each picture, in any order.
        prototype: What each is.
        count: Of prototypes.
    """
    keypoints = prototype.shape[1]
    place = np.zeros(prototype.shape, int)
    order = np.argsort(points[..., 0], axis=1, kind="stable")
    for row, columns in enumerate(order):
        taken = np.zeros(count, int)
        for column in columns:
            kind = prototype[row, column]
            place[row, column] = kind * keypoints + taken[kind]
            taken[kind] += 1
    return place


def arranged(
    values: Float[ndarray, "n K D"], place: Int[ndarray, "n K"], length: int, absent: float = 0.0
) -> Float[ndarray, "n L D"]:
    """Return the values of each picture's keypoints at their `places`; `absent` at the others."""
    placed = np.full((len(values), length, values.shape[2]), absent)
    placed[np.arange(len(values))[:, None], place] = values
    return placed


def _shift(origin: Origin) -> float:
    return 0.0 if origin == "centre" else 1.0


def _inputs(points: ndarray, extra: ndarray | None, bias: bool, origin: Origin) -> ndarray:
    parts = [(points.astype(np.float64) + _shift(origin)).reshape(len(points), -1)]
    if extra is not None:
        parts.append(extra.astype(np.float64))
    if bias:
        parts.append(np.ones((len(points), 1)))
    return np.concatenate(parts, axis=1)


def usable(
    landmarks: Float[ndarray, "n T 2"], span: tuple[int, int] | None = None
) -> Bool[ndarray, " n"]:
    """Return which pictures count: all landmarks annotated and, with a span, not of length 0."""
    good = np.isfinite(landmarks).all((1, 2))
    if span is not None:
        good &= np.nan_to_num(spans(landmarks, span)) > 0.0
    return np.asarray(good)


def spans(landmarks: Float[ndarray, "n T 2"], span: tuple[int, int]) -> Float[ndarray, " n"]:
    """Return the distance of two landmarks of each picture (the eyes of faces)."""
    return np.linalg.norm(landmarks[:, span[0]] - landmarks[:, span[1]], axis=-1)


def error_percent(
    told: Float[ndarray, "n T 2"],
    landmarks: Float[ndarray, "n T 2"],
    span: tuple[int, int] | None = None,
) -> Float[ndarray, " n"]:
    """Return each picture's mean distance over its landmarks, in percent of the unit of length.

    Args:
        told: Regressed landmarks.
        landmarks: Annotated ones.
        span: Two landmarks whose distance is the unit; None takes the picture's edge.
    """
    distance = np.linalg.norm(told - landmarks, axis=-1).mean(1)
    return 100.0 * distance / (2.0 if span is None else spans(landmarks, span))


@dataclass(frozen=True, slots=True)
class LandmarkFigures:
    """What a regression reached on pictures it was not fitted to.

    Attributes:
        error: Mean error in percent of `unit`.
        unit: "span" (the distance of two landmarks) or "edge" (of the picture).
        bias: Whether the regression had one.
        origin: Of the coordinates.
        fitted: Pictures that it was fitted to.
        tested: Pictures that were measured.
    """

    error: float
    unit: Literal["span", "edge"]
    bias: bool
    origin: Origin
    fitted: int
    tested: int


def regress(
    train: tuple[Float[ndarray, "n K 2"], Float[ndarray, "n T 2"]],
    test: tuple[Float[ndarray, "m K 2"], Float[ndarray, "m T 2"]],
    span: tuple[int, int] | None = None,
    *,
    extra: tuple[Float[ndarray, "n E"], Float[ndarray, "m E"]] | None = None,
    bias: bool = False,
    origin: Origin = "centre",
) -> LandmarkFigures:
    """Fit on one set of pictures, measure on another (LMDIS, IMM: MAFL train and test).

    Pictures with a landmark missing, or with a span of length 0, are left out.

    Args:
        train: Keypoints and landmarks to fit to.
        test: Keypoints and landmarks to measure on.
        span: Two landmarks whose distance is the unit; None takes the picture's edge.
        extra: Further inputs of both sets.
        bias: Give the regression a constant input; the papers do not.
        origin: Of the coordinates.
    """
    first, second = usable(train[1], span), usable(test[1], span)
    more = (None, None) if extra is None else (extra[0][first], extra[1][second])
    told = fit(train[0][first], train[1][first], extra=more[0], bias=bias, origin=origin)
    error = error_percent(told(test[0][second], more[1]), test[1][second], span)
    return LandmarkFigures(
        float(error.mean()) if len(error) else float("nan"),
        "edge" if span is None else "span",
        bias,
        origin,
        int(first.sum()),
        int(second.sum()),
    )


def grid_points(count: int, pictures: int) -> Float[ndarray, "n K 2"]:
    """Return keypoints that lie on a grid whatever the picture: what any model must beat."""
    side = int(np.ceil(np.sqrt(count)))
    middle = (2.0 * np.arange(side) + 1.0) / side - 1.0
    grid = np.stack(np.meshgrid(middle, middle, indexing="xy"), -1).reshape(-1, 2)[:count]
    return np.tile(grid, (pictures, 1, 1))


@dataclass(frozen=True, slots=True)
class HalvesFigures:
    """The protocol of Keypoint Pyramids: one half of the test pictures fits, the other measures.

    Attributes:
        rmse: Root of the mean squared distance of joints, in percent of the picture's edge, with
            a bias (the paper does not say whether it had one, nor the unit).
        rmse_no_bias: The same without, origin in the picture's middle.
        fitted: Pictures of the first half.
        tested: Pictures of the second.
    """

    rmse: float
    rmse_no_bias: float
    fitted: int
    tested: int


def halves(
    points: Float[ndarray, "n K 2"],
    landmarks: Float[ndarray, "n T 2"],
    groups: Sequence[int] | None = None,
    seed: int = 0,
) -> HalvesFigures:
    """Fit on half of the pictures, measure on the other (Keypoint Pyramids sec. 4.3).

    Args:
        points: Keypoints of each picture.
        landmarks: Annotated joints.
        groups: Number of the video of each picture: a video falls into one half as a whole. None
            shuffles pictures.
        seed: Of the split.

    Raises:
        DataError: There are fewer than two groups.
    """
    good = usable(landmarks)
    points, landmarks = points[good], landmarks[good]
    group = np.arange(len(good)) if groups is None else np.asarray(groups)
    group = group[good]
    names = np.unique(group)
    if len(names) < 2:
        raise DataError(
            f"halves need at least two {'pictures' if groups is None else 'videos'}; there are "
            f"{len(names)}"
        )
    names = np.random.default_rng(seed).permutation(names)
    first = np.isin(group, names[: len(names) // 2])

    def rmse(bias: bool) -> float:
        told = fit(points[first], landmarks[first], bias=bias)(points[~first])
        square = ((told - landmarks[~first]) ** 2).sum(-1).mean()
        return float(100.0 * np.sqrt(square) / 2.0)

    return HalvesFigures(rmse(True), rmse(False), int(first.sum()), int((~first).sum()))


def swapped(
    landmarks: Float[ndarray, "n T 2"], pairs: Sequence[tuple[int, int]]
) -> Float[ndarray, "n T 2"]:
    """Return the landmarks with left and right exchanged, the whole body at once."""
    order = list(range(landmarks.shape[1]))
    for left, right in pairs:
        order[left], order[right] = right, left
    return landmarks[:, order]


def frontal(
    landmarks: Float[ndarray, "n T 2"], pairs: Sequence[tuple[int, int]]
) -> Bool[ndarray, " n"]:
    """Return who faces the camera: more than two thirds of left joints are right of the right."""
    left = landmarks[:, [pair[0] for pair in pairs], 0]
    right = landmarks[:, [pair[1] for pair in pairs], 0]
    return np.asarray((left > right).mean(1) > FRONTAL)


@dataclass(frozen=True, slots=True)
class LeftRightFigures:
    """A regression that need not tell left from right.

    Attributes:
        error: Mean over the test pictures of the smaller of the two errors, in percent of the
            picture's edge.
        error_frontal_only: The same with the map fitted to frontal pictures alone, before any
            labels were exchanged.
        exchanged: Share of the training pictures whose left and right were exchanged, percent.
        rounds: Times that labels and map were found anew.
        origin: Of the coordinates.
        fitted: Training pictures.
        tested: Test pictures.
    """

    error: float
    error_frontal_only: float
    exchanged: float
    rounds: int
    origin: Origin
    fitted: int
    tested: int


def left_right(
    train: tuple[Float[ndarray, "n K 2"], Float[ndarray, "n T 2"]],
    test: tuple[Float[ndarray, "m K 2"], Float[ndarray, "m T 2"]],
    pairs: Sequence[tuple[int, int]],
    *,
    origin: Origin = "centre",
    most: int = 50,
) -> LeftRightFigures:
    """Fit joints while choosing, per picture, which side is left (LMDIS on Human3.6M).

    The map is fitted to frontal pictures first. Then every training picture takes the labelling,
    as annotated or exchanged, that the map predicts better, and the map is fitted to all; until no
    labelling changes. A test picture counts with the better of its two labellings. No bias.

    Args:
        train: Keypoints and joints to fit to.
        test: Keypoints and joints to measure on.
        pairs: (left, right) joints.
        origin: Of the coordinates.
        most: Rounds after which it ends in any case.

    Raises:
        DataError: No training picture is frontal.
    """
    points, joints = (values[usable(train[1])] for values in train)
    test_points, test_joints = (values[usable(test[1])] for values in test)
    front = frontal(joints, pairs)
    if not front.any():
        raise DataError(
            "no training picture shows a person from the front, where the left joints lie right "
            "of the right ones; check the pairs of joints"
        )

    def better(told: LinearMap, x: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
        guess = told(x)
        kept, other = error_percent(guess, y), error_percent(guess, swapped(y, pairs))
        return other < kept, np.minimum(kept, other)

    told = fit(points[front], joints[front], origin=origin)
    begun = float(better(told, test_points, test_joints)[1].mean())
    choice = np.zeros(len(points), bool)
    rounds = 0
    for rounds in range(1, most + 1):
        fresh = better(told, points, joints)[0]
        labels = np.where(fresh[:, None, None], swapped(joints, pairs), joints)
        told = fit(points, labels, origin=origin)
        if rounds > 1 and (fresh == choice).all():
            break
        choice = fresh
    return LeftRightFigures(
        float(better(told, test_points, test_joints)[1].mean()),
        begun,
        100.0 * float(choice.mean()),
        rounds,
        origin,
        len(points),
        len(test_points),
    )
