"""What the decoder gives beside the picture, as images to lay over it: masks, heatmaps, glimpses.

Each is made once for every exact picture, in the particles' own colours, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from kpstudio.ui.canvas.mapping import Point, Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.palette import colour_of

Bytes = NDArray[np.uint8]

_HALF = 128
_LARGEST = 0.25
"""Of the picture: a mask that covers more, as of a face or of the ground, is no object to take."""


def picture_image(pixels: Bytes) -> QImage:
    """Return RGB pixels (H, W, 3) as an image of its own memory, in the painter's fast format."""
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return image.convertToFormat(QImage.Format.Format_RGB32)


def layer_image(pixels: Bytes) -> QImage:
    """Return straight RGBA pixels (H, W, 4) as an image of its own memory."""
    height, width = pixels.shape[:2]
    pixels = np.ascontiguousarray(pixels)
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def tinted(
    maps: Bytes,
    identities: Sequence[int],
    *,
    normalise: bool = False,
    only: frozenset[int] | None = None,
) -> QImage:
    """Return one image of all maps (K, h, w), each in its particle's colour.

    Args:
        maps: 0..255 per particle: how much of each pixel is its own.
        identities: Of the K particles.
        normalise: Stretch every map to full strength first, as heatmaps want it.
        only: Which of them; None for all.
    """
    if only is not None:
        chosen = sorted(index for index in only if index < len(maps))
        maps, identities = maps[chosen], [identities[index] for index in chosen]
    weights = maps.astype(np.float32)
    if normalise:
        weights /= np.maximum(weights.max(axis=(1, 2), keepdims=True), 1.0)
    else:
        weights /= 255.0
    inks = [QColor(colour_of(identity)) for identity in identities]
    colours = np.array([(c.red(), c.green(), c.blue()) for c in inks], np.float32).reshape(-1, 3)
    total = weights.sum(axis=0)
    mixed = np.tensordot(weights, colours, axes=(0, 0)) / np.maximum(total, 1e-6)[..., None]
    strength = 255.0 * np.minimum(total, 1.0)[..., None]
    return layer_image(np.concatenate([mixed, strength], axis=-1).astype(np.uint8))


class Extras:
    """The overlays of one exact picture; images are made when first painted."""

    def __init__(self, arrays: Mapping[str, Bytes], rows: Sequence[int], identities: Sequence[int]):
        """Keep the arrays of a picture.

        Args:
            arrays: "masks" (K, H, W), "heatmaps" (K, h, w), "glimpses" (K, S, S, 4).
            rows: The latents' row that each of the K entries belongs to.
            identities: Of those K particles.
        """
        self._arrays = arrays
        self._rows = tuple(rows)
        self._identities = tuple(identities)
        self._maps: dict[str, tuple[frozenset[int] | None, QImage]] = {}
        self._glimpses: dict[int, QImage] | None = None

    @property
    def glimpse_rows(self) -> tuple[int, ...]:
        """The latents' rows that have a glimpse."""
        return tuple(self._glimpse_images())

    def row_at(self, unit: Point) -> int | None:
        """Return the row of the object that is seen at a place of the picture, if there is one."""
        masks = self._arrays.get("masks")
        if masks is None or not len(masks) or max(abs(unit[0]), abs(unit[1])) >= 1.0:
            return None
        height, width = masks.shape[1:]
        down, across = int((unit[1] + 1.0) / 2.0 * height), int((unit[0] + 1.0) / 2.0 * width)
        entry = int(masks[:, down, across].argmax())
        mask = masks[entry] >= _HALF
        if not mask[down, across] or mask.mean() > _LARGEST:
            return None
        return self._rows[entry]

    def paint_map(
        self,
        painter: QPainter,
        name: Literal["masks", "heatmaps"],
        target: QRectF,
        opacity: float,
        only: frozenset[int] | None = None,
    ) -> None:
        """Paint the masks or the heatmaps over the picture at `target`, of some rows or of all."""
        array = self._arrays.get(name)
        if array is None:
            return
        held = self._maps.get(name)
        if held is None or held[0] != only:
            count = min(len(array), len(self._identities))
            places = None
            if only is not None:
                places = frozenset(at for at, row in enumerate(self._rows) if row in only)
            held = (
                only,
                tinted(
                    array[:count],
                    self._identities[:count],
                    normalise=name == "heatmaps",
                    only=places,
                ),
            )
            self._maps[name] = held
        painter.setOpacity(opacity)
        painter.drawImage(target, held[1])
        painter.setOpacity(1.0)

    def paint_glimpses(
        self,
        painter: QPainter,
        marks: Sequence[Mark],
        viewport: Viewport,
        glimpse_px: int,
        opacity: float,
    ) -> None:
        """Paint each decoded glimpse, framed in its colour, where its particle is now."""
        glimpses = self._glimpse_images()
        side = glimpse_px * viewport.scale
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for mark in marks:
            if not mark.kept or mark.row not in glimpses:
                continue
            x, y = viewport.to_view(mark.at)
            box = QRectF(x - side / 2, y - side / 2, side, side)
            painter.setOpacity(opacity * mark.certainty)
            painter.drawImage(box, glimpses[mark.row])
            painter.setPen(QPen(QColor(colour_of(mark.hue)), 1.0))
            painter.drawRect(box)
        painter.setOpacity(1.0)

    def _glimpse_images(self) -> dict[int, QImage]:
        if self._glimpses is None:
            array = self._arrays.get("glimpses")
            entries = zip(self._rows, array, strict=False) if array is not None else ()
            self._glimpses = {row: layer_image(glimpse) for row, glimpse in entries}
        return self._glimpses
