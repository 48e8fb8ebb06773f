"""Protocol "pose": where the joints of acting people are, told from keypoints."""

from __future__ import annotations

from dataclasses import dataclass

from kpcore.errors import InputError
from kpcore.evaluation import pose
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.report import Cell, Report, Table, bars

_DATA = "stick-figures"


@dataclass(frozen=True, slots=True)
class PoseOptions:
    """Choices of the protocol.

    Attributes:
        videos: of the people trained on, and as many of other people, to regress joints on.
        frames: of each of them, spread over it.
    """

    videos: int = 605
    frames: int = 4


def require_people(subject: Subject) -> None:
    """Raise unless the data are people of whom joints and actions are known.

    Raises:
        InputError: They are not.
    """
    if subject.data != _DATA:
        raise InputError(
            f"joints and actions of '{subject.data}' are not known; use --data {_DATA}"
        )


def run(subject: Subject, options: PoseOptions) -> Report:
    """Return the figures of each level and of all keypoints.

    Raises:
        InputError: The data are not stick figures, whose joints are known.
    """
    require_people(subject)
    stills = pose.watch_both(subject.model, options.videos, options.frames)
    levels = subject.model.capabilities.levels
    names = [(f"level {level + 1}", level) for level in range(levels)] if levels > 1 else []
    found = {name: pose.measure(stills, level) for name, level in (*names, ("all keypoints", None))}
    found["one point in the middle"] = pose.measure(pose.in_the_middle(stills))
    rows: list[tuple[Cell, ...]] = [
        (name, one.keypoints, one.rmse, one.rmse_no_bias, one.left_right)
        for name, one in found.items()
    ]
    table = Table(
        "Figures",
        ("keypoints", "K", "rmse %", "rmse % without bias", "left-right %"),
        tuple(rows),
        "Of people never trained on. rmse: root mean square distance of the 17 joints, percent of "
        "the picture's edge, regressed on half of the videos and measured on the other half (the "
        "origin is the picture's middle). left-right: mean distance, regressed on the people "
        "trained on, either labelling of a person's sides.",
    )
    return Report(
        f"Pose: {subject.checkpoint.name} on {options.videos} videos of {_DATA}",
        {
            "protocol": "pose",
            "data": _DATA,
            "videos": options.videos,
            "frames": options.frames,
            "rmse_percent": {name: figures.rmse for name, figures in found.items()},
            "left_right_percent": {name: figures.left_right for name, figures in found.items()},
        },
        (table,),
        (bars(table, "rmse %"), bars(table, "left-right %")),
    )


PROTOCOL = Protocol("joints of acting stick figures, by linear regression", PoseOptions, run)
