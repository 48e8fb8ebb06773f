"""Handwritten digits in MNIST's IDX files, and drawn digits where there are none."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.errors import DataError
from kpcore.opencv import cv2

_IMAGES, _LABELS = 2051, 2049
_STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_DRAWN = 6_000


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Grey pictures of digits.

    Attributes:
        images: White on black.
        labels: 0 to 9.
        source: Where they come from.
    """

    images: UInt8[ndarray, "N h w"]
    labels: UInt8[ndarray, " N"]
    source: str


def read_idx(path: Path) -> UInt8[ndarray, "..."]:
    """Return the array of an IDX file of bytes, gzipped or not.

    Raises:
        DataError: The file is missing, cut short, or no such file.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise DataError(f"cannot read '{path}': {error}") from error
    magic = struct.unpack(">I", data[:4])[0] if len(data) >= 4 else 0
    if magic not in (_IMAGES, _LABELS):
        raise DataError(
            f"'{path.name}' is not an IDX file of bytes; give MNIST's files as they are distributed"
        )
    count = magic & 0xFF
    shape = struct.unpack(f">{count}I", data[4 : 4 + 4 * count].ljust(4 * count, b"\0"))
    body = np.frombuffer(data[4 + 4 * count :], np.uint8)
    if len(data) < 4 + 4 * count or body.size != np.prod(shape):
        raise DataError(
            f"'{path.name}' holds {body.size} bytes of {int(np.prod(shape))}; copy it again"
        )
    return body.reshape(shape)


@lru_cache(maxsize=2)
def read_digits(folder: str) -> Digits:
    """Return MNIST's training digits from the folder that holds the two files.

    Raises:
        DataError: A file is missing or damaged, or the two do not fit.
    """
    arrays = []
    for stem in _STEMS:
        names = [Path(folder) / f"{stem}{end}" for end in (".gz", "")]
        file = next((path for path in names if path.exists()), None)
        if file is None:
            raise DataError(
                f"'{folder}' has no {stem}.gz; give the folder of MNIST's training files"
            )
        arrays.append(read_idx(file))
    images, labels = arrays
    if len(images) != len(labels) or images.ndim != 3:
        raise DataError(f"the images and labels in '{folder}' do not fit; copy both again")
    return Digits(images, labels, f"MNIST in {folder}")


@lru_cache(maxsize=1)
def drawn_digits() -> Digits:
    """Return digits drawn with OpenCV's fonts, each a little otherwise: a stand-in for MNIST."""
    random = np.random.default_rng(5)
    images, labels = np.zeros((_DRAWN, 28, 28), np.uint8), np.arange(_DRAWN) % 10
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
    for image, label in zip(images, labels, strict=True):
        large = np.zeros((112, 112), np.uint8)
        font, thick = fonts[int(random.integers(3))], int(random.integers(8, 15))
        (wide, high), _ = cv2.getTextSize(str(label), font, 3.0, thick)
        place = ((112 - wide) // 2, (112 + high) // 2)
        cv2.putText(large, str(label), place, font, 3.0, 255, thick, cv2.LINE_AA)
        turn, lean = np.radians(random.uniform(-12, 12)), random.uniform(-0.25, 0.25)
        scale = random.uniform(0.85, 1.1, 2)
        cos, sin = np.cos(turn), np.sin(turn)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, lean], [0.0, 1.0]])
        linear = linear * scale
        middle = np.array([56.0, 56.0])
        matrix = np.column_stack([linear, middle - linear @ middle])
        bent = cv2.warpAffine(large, matrix, (112, 112))
        image[:] = cv2.resize(bent, (28, 28), interpolation=cv2.INTER_AREA)
    return Digits(images, labels.astype(np.uint8), "digits drawn with OpenCV's fonts")
