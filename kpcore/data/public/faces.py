"""Faces with landmarks: CelebA with its MAFL part, AFLW, and a folder with landmarks.csv."""

from __future__ import annotations

import contextlib
import csv
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from kpcore.data.clips import natural_key
from kpcore.data.image_file import read_image
from kpcore.data.labelled import Facts, Labels, check_split
from kpcore.errors import DataError

FIVE: Final = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
"""MAFL's landmarks, in the order of CelebA's file; left and right as the viewer sees them."""

_MIRRORED = ((0, 1), (3, 4))


class CelebA:
    """CelebA's aligned and cropped faces: 5 landmarks and 40 attributes each.

    Expects the folder of the download: `img_align_celeba/`, `list_landmarks_align_celeba.txt`,
    `list_eval_partition.txt` and, if attributes are wanted, `list_attr_celeba.txt`, at the top or
    in `Anno/` and `Eval/`. MAFL's `training.txt` and `testing.txt`, where present, give the splits
    "mafl-train" and "mafl-test"; the split "train" then leaves out MAFL's test pictures, as the
    papers do.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._images = _find(folder, "img_align_celeba", "Img/img_align_celeba")
        lines = _lines(_find(folder, *_in_parts("list_landmarks_align_celeba.txt")))[2:]
        self._names = [line.split()[0] for line in lines]
        values = np.array([line.split()[1:] for line in lines], np.float64)
        if values.ndim != 2 or values.shape[1] != 10:
            raise DataError(
                f"'list_landmarks_align_celeba.txt' in '{folder}' does not have ten numbers a "
                f"line; copy it again from CelebA's download"
            )
        self._landmarks = values.reshape(-1, 5, 2)
        parts = _lines(_find(folder, *_in_parts("list_eval_partition.txt")))
        part = {line.split()[0]: int(line.split()[1]) for line in parts}
        self._splits = {
            name: [i for i, file in enumerate(self._names) if part.get(file) == number]
            for number, name in enumerate(("train", "valid", "test"))
        }
        self._add_mafl()
        self._attributes = self._read_attributes()
        self.facts = Facts(
            "CelebA",
            "Liu, Luo, Wang and Tang, Deep Learning Face Attributes in the Wild, ICCV 2015; "
            "for research only",
            FIVE,
            span=(0, 1),
            mirrored=_MIRRORED,
            splits=tuple(self._splits),
        )

    def _add_mafl(self) -> None:
        number = {name: i for i, name in enumerate(self._names)}
        for split, file in (("mafl-train", "training.txt"), ("mafl-test", "testing.txt")):
            listed = next(
                (p for p in (self._folder / file, self._folder / "MAFL" / file) if p.exists()), None
            )
            if listed is not None:
                names = [line.split()[0] for line in _lines(listed)]
                self._splits[split] = [number[name] for name in names if name in number]
        tested = set(self._splits.get("mafl-test", ()))
        self._splits["train"] = [i for i in self._splits["train"] if i not in tested]

    def _read_attributes(self) -> dict[str, dict[str, str]]:
        names = [self._folder / name for name in _in_parts("list_attr_celeba.txt")]
        file = next((path for path in names if path.exists()), None)
        if file is None:
            return {}
        _, header, *rows = _lines(file)
        keys = header.split()
        known: dict[str, dict[str, str]] = {}
        for row in rows:
            name, *values = row.split()
            known[name] = {
                k: "yes" if v == "1" else "no" for k, v in zip(keys, values, strict=True)
            }
        return known

    def __len__(self) -> int:
        return len(self._names)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split."""
        check_split(split, self.facts.splits)
        return self._splits[split]

    def name(self, index: int) -> str:
        """Return the file of a picture."""
        return self._names[index]

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a picture, 218 x 178 as distributed."""
        return read_image(self._images / self._names[index]).picture

    def labels(self, index: int) -> Labels:
        """Return the five landmarks and, where the file is there, the 40 attributes."""
        size = (218, 178)
        attributes = self._attributes.get(self._names[index], {})
        return Labels(_from_indices(self._landmarks[index], size), attributes=attributes)


class Aflw:
    """AFLW's faces, cut out by their rectangles: 5 of its 21 landmarks, NaN where not seen.

    Expects the folder of the download: `data/aflw.sqlite` (or `aflw.sqlite`) and the pictures under
    `data/flickr/` (or `flickr/`). The rectangle is enlarged by a quarter of its height at the top
    and an eighth of its width at each side, as in Zhang et al., CVPR 2018, appendix G.1. Every
    tenth face, counted by its number, is the test split; published splits are lists of their own.
    """

    _FEATURES = (8, 11, 15, 18, 20)

    def __init__(self, folder: Path) -> None:
        base = folder / "data" if (folder / "data" / "aflw.sqlite").exists() else folder
        file = _find(base, "aflw.sqlite")
        self._flickr = _find(base, "flickr")
        query = (
            "SELECT Faces.face_id, FaceImages.filepath, FaceImages.width, FaceImages.height, "
            "FaceRect.x, FaceRect.y, FaceRect.w, FaceRect.h FROM Faces "
            "JOIN FaceImages ON Faces.file_id = FaceImages.file_id "
            "JOIN FaceRect ON Faces.face_id = FaceRect.face_id ORDER BY Faces.face_id"
        )
        try:
            with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as base_:
                self._faces = base_.execute(query).fetchall()
                wanted = ",".join(map(str, self._FEATURES))
                points = base_.execute(
                    f"SELECT face_id, feature_id, x, y FROM FeatureCoords "
                    f"WHERE feature_id IN ({wanted})"
                ).fetchall()
        except sqlite3.Error as error:
            raise DataError(
                f"'{file.name}' in '{base}' is not AFLW's database ({error}); copy it again from "
                f"AFLW's download"
            ) from error
        self._points: dict[int, dict[int, tuple[float, float]]] = {}
        for face, feature, x, y in points:
            self._points.setdefault(face, {})[feature] = (float(x), float(y))
        self.facts = Facts(
            "AFLW",
            "Koestinger, Wohlhart, Roth and Bischof, Annotated Facial Landmarks in the Wild, 2011; "
            "for research only",
            FIVE,
            span=(0, 1),
            mirrored=_MIRRORED,
        )

    def __len__(self) -> int:
        return len(self._faces)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the faces of a split."""
        check_split(split, self.facts.splits)
        return [i for i in range(len(self)) if (i % 10 == 9) == (split == "test")]

    def _box(self, index: int) -> tuple[int, int, int, int]:
        _, _, width, height, x, y, w, h = self._faces[index]
        left, right = max(0, round(x - w / 8)), min(int(width), round(x + w + w / 8))
        top, bottom = max(0, round(y - h / 4)), min(int(height), round(y + h))
        return left, top, max(right, left + 1), max(bottom, top + 1)

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return the part of the photograph that shows the face."""
        left, top, right, bottom = self._box(index)
        whole = read_image(self._flickr / self._faces[index][1]).picture
        return np.ascontiguousarray(whole[top:bottom, left:right])

    def labels(self, index: int) -> Labels:
        """Return the five landmarks in the face's own picture."""
        left, top, right, bottom = self._box(index)
        known = self._points.get(self._faces[index][0], {})
        pixels = np.array([known.get(f, (np.nan, np.nan)) for f in self._FEATURES], np.float64)
        return Labels(_from_indices(pixels - (left, top), (bottom - top, right - left)))


class LandmarkFolder:
    """A folder with `landmarks.csv`: columns `file`, perhaps `subject`, and x, y of each point.

    Points are columns `x0,y0,x1,y1,...` or `x_NAME,y_NAME,...`, in pixels from the left and top
    edges. With 68 points in the usual order of faces, the five of MAFL are made of them (the mean
    of an eye's six points is its centre). The split "test" holds the last tenth of the subjects, or
    of the files where there are none, so that no person is in both.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        file = _find(folder, "landmarks.csv")
        with file.open(encoding="utf-8", newline="") as lines:
            self._rows = list(csv.DictReader(lines))
        columns = list(self._rows[0]) if self._rows else []
        names = [name[1:] for name in columns if name[:1] == "x" and "y" + name[1:] in columns]
        if not names:
            raise DataError(
                f"'{file}' has no columns x0, y0, ... or x_NAME, y_NAME, ...; give one pair for "
                f"each landmark"
            )
        try:
            table = [[[r["x" + n], r["y" + n]] for n in names] for r in self._rows]
            points = np.array(table, np.float64)
        except ValueError as error:
            raise DataError(f"'{file}' has a landmark that is not a number: {error}") from error
        is_face = len(names) == 68
        self._points = _five_of_68(points) if is_face else points
        self._subjects = [row.get("subject", row["file"]) for row in self._rows]
        people = sorted(set(self._subjects), key=natural_key)
        self._tested = set(people[len(people) - max(1, len(people) // 10) :])
        self.facts = Facts(
            folder.name,
            "see the folder's own licence",
            FIVE if is_face else tuple(name.lstrip("_") for name in names),
            span=(0, 1) if is_face else None,
            mirrored=_MIRRORED if is_face else (),
        )

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split."""
        check_split(split, self.facts.splits)
        tested = [subject in self._tested for subject in self._subjects]
        return [i for i, held in enumerate(tested) if held == (split == "test")]

    def name(self, index: int) -> str:
        """Return the file of a picture."""
        return self._rows[index]["file"]

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a picture."""
        return read_image(self._path(index)).picture

    def labels(self, index: int) -> Labels:
        """Return a picture's landmarks and, where there is one, its subject."""
        subject = self._rows[index].get("subject")
        size = read_image(self._path(index)).size
        labels = Labels(_from_edges(self._points[index], size))
        return labels if subject is None else replace(labels, attributes={"subject": subject})

    def _path(self, index: int) -> Path:
        name = self._rows[index]["file"]
        path = self._folder / name
        return path if path.exists() else self._folder / "images" / name


def _five_of_68(points: Float[ndarray, "N 68 2"]) -> Float[ndarray, "N 5 2"]:
    eyes = [points[:, 36:42].mean(1), points[:, 42:48].mean(1)]
    return np.stack([*eyes, points[:, 30], points[:, 48], points[:, 54]], axis=1)


def _from_indices(pixels: Float[ndarray, "T 2"], size: tuple[int, int]) -> Float[ndarray, "T 2"]:
    """Unit coordinates of pixel indices, where a whole number is a pixel's centre."""
    return _from_edges(pixels + 0.5, size)


def _from_edges(pixels: Float[ndarray, "T 2"], size: tuple[int, int]) -> Float[ndarray, "T 2"]:
    """Unit coordinates of distances in pixels from the left and top edges."""
    height, width = size
    x, y = pixels[:, 0], pixels[:, 1]
    return np.stack([2.0 * x / width - 1.0, 2.0 * y / height - 1.0], axis=-1)


def _in_parts(name: str) -> tuple[str, ...]:
    return name, f"Anno/{name}", f"Eval/{name}"


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(
        f"'{folder}' has no {names[0]}; give the folder of the data set as it is downloaded"
    )


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read '{file}': {error}") from error
