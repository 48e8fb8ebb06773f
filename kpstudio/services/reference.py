"""Pictures inside edits: packed as text; and particles in the appearance of another picture's."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcore.errors import DataError

if TYPE_CHECKING:
    from kpcore.latents import Latents

Bytes = NDArray[np.uint8]


def packed(pixels: Bytes) -> str:
    """Return a picture (H, W, 3) as a PNG in base64."""
    blob = io.BytesIO()
    Image.fromarray(pixels).save(blob, "PNG")
    return base64.b64encode(blob.getvalue()).decode("ascii")


def unpacked(text: str) -> Bytes:
    """Return the picture (H, W, 3) that `packed` made text of.

    Raises:
        DataError: It is damaged.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as png:
            return np.array(png.convert("RGB"))
    except (binascii.Error, OSError, ValueError) as error:
        raise DataError(
            "the picture that lends its appearance is damaged in this session; choose it again"
        ) from error


def dressed(latents: Latents, encoded: Latents, other: Latents) -> Latents:
    """Return the particles of a picture with the features of those of another one.

    Features that differ from `encoded` were chosen by the user and stay. Where particles have no
    features, appearance lies elsewhere and the value itself is returned.
    """
    kept, old, new = latents.feature, encoded.feature, other.feature
    if kept is None or old is None or new is None:
        return latents
    rows = [encoded.topology.identity.index(number) for number in latents.topology.identity]
    old, new = old[:, rows], new[:, rows]
    return replace(latents, feature=new.where(kept == old, kept), background=other.background)
