"""TFRecord files of `tf.train.Example` messages, read without TensorFlow.

Only what the multi-object data sets use: records with their checksums skipped, and features that
are lists of bytes, floats or integers. Source: the format's public description (length, checksum,
data, checksum; little-endian) and the protocol-buffer wire format.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from kpcore.errors import DataError

Feature = UInt8[ndarray, " N"] | Float[ndarray, " N"] | list[bytes]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ONE_BYTE = np.array([1 << 3 | _BYTES, 1], np.uint8)


def records(path: Path) -> Iterator[bytes]:
    """Yield the records of a file, gzipped or not.

    Raises:
        DataError: The file is missing, damaged or cut short.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with cast("IO[bytes]", gzip.open(path) if zipped else path.open("rb")) as stream:
            while header := stream.read(12):
                if len(header) < 12:
                    raise EOFError("a record's head is cut off")
                (length,) = struct.unpack("<Q", header[:8])
                data = stream.read(length)
                if len(data) < length or len(stream.read(4)) < 4:
                    raise EOFError("a record is cut off")
                yield data
    except (OSError, EOFError) as error:
        raise DataError(
            f"'{path.name}' is not a whole TFRecord file ({error}); copy it again"
        ) from error


def parse_example(record: bytes) -> dict[str, Feature]:
    """Return the features of one `tf.train.Example`, by name.

    Raises:
        DataError: It is not such a message.
    """
    features: dict[str, Feature] = {}
    try:
        for _, outer in _fields(record):
            for _, entry in _fields(cast("bytes", outer)):
                parts = dict(_fields(cast("bytes", entry)))
                name = cast("bytes", parts[1]).decode()
                features[name] = _feature(cast("bytes", parts[2]))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise DataError("a record is not a tf.train.Example; is this another data set?") from error
    return features


def _feature(message: bytes) -> Feature:
    """The one list that a feature holds: 1 bytes, 2 floats, 3 integers."""
    kind, body = next(iter(_fields(message)), (1, b""))
    content = cast("bytes", body)
    if kind == 1:
        if not len(content) % 3:
            # Pictures come as one string for every value: the field's key, its length 1, the value.
            triples = np.frombuffer(content, np.uint8).reshape(-1, 3)
            if (triples[:, :2] == _ONE_BYTE).all():
                return triples[:, 2].copy()
        return [cast("bytes", value) for _, value in _fields(content)]
    if kind == 2:
        chunks = [value for _, value in _fields(content)]
        return np.frombuffer(b"".join(cast("list[bytes]", chunks)), "<f4").astype(np.float64)
    numbers: list[int] = []
    for _, value in _fields(content):
        if isinstance(value, int):
            numbers.append(value)
        else:
            numbers += _varints(value)
    return np.array(numbers, np.float64)


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield (number, value) of a message's fields."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[kind]
        if at + size > len(message):
            raise IndexError("a field is cut off")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varints(packed: bytes) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values
