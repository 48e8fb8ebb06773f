"""Protocol "attributes": does a linear machine tell from keypoints who smiles?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from kpcore.data.labelled import LabelledPictures
from kpcore.errors import InputError, nearest
from kpcore.evaluation.attributes import SHAPE_RELATED, recognise
from kpcore.evaluation.landmarks import arranged, places
from kpcore.evaluation.plot import Bars
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.protocols.landmarks import open_pictures, spread
from kpcore.evaluation.protocols.looking import encode_each
from kpcore.evaluation.report import Cell, Report, Table

_PAPER = dict(
    zip(
        SHAPE_RELATED,
        (79.4, 80.9, 76.9, 82.3, 94.5, 82.5, 88.4, 81.3, 88.0, 73.2, 73.7, 92.1, 88.8),
        strict=True,
    )
)
"""Accuracy from LMDIS's 30 landmarks on MAFL's test pictures, percent (table 3)."""


@dataclass(frozen=True, slots=True)
class AttributeOptions:
    """Choices of the protocol.

    Attributes:
        train: split that the machines are fitted to.
        test: split that they are measured on; the paper has mafl-test.
        pictures: most pictures of either split, spread over it.
        names: attributes to tell, with commas between; empty takes LMDIS's 13 that are related to
            shape where the data know some of them, or all that are answered with yes or no. "all"
            takes all.
        cost: of a picture on the wrong side of the margin.
    """

    train: str = "train"
    test: str = "test"
    pictures: int = 2_000
    names: str = ""
    cost: float = 1.0

    def __post_init__(self) -> None:
        if self.pictures < 2:
            raise InputError(f"pictures is {self.pictures}; use at least 2")
        if not self.cost > 0.0:
            raise InputError(f"cost is {self.cost:g}; use a number above 0")


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What a model knows of pictures, and what is said of them.

    Attributes:
        inputs: By name.
        answers: Of each picture.
    """

    inputs: dict[str, Float[ndarray, "n F"]]
    answers: list[dict[str, bool]]

    def of(self, name: str) -> tuple[Bool[ndarray, " n"], Bool[ndarray, " m"]]:
        """Return of which pictures an attribute is known, and what it is of those."""
        known = np.array([name in said for said in self.answers], bool)
        return known, np.array([said[name] for said in self.answers if name in said], bool)


def _look(subject: Subject, pictures: LabelledPictures, rows: Sequence[int]) -> _Known:
    points: list[ndarray] = []
    features: list[ndarray] = []
    answers: list[dict[str, bool]] = []
    kinds = subject.model.capabilities.prototypes
    for _, encoding, labels in encode_each(subject, pictures, rows):
        latents = encoding.latents
        position = latents.position.cpu().double().numpy()
        feature = None if latents.feature is None else latents.feature.cpu().double().numpy()
        if latents.prototype is not None:
            place = places(position, latents.prototype.cpu().numpy(), kinds)
            length = kinds * position.shape[1]
            position = arranged(position, place, length)
            feature = None if feature is None else arranged(feature, place, length)
        points.append(position.reshape(len(position), -1))
        if feature is not None:
            features.append(feature.reshape(len(feature), -1))
        answers += [
            {k: v == "yes" for k, v in one.attributes.items() if v in ("yes", "no")}
            for one in labels
        ]
    inputs = {"positions": np.concatenate(points)}
    if features:
        both = [inputs["positions"], np.concatenate(features)]
        inputs["positions and features"] = np.concatenate(both, axis=1)
    return _Known(inputs, answers)


def _chosen(wanted: str, known: Sequence[str], data: str) -> list[str]:
    if not known:
        raise InputError(
            f"nothing is said with yes or no of the pictures of '{data}'; give data with "
            f"attributes, such as celeba:FOLDER with its list_attr_celeba.txt, or cartoon-faces"
        )
    if wanted in ("", "all"):
        shape = [name for name in SHAPE_RELATED if name in known]
        return list(known) if wanted or not shape else shape
    names = wanted.split(",")
    for name in names:
        if name not in known:
            raise InputError(
                f"'{data}' has no attribute '{name}'; known: {', '.join(known)}."
                f"{nearest(name, known)}"
            )
    return names


def run(subject: Subject, options: AttributeOptions) -> Report:
    """Return how often each attribute is told right.

    Raises:
        DataError: The data cannot be read, or an attribute never or always holds.
        InputError: The data have no such attributes.
    """
    pictures = open_pictures(subject, options.pictures)
    test, train = (
        _look(subject, pictures, spread(pictures.rows(split), options.pictures))
        for split in (options.test, options.train)
    )
    known = list(dict.fromkeys(name for said in train.answers for name in said))
    names = _chosen(options.names, known, subject.data)
    rows: list[tuple[Cell, ...]] = []
    figures: dict[str, list[float]] = {kind: [] for kind in train.inputs}
    guesses: list[float] = []
    for name in names:
        (first, taught), (second, asked) = train.of(name), test.of(name)
        told = {
            kind: recognise(
                (train.inputs[kind][first], taught),
                (test.inputs[kind][second], asked),
                options.cost,
            )
            for kind in train.inputs
        }
        one = told["positions"]
        for kind, each in told.items():
            figures[kind].append(each.accuracy)
        guesses.append(one.guessing)
        accuracies = [each.accuracy for each in told.values()]
        rows.append((name, *accuracies, one.guessing, one.balanced, one.tested, _PAPER.get(name)))
    means = {kind: float(np.mean(values)) for kind, values in figures.items()}
    paper = [_PAPER[name] for name in names if name in _PAPER]
    last = float(np.mean(paper)) if len(paper) == len(names) else None
    guessing = float(np.mean(guesses))
    rows.append(("mean", *means.values(), guessing, None, None, last))
    columns = (*means, "more frequent answer", "positions, balanced", "tested", "LMDIS, CelebA")
    table = Table(
        "Told right, percent",
        ("attribute", *columns),
        tuple(rows),
        "One linear support vector machine per attribute, inputs standardised; keypoints that have "
        "prototypes come in their order. balanced: mean over "
        "the two answers, 50 by guessing. LMDIS, CelebA: the paper's 30 landmarks on MAFL's test "
        "pictures; of other pictures, it is no figure to compare with.",
    )
    drawn = {kind: [*values, means[kind]] for kind, values in figures.items()}
    drawn["more frequent answer"] = [*guesses, guessing]
    return Report(
        f"Attributes: {subject.checkpoint.name} on {pictures.facts.title}",
        {
            "protocol": "attributes",
            "data": subject.data,
            "keypoints": subject.model.capabilities.particles,
            "fitted": len(train.answers),
            "tested": len(test.answers),
            "positions_percent": means["positions"],
            "positions_and_features_percent": means.get("positions and features"),
            "guessing_percent": guessing,
        },
        (table,),
        (Bars("Told right, %", (*names, "mean"), drawn),),
    )


PROTOCOL = Protocol(
    "yes-or-no attributes (who smiles) from keypoints, by linear SVMs", AttributeOptions, run
)
