"""How a source picture becomes the model's picture, and the way back.

A rule is what the user chose and a checkpoint records; a framing is that rule worked out for one
source size and one model size. Unit coordinates have their edges at +-1 in both pictures, so the
map between them is one scale and one shift per axis. Free of torch and of image libraries;
`kpcore.data.resample` moves the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import DataError, InputError

Fit = Literal["crop", "stretch", "pad"]
"""What gives when the shapes differ: "crop" takes the largest middle part of the model's shape,
"stretch" squeezes the whole, "pad" shows the whole between black bars."""


@dataclass(frozen=True, slots=True)
class FramingRule:
    """What part of any source picture the model sees.

    Attributes:
        fit: How the part is brought to the model's shape.
        box: Part to use, (left, top, right, bottom) in source pixels, 0 at the left and top edges;
            None means the whole picture.
    """

    fit: Fit = "crop"
    box: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.fit not in ("crop", "stretch", "pad"):
            raise InputError(f"framing '{self.fit}' is not known; use crop, stretch or pad")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise InputError(
                f"the box {self.box} is empty; give left, top, right, bottom in source pixels with "
                f"left < right and top < bottom"
            )

    def resolve(self, source_size: tuple[int, int], size: tuple[int, int]) -> Framing:
        """Return the framing of pictures of `source_size` for a model of `size`, both (H, W).

        Raises:
            DataError: The rule's box lies outside the picture.
        """
        height, width = source_size
        left, top, right, bottom = self.box or (0.0, 0.0, float(width), float(height))
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if right - left < 0.5 or bottom - top < 0.5:
            raise DataError(
                f"the framing box {self.box} lies outside a picture of {width} x {height} pixels; "
                f"choose another box or leave it out"
            )
        if self.fit != "stretch":
            wide, high = right - left, bottom - top
            pick = min if self.fit == "crop" else max
            unit = pick(wide / size[1], high / size[0])
            spare_x, spare_y = wide - unit * size[1], high - unit * size[0]
            left, right = left + spare_x / 2, right - spare_x / 2
            top, bottom = top + spare_y / 2, bottom - spare_y / 2
        first_x, first_y = round(left), round(top)
        box = (
            first_x,
            first_y,
            first_x + max(1, round(right - left)),
            first_y + max(1, round(bottom - top)),
        )
        return Framing(source_size, box, size)


@dataclass(frozen=True, slots=True)
class Framing:
    """One source size brought to one model size.

    Attributes:
        source_size: (H, W) of the source picture.
        box: The part that fills the model's picture: left, top, right, bottom in whole source
            pixels; reaches beyond the source where it is padded.
        size: (H, W) of the model's picture.
    """

    source_size: tuple[int, int]
    box: tuple[int, int, int, int]
    size: tuple[int, int]

    @property
    def box_size(self) -> tuple[int, int]:
        """(H, W) of the box in source pixels."""
        left, top, right, bottom = self.box
        return bottom - top, right - left

    @property
    def visible(self) -> tuple[int, int, int, int]:
        """The part of the box that lies inside the source, as a box in source pixels."""
        left, top, right, bottom = self.box
        height, width = self.source_size
        return max(left, 0), max(top, 0), min(right, width), min(bottom, height)

    def to_source(self, x: float, y: float) -> tuple[float, float]:
        """Return the unit coordinates in the source of a point in unit coordinates of the model."""
        (scale_x, shift_x), (scale_y, shift_y) = self._axes()
        return x * scale_x + shift_x, y * scale_y + shift_y

    def to_model(self, x: float, y: float) -> tuple[float, float]:
        """Return the unit coordinates in the model of a point in unit coordinates of the source."""
        (scale_x, shift_x), (scale_y, shift_y) = self._axes()
        return (x - shift_x) / scale_x, (y - shift_y) / scale_y

    def _axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Scale and shift from the model's unit coordinates to the source's, for x and y."""
        left, top, right, bottom = self.box
        height, width = self.source_size
        return (
            ((right - left) / width, (left + right) / width - 1.0),
            ((bottom - top) / height, (top + bottom) / height - 1.0),
        )
