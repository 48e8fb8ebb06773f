"""Tetrominoes and CLEVR with masks, of the multi-object data sets (TFRecord files)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data.labelled import Facts, LabelledObject, Labels, check_split
from kpcore.data.public.tfrecord import Feature, parse_example, records
from kpcore.errors import DataError


@dataclass(frozen=True, slots=True)
class Format:
    """Sizes and codes of one of the data sets.

    Attributes:
        title: Shown name.
        size: (H, W) of the pictures.
        entities: Masks of a picture: objects and the background.
        most: Objects of the fullest picture that is used; those with more are left out.
        count: First pictures of the published order that are used: as many as TUSK uses of
            Tetrominoes, and of CLEVR what memory has room for (a gigabyte).
        held: Share of them, at their end, that is the test split.
        codes: Attribute -> names of its codes, 0 meaning none; else the code is the name.
    """

    title: str
    size: tuple[int, int]
    entities: int
    most: int
    count: int
    held: float
    codes: Mapping[str, tuple[str, ...]]


TETROMINOES = Format("Tetrominoes", (35, 35), 4, 3, 60_000, 1 / 6, MappingProxyType({}))
CLEVR = Format(
    "CLEVR with masks",
    (240, 320),
    11,
    10,
    3_000,
    0.15,
    MappingProxyType(
        {
            "size": ("", "large", "small"),
            "material": ("", "rubber", "metal"),
            "shape": ("", "cube", "sphere", "cylinder"),
            "color": (
                "",
                "red",
                "blue",
                "green",
                "cyan",
                "brown",
                "gray",
                "purple",
                "yellow",
            ),
        }
    ),
)
CLEVR6 = replace(CLEVR, title="CLEVR6 with masks", most=6)


class MultiObject:
    """The first pictures of a multi-object TFRecord file, with the mask of every object.

    Records have no index, so they are read once, in order, and kept.
    """

    def __init__(self, path: Path, form: Format) -> None:
        """Read the pictures.

        Args:
            path: The TFRecord file, or a folder that holds one.
            form: Which data set it is.
        """
        if path.is_dir():
            found = sorted(path.glob("*.tfrecords"))
            if not found:
                raise DataError(f"'{path}' holds no .tfrecords file; give the downloaded file")
            path = found[0]
        self._form = form
        self._pictures: list[ndarray] = []
        self._owners: list[ndarray] = []
        self._objects: list[tuple[LabelledObject, ...]] = []
        for record in records(path):
            self._keep(path, parse_example(record))
            if len(self) == form.count:
                break
        self.facts = Facts(form.title, "Kabra et al., Multi-Object Datasets, 2019, Apache-2.0")

    def _keep(self, path: Path, features: Mapping[str, Feature]) -> None:
        height, width = self._form.size
        entities = self._form.entities
        try:
            image = _bytes(features["image"]).reshape(height, width, 3)
            masks = _bytes(features["mask"]).reshape(entities, height, width) > 127
            visible = cast("ndarray", features["visibility"])
        except (KeyError, ValueError) as error:
            raise DataError(
                f"'{path.name}' is not {self._form.title}: its records do not fit pictures of "
                f"{width} x {height} with {entities} masks"
            ) from error
        if np.count_nonzero(visible[1:]) > self._form.most:
            return
        shown = [i for i in range(1, entities) if visible[i] > 0 and masks[i].any()]
        owner = np.zeros((height, width), np.uint8)
        for number, entity in enumerate(shown, 1):
            owner[masks[entity]] = number
        self._pictures.append(image)
        self._owners.append(owner)
        self._objects.append(
            tuple(LabelledObject(_middle(masks[i]), self._attributes(features, i)) for i in shown)
        )

    def _attributes(self, features: Mapping[str, Feature], row: int) -> dict[str, str]:
        said: dict[str, str] = {}
        for name in ("shape", "color", "size", "material"):
            if name not in features:
                continue
            value = features[name]
            if isinstance(value, list) or value.dtype == np.uint8:
                code = _bytes(value)[row]
                names = self._form.codes.get(name, ())
                said[name] = names[code] if code < len(names) else str(code)
            else:
                rows = value.reshape(self._form.entities, -1)[row]
                said[name] = " ".join(f"{number:g}" for number in rows)
        return said

    def __len__(self) -> int:
        return len(self._pictures)

    def rows(self, split: str) -> Sequence[int]:
        """Return the numbers of the pictures of a split."""
        check_split(split, self.facts.splits)
        first = len(self) - round(len(self) * self._form.held)
        return range(first) if split == "train" else range(first, len(self))

    def picture(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return a picture."""
        return self._pictures[index]

    def labels(self, index: int) -> Labels:
        """Return the masks and what is said of each object."""
        objects = self._objects[index]
        numbers = np.arange(1, len(objects) + 1, dtype=np.uint8)
        return Labels(objects=objects, masks=self._owners[index] == numbers[:, None, None])


def _bytes(feature: Feature) -> UInt8[ndarray, " N"]:
    """One number of each byte string; the files hold one string per value."""
    if isinstance(feature, np.ndarray):
        return feature.astype(np.uint8)
    return np.frombuffer(b"".join(feature), np.uint8)


def _middle(mask: ndarray) -> tuple[float, float]:
    """Centre of mass in unit coordinates."""
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    x, y = (columns + 0.5).mean() * 2.0 / width - 1.0, (rows + 0.5).mean() * 2.0 / height - 1.0
    return float(x), float(y)
