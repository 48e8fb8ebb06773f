"""CLEVR's pictures with their scenes, and CLEVRER's videos with their objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data.clips import Clip, ClipReaders, natural_key
from kpcore.data.image_file import read_image
from kpcore.data.labelled import Facts, LabelledObject, Labels, check_split
from kpcore.data.video_index import claimed_frames
from kpcore.errors import DataError
from kpcore.geometry.units import pixel_to_unit

_OPEN_VIDEOS = 8
_SAID = ("shape", "color", "size", "material")


class Clevr:
    """CLEVR v1.0: `images/{train,val}/*.png` and `scenes/CLEVR_{train,val}_scenes.json`.

    Objects have positions (the scene's pixel_coords) and attributes; there are no masks.
    """

    def __init__(self, folder: Path, most_objects: int = 10) -> None:
        """Read the scenes.

        Args:
            folder: As it is downloaded.
            most_objects: Scenes with more objects are left out (6 gives CLEVR6).
        """
        self._folder = folder
        self._scenes: list[tuple[str, dict[str, Any]]] = []
        for split in ("train", "val"):
            file = folder / "scenes" / f"CLEVR_{split}_scenes.json"
            if file.exists():
                for scene in _json(file).get("scenes", []):
                    if len(scene.get("objects", ())) <= most_objects:
                        self._scenes.append((split, scene))
        if not self._scenes:
            raise DataError(
                f"'{folder}' has no scenes/CLEVR_train_scenes.json or CLEVR_val_scenes.json; give "
                f"the folder CLEVR_v1.0 as it is downloaded"
            )
        self.facts = Facts(
            "CLEVR", "Johnson et al., CLEVR, CVPR 2017, CC BY 4.0", splits=("train", "val")
        )

    def __len__(self) -> int:
        return len(self._scenes)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split."""
        check_split(split, self.facts.splits)
        return [i for i, (part, _) in enumerate(self._scenes) if part == split]

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a picture, 320 x 240 as distributed."""
        split, scene = self._scenes[index]
        return read_image(self._folder / "images" / split / scene["image_filename"]).picture

    def labels(self, index: int) -> Labels:
        """Return every object's position and attributes."""
        height, width = 240, 320
        return Labels(
            objects=tuple(
                LabelledObject(
                    (
                        pixel_to_unit(item["pixel_coords"][0], width),
                        pixel_to_unit(item["pixel_coords"][1], height),
                    ),
                    {name: str(item[name]) for name in _SAID if name in item},
                )
                for item in self._scenes[index][1]["objects"]
            )
        )


class Clevrer:
    """CLEVRER: frames of `video_*.mp4`, and objects of `annotation_*.json` where they are there.

    Videos may lie in the downloaded folders `video_00000-01000/` and so on, or at the top. Of each
    video every `stride`-th frame is a picture. The annotation gives attributes of the objects that
    are in the camera's view in that frame; their places are in the simulated world, so positions
    are None.
    """

    def __init__(self, folder: Path, stride: int = 8) -> None:
        self._videos = sorted(folder.rglob("video_*.mp4"), key=lambda p: natural_key(p.name))
        if not self._videos:
            raise DataError(f"'{folder}' holds no video_*.mp4; give a folder of CLEVRER's videos")
        self._annotations = {p.stem.split("_")[-1]: p for p in folder.rglob("annotation_*.json")}
        clips = [Clip(path.name, (path,), "video") for path in self._videos]
        self._readers = ClipReaders(clips, _OPEN_VIDEOS)
        self._frames = [
            (video, frame)
            for video in range(len(clips))
            for frame in range(0, self._count(video), stride)
        ]
        self.facts = Facts(
            "CLEVRER",
            "Yi et al., CLEVRER, ICLR 2020, CC0",
            splits=("train", "valid", "test", "all"),
        )

    def _count(self, video: int) -> int:
        """Return a video's number of frames as its head says; finding them reads all of it."""
        return claimed_frames(self._videos[video]) or len(self._readers[video])

    def __len__(self) -> int:
        return len(self._frames)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split: videos 0-9999, 10000-14999, the rest."""
        check_split(split, self.facts.splits)
        first, last = {
            "train": (0, 10_000),
            "valid": (10_000, 15_000),
            "test": (15_000, 20_000),
            "all": (0, 10**9),
        }[split]
        numbers = [int(path.stem.split("_")[-1]) for path in self._videos]
        return [i for i, (video, _) in enumerate(self._frames) if first <= numbers[video] < last]

    def clips(self, split: str) -> list[list[int]]:
        """Return the numbers of the pictures of a split, a list for each video."""
        videos = groupby(self.rows(split), lambda row: self._frames[row][0])
        return [list(rows) for _, rows in videos]

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a frame, 480 x 320 as distributed."""
        video, frame = self._frames[index]
        reader = self._readers[video]
        if frame >= len(reader):
            raise DataError(
                f"'{self._videos[video].name}' ends after {len(reader)} frames and says that it "
                f"has more; copy it again, or leave it out"
            )
        return reader.frame(frame)

    def labels(self, index: int) -> Labels:
        """Return the attributes of the objects in view."""
        video, frame = self._frames[index]
        path = self._annotations.get(self._videos[video].stem.split("_")[-1])
        if path is None:
            return Labels()
        known = _json(path)
        said = {
            item["object_id"]: {name: str(item[name]) for name in _SAID if name in item}
            for item in known.get("object_property", [])
        }
        track = known.get("motion_trajectory", [])
        here = track[frame]["objects"] if frame < len(track) else []
        return Labels(
            objects=tuple(
                LabelledObject(None, said.get(item["object_id"], {}))
                for item in here
                if item.get("inside_camera_view", True)
            )
        )


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read '{file}': {error}; copy it again") from error
