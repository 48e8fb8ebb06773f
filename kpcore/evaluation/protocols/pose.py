"""Protocol "pose": what keypoints say of people who act, their joints and what they are doing."""

from __future__ import annotations

from dataclasses import dataclass

from kpcore.errors import InputError
from kpcore.evaluation import pose
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.report import Cell, Report, Table

_DATA = "stick-figures"


@dataclass(frozen=True, slots=True)
class PoseOptions:
    """Choices of the protocol.

    Attributes:
        videos: of the people trained on, and as many of other people, to regress joints on.
        frames: of each of them, spread over it.
        clips: of either, to tell actions from.
        clip_frames: of each of them, spread over it.
        steps: in which the recurrent network learns actions.
    """

    videos: int = 605
    frames: int = 4
    clips: int = 154
    clip_frames: int = 24
    steps: int = pose.STEPS


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
    """Return the figures of each level and of all keypoints, beside the true joints'.

    Raises:
        InputError: The data are not stick figures, whose joints and actions are known.
    """
    require_people(subject)
    stills = pose.watch_both(subject.model, options.videos, options.frames)
    clips = pose.watch_both(subject.model, options.clips, options.clip_frames)
    levels = subject.model.capabilities.levels
    names = [(f"level {level + 1}", level) for level in range(levels)] if levels > 1 else []
    found = {
        name: pose.measure(stills, clips, level, steps=options.steps)
        for name, level in (*names, ("all keypoints", None))
    }
    rows: list[tuple[Cell, ...]] = [_row(name, figures) for name, figures in found.items()]
    rows.append(_row("true joints", pose.measure_truth(clips, steps=options.steps)))
    table = Table(
        "Figures",
        ("keypoints", "K", "rmse %", "rmse % without bias", "left-right %", "action %"),
        tuple(rows),
        "Of people never trained on. rmse: root mean square distance of the 17 joints, percent of "
        "the picture's edge, regressed on half of the videos and measured on the other half (the "
        "origin is the picture's middle). left-right: mean distance, regressed on the people "
        "trained on, either labelling of a person's sides. action: of eleven, by a GRU.",
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
    )


def _row(name: str, figures: pose.PoseFigures) -> tuple[Cell, ...]:
    return (
        name,
        figures.keypoints,
        figures.rmse,
        figures.rmse_no_bias,
        figures.left_right,
        figures.action,
    )


PROTOCOL = Protocol("joints and actions of acting stick figures", PoseOptions, run)
