"""Protocol "counting": the number of objects, and the bound on the likelihood."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from kpcore.api import Image
from kpcore.data.labelled_scenes import TEST_SEED
from kpcore.data.synthetic import are_scenes, find_scenes, scene_names
from kpcore.errors import InputError
from kpcore.evaluation.counting import Explains, bound, count
from kpcore.evaluation.plot import Bars
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.report import Fact, Report, Table


@dataclass(frozen=True, slots=True)
class CountOptions:
    """Choices of the protocol.

    Attributes:
        pictures: how many to count in; the paper has 10,000.
        bound_pictures: of these, how many the bound is measured on; 0 for none.
        samples: of the importance-weighted bound.
        seed: stream of the pictures; the default is used by no training run.
    """

    pictures: int = 10_000
    bound_pictures: int = 500
    samples: int = 100
    seed: int = TEST_SEED

    def __post_init__(self) -> None:
        if self.pictures < 1 or self.samples < 1 or self.bound_pictures < 0:
            raise InputError(
                f"pictures {self.pictures}, samples {self.samples} and bound_pictures "
                f"{self.bound_pictures} were asked for; use at least 1, 1 and 0"
            )


def run(subject: Subject, options: CountOptions) -> Report:
    """Return count accuracy and, of models that have one, the bound.

    Of a model that has a bound but counts nothing, such as LAVAE's baseline, only the bound.

    Raises:
        CapabilityError: The model counts nothing and has no bound.
        InputError: The data are no procedural scenes, or an option is out of range.
    """
    if not are_scenes(subject.data):
        raise InputError(
            f"'{subject.data}' has no known number of objects; name procedural scenes with --data: "
            f"{', '.join(scene_names())}"
        )
    size = subject.model.capabilities.image_size[0]
    scenes = find_scenes(subject.data)
    device = next(subject.model.parameters()).device

    def batches(pictures: int) -> Iterator[tuple[Image, list[int]]]:
        for start in range(0, pictures, 64):
            stop = min(pictures, start + 64)
            drawn = [scenes.sample(options.seed, i, size) for i in range(start, stop)]
            stack = np.stack([scene.image for scene in drawn])
            yield torch.from_numpy(stack).to(device), [len(scene.position) for scene in drawn]

    facts: dict[str, Fact] = {"protocol": "counting", "data": subject.data}
    rows: list[tuple[str, float]] = []
    panels: list[Bars] = []
    model = subject.model
    if model.capabilities.presence != "none" or not isinstance(model, Explains):
        figures = count(model, batches(options.pictures))
        error = math.sqrt(figures.accuracy * (100.0 - figures.accuracy) / figures.pictures)
        facts |= {
            "pictures": figures.pictures,
            "count_accuracy": figures.accuracy,
            "count_accuracy_error": error,
        }
        shares = [(f"{n} objects", share) for n, share in sorted(figures.by_number.items())]
        names, right = tuple(name for name, _ in shares), [share for _, share in shares]
        panels.append(
            Bars(
                "Counted right, % of pictures",
                (*names, "all"),
                {"counted right": [*right, figures.accuracy]},
            )
        )
        rows += [
            (f"counted right, % of {figures.pictures} pictures", figures.accuracy),
            ("its standard error", error),
            *shares,
            ("counted too many", figures.too_many),
        ]
    if options.bound_pictures and isinstance(model, Explains):
        chosen = (image for image, _ in batches(options.bound_pictures))
        told = bound(model, chosen, options.samples)
        facts |= {
            "nats": told.nats,
            "nats_error": told.error,
            "bound_pictures": told.pictures,
            "samples": options.samples,
        }
        rows += [
            (f"-log p in nats, {options.samples} samples, {told.pictures} pictures", told.nats),
            ("standard error of -log p", told.error),
        ]
        panels.append(Bars("Bound on -log p, nats", ("mean of the pictures",), {"": [told.nats]}))
    title = f"Counting: {subject.checkpoint.name} on {subject.data}"
    table = Table("Counts and likelihood", ("", "measured"), tuple(rows))
    return Report(title, facts, (table,), tuple(panels))


PROTOCOL = Protocol("the number of objects, and the bound on the likelihood", CountOptions, run)
"""See `kpcore.evaluation.counting`."""
