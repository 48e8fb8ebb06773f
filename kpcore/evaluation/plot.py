"""Line plots as PNG, drawn with Pillow: a panel per figure, a line per predictor."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0),
    (0, 0, 0), (240, 228, 66),
)  # fmt: skip
"""Of Okabe and Ito (2008): told apart by colour-blind readers too."""
_PANEL = (460, 340)
_MARGIN = (58, 34, 14, 44)
_LEGEND = 26
_SCALE = 2
_INK, _GRID = (40, 40, 40), (222, 222, 222)


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: Above it.
        x_label: Below it.
        lines: Name and values; the n-th value stands at x = n, from 1. The same name has the same
            colour in every panel.
        dashed: Names of lines that are drawn dashed.
    """

    title: str
    x_label: str
    lines: Mapping[str, Sequence[float]]
    dashed: frozenset[str] = field(default=frozenset())


def draw(panels: Sequence[Panel]) -> bytes:
    """Return panels side by side over one legend, as the bytes of a PNG file."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    width, height = _PANEL
    whole = (width * max(len(panels), 1), height + _LEGEND)
    picture = Image.new("RGB", (whole[0] * _SCALE, whole[1] * _SCALE), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    for index, panel in enumerate(panels):
        _draw_panel(pen, panel, index * width, colours)
    dashed = frozenset(name for panel in panels for name in panel.dashed)
    x = _MARGIN[0]
    for name in names:
        y = height + _LEGEND / 2 - 4
        _line(pen, [(x, y), (x + 22, y)], colours[name], dashed=name in dashed)
        _write(pen, (x + 28, y), name, "lm")
        x += 28 + pen.textlength(name, font=_font()) / _SCALE + 22
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from `low` to `high`, at most `most`, spaced 1, 2 or 5 times 10^n."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 5, 10, 20) if (high - low) / (power * f) <= most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def _draw_panel(
    pen: ImageDraw.ImageDraw, panel: Panel, shift: int, colours: Mapping[str, Colour]
) -> None:
    left, top, right, bottom = _MARGIN
    width, height = _PANEL
    box = (shift + left, top, shift + width - right, height - bottom)
    values = [v for line in panel.lines.values() for v in line if math.isfinite(v)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    edge = 0.05 * (high - low) or 0.5
    low, high = low - edge, high + edge
    count = max((len(line) for line in panel.lines.values()), default=1)

    def place(step: float, value: float) -> tuple[float, float]:
        x = box[0] + (step - 1) / max(count - 1, 1) * (box[2] - box[0])
        return x, box[3] - (value - low) / (high - low) * (box[3] - box[1])

    for tick in ticks(low, high):
        y = place(1, tick)[1]
        _line(pen, [(box[0], y), (box[2], y)], _GRID, width=1)
        _write(pen, (box[0] - 6, y), f"{tick:g}", "rm")
    for tick in ticks(1, count):
        if tick == int(tick):
            x = place(tick, low)[0]
            _line(pen, [(x, box[3]), (x, box[3] + 4)], _INK, width=1)
            _write(pen, (x, box[3] + 14), f"{tick:g}", "mm")
    _line(pen, [(box[0], box[1]), (box[0], box[3]), (box[2], box[3])], _INK, width=1)
    for name, line in panel.lines.items():
        points = [place(index + 1, v) for index, v in enumerate(line) if math.isfinite(v)]
        if len(points) > 1:
            _line(pen, points, colours[name], dashed=name in panel.dashed)
    _write(pen, ((box[0] + box[2]) / 2, top / 2), panel.title, "mm", bold=True)
    _write(pen, ((box[0] + box[2]) / 2, height - 12), panel.x_label, "mm")


def _line(
    pen: ImageDraw.ImageDraw,
    points: Sequence[tuple[float, float]],
    colour: Colour,
    width: float = 2,
    dashed: bool = False,
) -> None:
    scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
    thick = round(width * _SCALE)
    if not dashed:
        pen.line(scaled, fill=colour, width=thick, joint="curve")
        return
    dense = [
        (x0 + t * (x1 - x0), y0 + t * (y1 - y0))
        for (x0, y0), (x1, y1) in pairwise(scaled)
        for t in np.arange(0.0, 1.0, 1.0 / max(math.hypot(x1 - x0, y1 - y0), 1.0))
    ]
    dash = 5 * _SCALE
    for start in range(0, len(dense) - 1, 2 * dash):
        pen.line(dense[start : start + dash + 1], fill=colour, width=thick)


def _font(bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default((14 if bold else 12) * _SCALE)


def _write(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str, bold: bool = False
) -> None:
    pen.text((at[0] * _SCALE, at[1] * _SCALE), text, _INK, _font(bold), anchor=anchor)
