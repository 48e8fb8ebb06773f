"""Protocol "actions": what someone is doing, told by a GRU from tracks of keypoints alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kpcore.errors import InputError
from kpcore.evaluation import pose
from kpcore.evaluation.actions import ActionFigures, recognise
from kpcore.evaluation.plot import Matrix
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.protocols.pose import watch_people
from kpcore.evaluation.report import Cell, Report, Table, bars

Clips = tuple[Float[Tensor, "N T K 2"], Int[Tensor, " N"]]
OtherClips = tuple[Float[Tensor, "M T K 2"], Int[Tensor, " M"]]


@dataclass(frozen=True, slots=True)
class ActionOptions:
    """Choices of the protocol.

    Attributes:
        clips: to learn from, of the people trained on, and as many to measure on, of others; long
            labelled videos are cut into several.
        frames: of each clip, spread over it.
        steps: in which the recurrent network learns.
        hidden: its width.
        rate: its learning rate.
        train: split of labelled videos that shows the people trained on.
        test: split that shows the other people.
    """

    clips: int = 440
    frames: int = 24
    steps: int = 1_000
    hidden: int = 128
    rate: float = 1e-3
    train: str = "train"
    test: str = "test"

    def __post_init__(self) -> None:
        for name in ("clips", "frames", "steps", "hidden"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; use at least 1")


def run(subject: Subject, options: ActionOptions) -> Report:
    """Return how often actions are told right, by level, beside the true joints'.

    Raises:
        DataError: The data cannot be read.
        InputError: The actions of the data are not known.
    """
    both = watch_people(subject, options.clips, options.frames, options.train, options.test)
    names = both.actions
    levels = subject.model.capabilities.levels
    groups = [(f"level {level + 1}", level) for level in range(levels)] if levels > 1 else []
    told: dict[str, ActionFigures] = {}
    for name, level in (*groups, ("all keypoints", None)):
        told[name] = _told(both.known.clips(level), both.others.clips(level), names, options)
    whole = told["all keypoints"]
    told["true joints"] = _told(_true(both.known), _true(both.others), names, options)
    rows: list[tuple[Cell, ...]] = [
        (name, one.keypoints, one.accuracy, one.train_accuracy) for name, one in told.items()
    ]
    rows.append(("the most frequent action", 0, whole.chance, None))
    table = Table(
        "Told right, percent",
        ("keypoints", "K", "people never seen", "clips learned from"),
        tuple(rows),
        f"Which of {len(names)} actions a clip shows, told from the keypoints' places by a GRU of "
        f"{options.hidden} units; learned from clips of the people trained on. True joints are "
        f"what perfect keypoints would give.",
    )
    taken = Matrix(
        "Clips, told from all keypoints", "action", names, "told", names, whole.confusion
    )
    return Report(
        f"Actions: {subject.checkpoint.name} on {whole.clips} clips of {subject.data}",
        {
            "protocol": "actions",
            "data": subject.data,
            "clips": whole.clips,
            "frames": options.frames,
            "percent": {name: one.accuracy for name, one in told.items()},
            "chance_percent": whole.chance,
        },
        (
            table,
            Table(
                "Each action, told from all keypoints",
                ("action", "clips", "percent", "most often taken for"),
                tuple(_each(whole, names)),
            ),
        ),
        (bars(table, "people never seen", title="Told right of people never seen, %"), taken),
    )


def _told(
    known: Clips, others: OtherClips, names: tuple[str, ...], options: ActionOptions
) -> ActionFigures:
    return recognise(
        known,
        others,
        len(names),
        hidden=options.hidden,
        steps=options.steps,
        rate=options.rate,
    )


def _true(watched: pose.Watched) -> Clips:
    return torch.from_numpy(watched.joints), watched.action


def _each(figures: ActionFigures, names: tuple[str, ...]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for action, counts in enumerate(figures.confusion):
        clips, right = sum(counts), counts[action]
        wrong = [0 if other == action else count for other, count in enumerate(counts)]
        taken = names[wrong.index(max(wrong))] if any(wrong) else None
        rows.append((names[action], clips, 100.0 * right / clips if clips else None, taken))
    return rows


PROTOCOL = Protocol("actions of acting people, told by a GRU from keypoints", ActionOptions, run)
