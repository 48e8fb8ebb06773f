"""Move pixels as a framing says: source picture to model picture and back."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray

from kpcore.errors import ShapeError
from kpcore.geometry.framing import Framing
from kpcore.opencv import cv2


def resize(picture: UInt8[ndarray, "h w 3"], size: tuple[int, int]) -> UInt8[ndarray, "H W 3"]:
    """Return the picture at `size` (H, W): area means where it shrinks, bicubic where it grows."""
    height, width = picture.shape[:2]
    small = (min(height, size[0]), min(width, size[1]))
    if small != (height, width):
        picture = cv2.resize(picture, small[::-1], interpolation=cv2.INTER_AREA)
    if small != size:
        picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC)
    return picture


def apply_framing(framing: Framing, picture: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "H W 3"]:
    """Return the model's view of a source picture; black where the box leaves the source.

    Raises:
        ShapeError: The picture does not have the framing's source size.
    """
    _check(picture.shape, framing.source_size, "source")
    left, top, right, bottom = framing.visible
    part = picture[top:bottom, left:right]
    if framing.visible != framing.box:
        box = framing.box
        part = cv2.copyMakeBorder(
            part,
            top - box[1],
            box[3] - bottom,
            left - box[0],
            box[2] - right,
            cv2.BORDER_CONSTANT,
            value=(0, 0, 0),
        )
    return np.ascontiguousarray(resize(part, framing.size))


def frame_masks(framing: Framing, masks: Bool[ndarray, "N h w"]) -> Bool[ndarray, "N H W"]:
    """Return masks as the model sees them: what lies under each pixel's centre.

    Raises:
        ShapeError: The masks do not have the framing's source size.
    """
    _check(masks.shape[1:], framing.source_size, "source")
    left, top, right, bottom = framing.box
    height, width = framing.size
    rows = np.floor(top + (np.arange(height) + 0.5) * (bottom - top) / height).astype(int)
    columns = np.floor(left + (np.arange(width) + 0.5) * (right - left) / width).astype(int)
    high, wide = framing.source_size
    inside = ((rows >= 0) & (rows < high))[:, None] & ((columns >= 0) & (columns < wide))
    picked = masks[:, rows.clip(0, high - 1)][:, :, columns.clip(0, wide - 1)]
    return picked & inside


def undo_framing(
    framing: Framing,
    picture: UInt8[ndarray, "H W 3"],
    original: UInt8[ndarray, "h w 3"],
) -> UInt8[ndarray, "h w 3"]:
    """Return the source picture with the model's picture laid over the part that it shows.

    Raises:
        ShapeError: A picture does not have the size that the framing says.
    """
    _check(picture.shape, framing.size, "model")
    _check(original.shape, framing.source_size, "source")
    left, top, right, bottom = framing.visible
    grown = resize(picture, framing.box_size)
    whole = original.copy()
    whole[top:bottom, left:right] = grown[
        top - framing.box[1] : bottom - framing.box[1],
        left - framing.box[0] : right - framing.box[0],
    ]
    return whole


def _check(shape: tuple[int, ...], size: tuple[int, int], name: str) -> None:
    if shape[:2] != size:
        raise ShapeError(
            f"the {name} picture is {shape[1]} x {shape[0]} pixels; this framing is for "
            f"{size[1]} x {size[0]}"
        )
