"""Write pictures and latents for other programs; every file appears whole or not at all.

Positions are given three times: in unit coordinates of the model's picture (image edges at +-1,
x right, y down), in pixels of the model's picture, and in pixels of the source picture with crop
and resize undone. Pixel coordinates count from 0 at the centre of the first pixel.

CSV: a header, then one line per image and particle, with the columns
    frame, particle, x, y, x_px, y_px, source_x_px, source_y_px,
    x_log_var, y_log_var (natural log of the variance in squared unit coordinates),
    presence, prototype, feature_0 ..., feature_log_var_0 ...
of which those that the family does not have are left out.

NPZ: the same as arrays with a leading image axis: frame (B), particle (K), position (B, K, 2),
position_px, source_px, and, where the family has them, position_log_var, presence, prototype,
feature, feature_log_var, background; besides model_size, source_size (H, W) and framing_box (left,
top, right, bottom in source pixels).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from kpcore.data.resample import undo_framing
from kpcore.errors import DataError, InputError
from kpcore.files import write_atomically
from kpcore.geometry.coordinates import unit_to_pixel
from kpcore.geometry.framing import Framing
from kpcore.latents import Latents


def save_picture(
    path: str | Path,
    picture: UInt8[ndarray, "H W 3"],
    framing: Framing | None = None,
    original: UInt8[ndarray, "h w 3"] | None = None,
) -> None:
    """Write a PNG; with framing and original, the source picture with this one laid over its part.

    Raises:
        InputError: The name does not end in .png.
        DataError: The file cannot be written.
    """
    path = Path(path)
    _check_suffix(path, (".png",))
    if framing is not None and original is not None:
        picture = undo_framing(framing, picture, original)
    blob = io.BytesIO()
    Image.fromarray(picture).save(blob, "PNG")
    write_atomically(path, blob.getvalue(), DataError)


def save_latents(
    path: str | Path, latents: Latents, framing: Framing, frames: Sequence[int] | None = None
) -> None:
    """Write latents as .csv or .npz (columns and arrays: see the module's text).

    Args:
        path: Its ending decides.
        latents: One image, or a batch of images.
        framing: Of the picture that was encoded; undone for the source pixels.
        frames: Number of each image in its video; None counts from 0.

    Raises:
        InputError: The ending is another, or `frames` does not fit.
        DataError: The file cannot be written.
    """
    path = Path(path)
    suffix = _check_suffix(path, (".csv", ".npz"))
    arrays = _arrays(latents, framing, frames)
    blob = _csv(arrays) if suffix == ".csv" else npz_bytes(arrays)
    write_atomically(path, blob, DataError)


def _check_suffix(path: Path, known: tuple[str, ...]) -> str:
    suffix = path.suffix.lower()
    if suffix not in known:
        raise InputError(f"'{path.name}' should end in {' or '.join(known)}")
    return suffix


def _arrays(latents: Latents, framing: Framing, frames: Sequence[int] | None) -> dict[str, ndarray]:
    """Everything that is exported, by name, with a leading image axis where it has one."""
    single = not latents.batch_shape
    own = {name: value.detach().cpu().numpy() for name, value in latents.named().items()}
    own = {name: array[None] if single else array for name, array in own.items()}
    position = own.pop("position")
    if position.ndim != 3:
        raise InputError("latents of one image or of a batch of images can be exported")
    count = len(position)
    numbers = list(range(count)) if frames is None else list(frames)
    if len(numbers) != count:
        raise InputError(f"{len(numbers)} frame numbers do not fit latents of {count} images")
    x: Any = position[..., 0].astype(np.float64)
    y: Any = position[..., 1].astype(np.float64)
    return {
        "frame": np.array(numbers, np.int64),
        "particle": np.array(latents.topology.identity, np.int64),
        "position": position,
        "position_px": _pixels(x, y, framing.size),
        "source_px": _pixels(*framing.to_source(x, y), framing.source_size),
        "model_size": np.array(framing.size, np.int64),
        "source_size": np.array(framing.source_size, np.int64),
        "framing_box": np.array(framing.box, np.int64),
        **own,
    }


def _pixels(x: Any, y: Any, size: tuple[int, int]) -> ndarray:
    return np.stack([unit_to_pixel(x, size[1]), unit_to_pixel(y, size[0])], axis=-1)


def npz_bytes(arrays: dict[str, ndarray]) -> bytes:
    """Return named arrays as the bytes of an .npz file."""
    blob = io.BytesIO()
    np.savez_compressed(blob, allow_pickle=False, **arrays)
    return blob.getvalue()


def _csv(arrays: dict[str, ndarray]) -> bytes:
    columns: dict[str, ndarray] = {}
    pairs = {
        "position": ("x", "y"),
        "position_px": ("x_px", "y_px"),
        "source_px": ("source_x_px", "source_y_px"),
        "position_log_var": ("x_log_var", "y_log_var"),
    }
    for name, titles in pairs.items():
        if name in arrays:
            columns |= {title: arrays[name][..., i] for i, title in enumerate(titles)}
    columns |= {name: arrays[name] for name in ("presence", "prototype") if name in arrays}
    for name in ("feature", "feature_log_var"):
        if name in arrays:
            values = arrays[name]
            columns |= {f"{name}_{i}": values[..., i] for i in range(values.shape[-1])}
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["frame", "particle", *columns])
    for image, frame in enumerate(arrays["frame"]):
        for particle, identity in enumerate(arrays["particle"]):
            values = (column[image, particle].item() for column in columns.values())
            writer.writerow([frame, identity, *values])
    return text.getvalue().encode()
