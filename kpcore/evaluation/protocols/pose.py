"""Protocol "pose": where the joints of acting people are, told from keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kpcore.data.labelled import FilmedPictures, LabelledPictures
from kpcore.data.public import PUBLIC, open_labelled
from kpcore.errors import DataError, InputError
from kpcore.evaluation import pose
from kpcore.evaluation.protocols import Protocol, Subject
from kpcore.evaluation.protocols.landmarks import spread
from kpcore.evaluation.protocols.looking import encode_each
from kpcore.evaluation.report import Cell, Report, Table, bars

_FIGURES = "stick-figures"


@dataclass(frozen=True, slots=True)
class PoseOptions:
    """Choices of the protocol.

    Attributes:
        videos: of the people trained on, and as many of other people, to regress joints on.
            Longer labelled videos are cut into several, which never fall into both halves.
        frames: of each of them, spread over it.
        train: split of labelled videos that shows the people trained on.
        test: split that shows the other people.
    """

    videos: int = 605
    frames: int = 4
    train: str = "train"
    test: str = "test"

    def __post_init__(self) -> None:
        if self.videos < 2 or self.frames < 1:
            raise InputError(
                f"videos {self.videos} and frames {self.frames} were asked for; use at least 2 "
                f"and 1"
            )


def watch_people(subject: Subject, clips: int, frames: int, train: str, test: str) -> pose.Both:
    """Return what the subject's model finds of people who act, of whom joints are known.

    Args:
        subject: Its data are stick figures, or labelled videos.
        clips: Of either group of people; long videos are cut into several.
        frames: Of each clip, spread over it.
        train: Split of labelled videos with the people trained on.
        test: The other people's.

    Raises:
        DataError: The data cannot be read.
        InputError: Joints and actions of the data are not known, or there is no such split.
    """
    if subject.data == _FIGURES:
        return pose.watch_both(subject.model, clips, frames)
    pictures = open_labelled(subject.data) if subject.data.partition(":")[0] in PUBLIC else None
    if not isinstance(pictures, FilmedPictures) or not pictures.facts.mirrored:
        raise InputError(
            f"joints and actions of '{subject.data}' are not known; use --data {_FIGURES} or "
            f"human36m:FOLDER"
        )
    names: list[str] = []
    known, others = (
        _watch(subject, pictures, pieces(_films(subject, pictures, split), clips, frames), names)
        for split in (train, test)
    )
    return pose.Both(known, others, tuple(names), pictures.facts.mirrored)


def pieces(films: Sequence[Sequence[int]], count: int, frames: int) -> list[tuple[int, list[int]]]:
    """Return at most `count` clips cut from videos, as even a number from each as can be.

    Args:
        films: Rows of the frames of each video.
        count: Of clips.
        frames: Of each clip, spread over it. A video is cut into clips of no fewer; of one that is
            shorter, frames are taken twice.

    Returns:
        The number of each clip's video, and its rows.
    """
    cut: list[tuple[int, list[int]]] = []
    for number, rows in enumerate(films):
        parts = max(1, min(-(-count // len(films)), len(rows) // frames))
        for part in np.array_split(np.asarray(rows), parts):
            times = np.linspace(0, len(part) - 1, frames).round().astype(int)
            cut.append((number, part[times].tolist()))
    return [cut[row] for row in spread(range(len(cut)), count)]


def _films(subject: Subject, pictures: FilmedPictures, split: str) -> list[list[int]]:
    films = pictures.clips(split)
    if not films:
        raise DataError(
            f"the {split} part of '{subject.data}' holds no video; choose other splits with --set "
            f"train=... or test=..."
        )
    return films


def _watch(
    subject: Subject,
    pictures: LabelledPictures,
    clips: Sequence[tuple[int, Sequence[int]]],
    names: list[str],
) -> pose.Watched:
    """What a model finds in clips; names of actions not met before are added."""
    kinds = subject.model.capabilities.prototypes
    found: list[torch.Tensor] = []
    joints: list[np.ndarray] = []
    told: list[str] = []
    level: tuple[int, ...] = ()
    for _, encoding, labels in encode_each(
        subject, pictures, [r for _, rows in clips for r in rows]
    ):
        points, level = pose.comparable(encoding.latents, kinds)
        found.append(points)
        joints += [one.landmarks for one in labels if one.landmarks is not None]
        told += [one.attributes["action"] for one in labels]
    told = told[:: len(clips[0][1])]
    names += sorted(set(told) - set(names))
    shape = len(clips), len(clips[0][1])
    points = torch.cat(found)
    places = np.stack(joints)
    return pose.Watched(
        points.view(*shape, *points.shape[1:]),
        places.reshape(*shape, *places.shape[1:]),
        torch.tensor([names.index(one) for one in told]),
        level,
        tuple(film for film, _ in clips),
    )


def run(subject: Subject, options: PoseOptions) -> Report:
    """Return the figures of each level and of all keypoints.

    Raises:
        DataError: The data cannot be read, or show fewer than two videos of the other people.
        InputError: The joints of the data are not known.
    """
    stills = watch_people(subject, options.videos, options.frames, options.train, options.test)
    clips = len(stills.others.points)
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
        "trained on, either labelling of a person's sides. Keypoints that have prototypes come in "
        "their order, and K counts a place for each of each prototype.",
    )
    return Report(
        f"Pose: {subject.checkpoint.name} on {clips} clips of {subject.data}",
        {
            "protocol": "pose",
            "data": subject.data,
            "clips": clips,
            "videos": len(set(stills.others.film)) or clips,
            "frames": options.frames,
            "rmse_percent": {name: figures.rmse for name, figures in found.items()},
            "left_right_percent": {name: figures.left_right for name, figures in found.items()},
        },
        (table,),
        (bars(table, "rmse %"), bars(table, "left-right %")),
    )


PROTOCOL = Protocol("joints of acting people, by linear regression", PoseOptions, run)
