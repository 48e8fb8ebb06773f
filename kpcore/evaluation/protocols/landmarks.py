"""Protocol "landmarks": how well a linear map finds annotated landmarks from keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from kpcore.api import KeypointModel
from kpcore.configuration import from_plain
from kpcore.data.labelled import Facts, FilmedPictures, LabelledPictures, framed
from kpcore.data.labelled_scenes import SceneLabels
from kpcore.data.public import open_labelled
from kpcore.data.synthetic import are_scenes
from kpcore.errors import InputError
from kpcore.evaluation.landmarks import (
    LandmarkFigures,
    Origin,
    by_prototype,
    fit,
    grid_points,
    halves,
    left_right,
    regress,
    usable,
)
from kpcore.evaluation.plot import Bars
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.report import Cell, Fact, Report, Table, bars
from kpcore.geometry.framing import FramingRule

_POSITIONS = "positions"
_LOG_VARIANCES = "positions and log-variances"
_FEATURES = "positions and features"
_KINDS = "positions by prototype"
_GRID = "a fixed grid of as many points"
_MIDDLE = "one point in the middle"
_KEYS = {
    _POSITIONS: "error",
    _LOG_VARIANCES: "error_with_log_variances",
    _FEATURES: "error_with_features",
    _KINDS: "error_by_prototype",
    _GRID: "error_of_fixed_grid",
    _MIDDLE: "error_of_middle",
}
"""What the figures of several checkpoints are called in one table."""


@dataclass(frozen=True, slots=True)
class LandmarkOptions:
    """Choices of the protocol.

    Attributes:
        train: split that the regression is fitted to.
        test: split that it is measured on.
        pictures: most pictures of either split, spread over it.
        origin: where (0, 0) lies; without a bias the figure depends on it.
        bias: give the regression a constant input; the papers do not.
        variant: "regression" fits on one split and measures on the other; "halves" fits on one half
            of the test split, by videos where it has them (Keypoint Pyramids); "left-right" may
            exchange left and right (LMDIS on Human3.6M).
        split: so many particles of lowest and of highest variance alone (DLP sec. 5.1: 10); 0 for
            no such rows.
    """

    train: str = "train"
    test: str = "test"
    pictures: int = 2_000
    origin: Origin = "centre"
    bias: bool = False
    variant: Literal["regression", "halves", "left-right"] = "regression"
    split: int = 0

    def __post_init__(self) -> None:
        if self.pictures < 2:
            raise InputError(f"pictures is {self.pictures}; use at least 2")


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a model knows of pictures, and what is annotated.

    Attributes:
        points: Keypoints in unit coordinates.
        landmarks: Annotated ones; NaN where missing.
        log_var: Log-variances of the keypoints, or None.
        features: Features of the keypoints, or None.
        by_prototype: Keypoints in the order of their prototypes, or None.
    """

    points: Float[ndarray, "n K 2"]
    landmarks: Float[ndarray, "n T 2"]
    log_var: Float[ndarray, "n E"] | None
    features: Float[ndarray, "n F"] | None
    by_prototype: Float[ndarray, "n L 2"] | None

    @property
    def comparable(self) -> Float[ndarray, "n F 2"]:
        """Keypoints in rows that mean the same in each picture: by prototype where there are."""
        return self.points if self.by_prototype is None else self.by_prototype


def open_pictures(subject: Subject, count: int) -> LabelledPictures:
    """Return the labelled pictures that `--data` names."""
    if are_scenes(subject.data):
        side = max(subject.model.capabilities.image_size)
        return SceneLabels(subject.data, side, count)
    return open_labelled(subject.data)


def framing_of(subject: Subject) -> FramingRule:
    """Return how the model's pictures were framed in training.

    A box is in pixels of the files trained on; procedural scenes are shown whole.
    """
    rule = from_plain(FramingRule, subject.trained_on.get("framing") or {})
    return replace(rule, box=None) if are_scenes(subject.data) else rule


def spread(rows: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the rows, evenly spread."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i] for i in np.linspace(0, len(rows) - 1, count).round().astype(int)]


@torch.inference_mode()
def look(
    model: KeypointModel,
    pictures: LabelledPictures,
    rows: Sequence[int],
    rule: FramingRule,
    origin: Origin = "centre",
) -> Known:
    """Return what the model knows of some pictures."""
    size, device = model.capabilities.image_size, next(model.parameters()).device
    points, log_vars, features, landmarks, kinds = [], [], [], [], []
    for start in range(0, len(rows), 32):
        shown = [framed(pictures, row, size, rule) for row in rows[start : start + 32]]
        stack = np.stack([picture.transpose(2, 0, 1) for picture, _ in shown])
        image = torch.from_numpy(stack).to(device).float() / 255.0
        latents = model.encode(image).latents
        points.append(latents.position.cpu().double().numpy())
        if latents.position_log_var is not None:
            log_vars.append(latents.position_log_var.flatten(1).cpu().double().numpy())
        if latents.feature is not None:
            features.append(latents.feature.flatten(1).cpu().double().numpy())
        if latents.prototype is not None:
            kinds.append(latents.prototype.cpu().numpy())
        for _, labels in shown:
            if labels.landmarks is None:
                raise InputError(
                    f"'{pictures.facts.title}' has no landmarks; give data that have, such as "
                    f"celeba:FOLDER, landmarks:FOLDER or cartoon-faces"
                )
            landmarks.append(labels.landmarks)
    placed = np.concatenate(points)
    count = model.capabilities.prototypes
    return Known(
        placed,
        np.stack(landmarks),
        np.concatenate(log_vars) if log_vars else None,
        np.concatenate(features) if features else None,
        by_prototype(placed, np.concatenate(kinds), count, origin) if kinds else None,
    )


def run(subject: Subject, options: LandmarkOptions) -> Report:
    """Return the table of regressions.

    Raises:
        DataError: The data cannot be read.
        InputError: The data have no landmarks, or an option is out of range.
    """
    pictures = open_pictures(subject, options.pictures)
    rule = framing_of(subject)
    test_rows = spread(pictures.rows(options.test), options.pictures)
    # Halves are always regressed from the middle.
    origin = "centre" if options.variant == "halves" else options.origin
    test = look(subject.model, pictures, test_rows, rule, origin)
    kinds = test.by_prototype is not None
    title = f"Landmarks: {subject.checkpoint.name} on {pictures.facts.title}"
    facts = {
        "protocol": "landmarks",
        "variant": options.variant,
        "data": subject.data,
        "keypoints": int(test.points.shape[1]),
        "landmarks": list(pictures.facts.landmark_names),
    }
    if options.variant == "halves":
        films = _films(pictures, options.test, test_rows)
        figures = halves(test.comparable, test.landmarks, films)
        table = Table(
            "Half of the test pictures fits, the other measures",
            ("root mean squared error, % of the edge", "without bias", "fitted", "tested"),
            ((figures.rmse, figures.rmse_no_bias, figures.fitted, figures.tested),),
            f"Regressed on {_KINDS if kinds else _POSITIONS}."
            f"{' A video falls into one half as a whole.' if films else ''}",
        )
        errors = (figures.rmse, figures.rmse_no_bias)
        panel = Bars(table.columns[0], ("with bias", "without bias"), {"error": errors})
        return Report(title, {**facts, "rmse": figures.rmse}, (table,), (panel,))
    train_rows = spread(pictures.rows(options.train), options.pictures)
    train = look(subject.model, pictures, train_rows, rule, options.origin)
    if options.variant == "left-right":
        told = left_right(
            (train.comparable, train.landmarks),
            (test.comparable, test.landmarks),
            pictures.facts.mirrored,
            origin=options.origin,
        )
        table = Table(
            "Left and right may be exchanged",
            ("error, % of the edge", "frontal fit only", "exchanged, %", "fitted", "tested"),
            ((told.error, told.error_frontal_only, told.exchanged, told.fitted, told.tested),),
            f"Regressed on {_KINDS if kinds else _POSITIONS}.",
        )
        fits, errors = (
            ("all pictures fitted", "frontal fit only"),
            (
                told.error,
                told.error_frontal_only,
            ),
        )
        panel = Bars(table.columns[0], fits, {"error": errors})
        return Report(title, {**facts, "error": told.error}, (table,), (panel,))
    rows = tuple(_rows(train, test, pictures.facts.span, options))
    errors = {_KEYS[row[0]]: row[2] for row in rows if row[0] in _KEYS}
    unit = "distance of the eyes" if pictures.facts.span else "picture's edge"
    note = (
        f"Mean distance in percent of the {unit}; linear regression "
        f"{'with' if options.bias else 'without'} bias, origin at the {options.origin}."
    )
    columns = ("input", "numbers", "error, %", "fitted", "tested")
    table = Table("Regression", columns, rows, note)
    fitted = {} if options.bias else _fitted(train, pictures.facts, subject.data)
    panel = bars(table, "error, %", title=f"error, % of the {unit}")
    return Report(title, {**facts, **errors}, (table,), (panel,), fitted)


def _films(pictures: LabelledPictures, split: str, rows: Sequence[int]) -> list[int] | None:
    """The number of the video that each picture is a frame of; None where there are none."""
    if not isinstance(pictures, FilmedPictures):
        return None
    clips = enumerate(pictures.clips(split))
    film = {row: number for number, clip in clips for row in clip}
    return [film[row] for row in rows]


def _fitted(train: Known, known: Facts, data: str) -> dict[str, Fact]:
    """The map from positions to landmarks, as the studio draws with it; origin in the middle.

    Of keypoints that have prototypes, which come in no order, it is the one by prototype.
    """
    good = usable(train.landmarks, known.span)
    keypoints = train.points.shape[1]
    places = train.comparable
    return {
        "data": data,
        "title": known.title,
        "landmarks": list(known.landmark_names),
        "span": None if known.span is None else list(known.span),
        "weights": fit(places[good], train.landmarks[good]).weights.tolist(),
        "pictures": int(good.sum()),
        "prototypes": places.shape[1] // keypoints if train.by_prototype is not None else 0,
        "keypoints": keypoints,
    }


def _rows(
    train: Known, test: Known, span: tuple[int, int] | None, options: LandmarkOptions
) -> list[tuple[Cell, ...]]:
    """The model's inputs, then what any model must beat."""

    def row(
        name: str,
        points: tuple[ndarray, ndarray],
        *extra: tuple[ndarray | None, ndarray | None],
    ) -> tuple[Cell, ...]:
        more = [(a, b) for a, b in extra if a is not None and b is not None]
        joined = None
        if more:
            joined = (
                np.concatenate([a for a, _ in more], axis=1),
                np.concatenate([b for _, b in more], axis=1),
            )
        figures: LandmarkFigures = regress(
            (points[0], train.landmarks),
            (points[1], test.landmarks),
            span,
            extra=joined,
            bias=options.bias,
            origin=options.origin,
        )
        width = points[0][0].size + (joined[0].shape[1] if joined else 0)
        return name, width, figures.error, figures.fitted, figures.tested

    both = (train.points, test.points)
    rows = [row(_POSITIONS, both)]
    if train.log_var is not None:
        rows.append(row(_LOG_VARIANCES, both, (train.log_var, test.log_var)))
    if train.features is not None:
        rows.append(row(_FEATURES, both, (train.features, test.features)))
    if train.by_prototype is not None and test.by_prototype is not None:
        rows.append(row(_KINDS, (train.by_prototype, test.by_prototype)))
    if options.split and train.log_var is not None:
        doubt = train.log_var.reshape(len(train.points), -1, 2).sum(-1).mean(0)
        order = np.argsort(doubt)
        for name, chosen in (
            (f"{options.split} of lowest variance", order[: options.split]),
            (f"{options.split} of highest variance", order[-options.split :]),
        ):
            rows.append(row(name, (train.points[:, chosen], test.points[:, chosen])))
    count = train.points.shape[1]
    grid = (grid_points(count, len(train.points)), grid_points(count, len(test.points)))
    rows.append(row(_GRID, grid))
    middle = (np.zeros((len(train.points), 1, 2)), np.zeros((len(test.points), 1, 2)))
    rows.append(row(_MIDDLE, middle))
    return rows


PROTOCOL = Protocol(
    "annotated landmarks from keypoints, by linear regression", LandmarkOptions, run
)
