"""Read any still image as 8-bit RGB, upright, with a note of everything that was converted.

Transparent pictures are laid on white, as a page or browser shows them. 16-bit values are divided
by 257, so that black and white stay so; 32-bit and floating-point values are stretched from their
least to their greatest.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from kpcore.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
"""File names that are looked at in folders; the content decides what a file really is."""

LIMIT_PIXELS = 178_956_970
"""Pixels above which a file is refused (about 13,377 square; some 900 MB while it is decoded)."""

Image.MAX_IMAGE_PIXELS = LIMIT_PIXELS  # Pillow warns from half of it otherwise

LARGEST_SIDE = 4096
"""Pictures with a longer side are read reduced, so that what is kept is at most 50 MB."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STRIP = 256
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM")
_READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, struct.error)


@dataclass(frozen=True, slots=True, eq=False)
class StillImage:
    """A picture as it was read.

    Attributes:
        picture: RGB, upright.
        size: (H, W) in the file, upright; larger than the picture when that was reduced.
        notes: What was converted, one short sentence each.
    """

    picture: UInt8[ndarray, "H W 3"]
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def read_image(path: str | Path, largest_side: int = LARGEST_SIDE) -> StillImage:
    """Return the picture in a PNG, JPEG, TIFF, BMP, WebP, GIF or PPM file.

    Args:
        path: The file.
        largest_side: A longer picture is reduced to this; JPEG files are decoded small at once.

    Raises:
        DataError: Missing, unreadable, not an image, damaged, or above `LIMIT_PIXELS`.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            _check_pixels(path, image.width, image.height)
            return _convert(image, largest_side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(_too_large(path)) from error
    except MemoryError as error:
        raise DataError(f"'{path.name}' does not fit in memory; open a smaller copy") from error
    except Image.UnidentifiedImageError as error:
        raise DataError(
            f"'{path.name}' is not an image that can be read here; open a PNG, JPEG, TIFF, BMP or "
            f"WebP file"
        ) from error
    except _READ_ERRORS as error:
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"cannot read '{path}': {error.strerror}") from error
        raise DataError(
            f"the image '{path.name}' is damaged or cut short ({error}); copy it again or open "
            f"another"
        ) from error


def is_image(path: str | Path) -> bool:
    """Return whether the file's first bytes are those of an image that `read_image` knows."""
    try:
        with Image.open(path, formats=_FORMATS):
            return True
    except (*_READ_ERRORS, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False


def _too_large(path: Path, size: str = "far too many") -> str:
    return (
        f"'{path.name}' has {size} pixels; up to {LIMIT_PIXELS // 10**6} million can be read; "
        f"reduce it first"
    )


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > LIMIT_PIXELS:
        raise DataError(_too_large(path, f"{width} x {height}"))


def _is_turned(image: Image.Image) -> bool:
    """Whether the EXIF entry swaps width and height."""
    return image.getexif().get(_ORIENTATION, 1) in range(5, 9)


def _reduced(size: tuple[int, int], largest: int) -> tuple[int, int]:
    """(H, W) brought below `largest` with the same shape."""
    scale = min(1.0, largest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _convert(image: Image.Image, largest: int) -> StillImage:
    notes: list[str] = []
    pictures = getattr(image, "n_frames", 1)
    if pictures > 1:
        notes.append(f"first of {pictures} pictures in the file")
    stored = _reduced((image.height, image.width), largest)
    goal = (stored[1], stored[0])
    size = (image.height, image.width)
    turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    if goal != image.size:
        notes.append(f"read at {goal[0]} x {goal[1]} of {image.width} x {image.height} pixels")
        image.draft(None, goal)
    image.load()
    small = _small_rgb(image, goal, _wide_range(image, notes), notes)
    if turn is not None:
        notes.append("turned upright as its EXIF entry says")
        small = small.transpose(turn)
    if _is_turned(image):
        size = (size[1], size[0])
    return StillImage(np.array(small), size, tuple(dict.fromkeys(notes)))


def _small_rgb(
    image: Image.Image,
    goal: tuple[int, int],
    wide: tuple[float, float] | None,
    notes: list[str],
) -> Image.Image:
    """Any picture as RGB at `goal` (W, H); large ones strip by strip, to keep memory low."""
    across, down = max(1, image.width // goal[0]), max(1, image.height // goal[1])
    if across * down == 1:
        small = _to_rgb(_to_depth_8(image, wide, notes), notes)
    else:
        small = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
        for top in range(0, image.height, _STRIP * down):
            bottom = min(image.height, top + _STRIP * down)
            strip = _to_depth_8(image.crop((0, top, image.width, bottom)), wide, notes)
            small.paste(_to_rgb(strip, notes).reduce((across, down)), (0, top // down))
    return small if small.size == goal else small.resize(goal, Image.Resampling.BOX)


def _wide_range(image: Image.Image, notes: list[str]) -> tuple[float, float] | None:
    """The values that become black and white in a picture of more than 8 bits, else None."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        notes.append("16-bit grey reduced to 8 bits")
        return 0.0, 65535.0
    if image.mode not in ("I", "F"):
        return None
    values = np.asarray(image)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    notes.append(f"values {low:g} to {high:g} stretched to 8 bits")
    return low, high


def _to_depth_8(
    image: Image.Image, wide: tuple[float, float] | None, notes: list[str]
) -> Image.Image:
    """Wide values as 8-bit grey; palettes as colours; the rest as it is."""
    if wide is not None:
        low, high = wide
        values = np.nan_to_num(np.asarray(image, np.float64), posinf=high, neginf=low)
        scaled = (values - low) * (255.0 / (high - low) if high > low else 0.0)
        return Image.fromarray(scaled.round().astype(np.uint8))
    if image.mode in ("P", "PA"):
        notes.append("palette turned into colours")
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Any 8-bit picture as RGB."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        notes.append("transparent parts laid on white")
        layer = image.convert("RGBA")
        sheet = Image.new("RGBA", layer.size, "white")
        sheet.alpha_composite(layer)
        return sheet.convert("RGB")
    if image.mode == "CMYK":
        notes.append("CMYK turned into RGB")
    elif image.mode == "L":
        notes.append("grey turned into RGB")
    else:
        notes.append(f"{image.mode} turned into RGB")
    return image.convert("RGB")
