"""Crops of people with joints, as the papers prepare them from Human3.6M."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from kpcore.data.clips import natural_key
from kpcore.data.image_file import SUFFIXES, read_image
from kpcore.data.labelled import Facts, Labels, check_split
from kpcore.errors import DataError

JOINTS = (
    "pelvis",
    "right hip",
    "right knee",
    "right ankle",
    "left hip",
    "left knee",
    "left ankle",
    "spine",
    "neck",
    "nose",
    "head",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right shoulder",
    "right elbow",
    "right wrist",
)
"""The 17 joints in the order of Human3.6M's usual subset."""

_MIRRORED = ((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16))
_SPLITS = {
    "train": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
    "test-s9": ("S9",),
    "test-s11": ("S11",),
}


class Human36M:
    """`SUBJECT/ACTION/*.jpg` with a `joints.npy` of (frames, 17, 2) pixels beside the frames.

    The data set's licence lets nobody hand out crops, so there is no file format of others to
    follow: this is the layout that a crop by the ground-truth box most easily has. The frames of
    one folder are a clip in their natural order. The splits are those of Keypoint Pyramids (train
    S1 S5 S6 S7 S8, test S9 S11); LMDIS tests on "test-s11".
    """

    def __init__(self, folder: Path) -> None:
        self._frames: list[tuple[Path, str, str]] = []
        self._joints: list[ndarray] = []
        for action in sorted(folder.glob("S*/*"), key=lambda p: natural_key(str(p))):
            if action.is_dir():
                self._add(action)
        if not self._frames:
            raise DataError(
                f"'{folder}' holds no SUBJECT/ACTION folders with frames and joints.npy; lay crops "
                f"out as S1/Walking/0001.jpg ... and S1/Walking/joints.npy"
            )
        self.facts = Facts(
            "Human3.6M crops",
            "Ionescu et al., Human3.6M, PAMI 2014; for academic use, by its own licence",
            JOINTS,
            mirrored=_MIRRORED,
            splits=tuple(_SPLITS),
        )

    def _add(self, action: Path) -> None:
        frames = [p for p in action.iterdir() if p.suffix.lower() in SUFFIXES]
        frames.sort(key=lambda p: natural_key(p.name))
        file = action / "joints.npy"
        if not frames:
            return
        try:
            joints = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read '{file}': {error}") from error
        if joints.shape != (len(frames), len(JOINTS), 2):
            raise DataError(
                f"'{file}' has shape {joints.shape}; its {len(frames)} frames ask for "
                f"({len(frames)}, {len(JOINTS)}, 2)"
            )
        self._frames += [(p, action.parent.name, action.name) for p in frames]
        self._joints += list(joints.astype(np.float64))

    def __len__(self) -> int:
        return len(self._frames)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the frames of a split."""
        check_split(split, self.facts.splits)
        subjects = _SPLITS[split]
        return [i for i, (_, subject, _) in enumerate(self._frames) if subject in subjects]

    def clips(self, split: str) -> list[list[int]]:
        """Return the numbers of the frames of a split, a list for each action's folder."""
        folders = groupby(self.rows(split), lambda row: self._frames[row][0].parent)
        return [list(rows) for _, rows in folders]

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a crop."""
        return read_image(self._frames[index][0]).picture

    def labels(self, index: int) -> Labels:
        """Return the joints, the subject and the action."""
        path, subject, action = self._frames[index]
        height, width = read_image(path).size
        return Labels(
            _from_edges(self._joints[index], height, width),
            attributes={"subject": subject, "action": action.split("-")[0].split(" ")[0]},
        )


def _from_edges(pixels: Float[ndarray, "T 2"], height: int, width: int) -> Float[ndarray, "T 2"]:
    """Unit coordinates of distances in pixels from the left and top edges."""
    x, y = pixels[:, 0], pixels[:, 1]
    return np.stack([2.0 * x / width - 1.0, 2.0 * y / height - 1.0], axis=-1)
