"""Plots as PNG, drawn with Pillow: lines, bars, and matrices of counts, side by side."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

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
_INK, _GRID, _PAPER = (40, 40, 40), (222, 222, 222), (255, 255, 255)
_NAMES, _BAR, _ROW_GAP, _LINE = 190, 15, 10, 14
_CELL = (30, 22)
_ACROSS = 4


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


@dataclass(frozen=True, slots=True)
class Bars:
    """Figures as bars from 0 to the right, each with its value behind it.

    Attributes:
        title: Above them, with the unit.
        names: What each figure is of, from the top.
        lines: One value for each name, by what the values are; several make groups of bars. What
            is not finite has no bar.
    """

    title: str
    names: tuple[str, ...]
    lines: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts in a grid, the darker the more.

    Attributes:
        title: Above it.
        y_label: What a row is.
        rows: Their names, from the top.
        x_label: What a column is.
        columns: Their names.
        values: Of each row, one for each column; not below 0.
    """

    title: str
    y_label: str
    rows: tuple[str, ...]
    x_label: str
    columns: tuple[str, ...]
    values: Sequence[Sequence[int]]


Drawing: TypeAlias = Panel | Bars | Matrix


def draw(drawings: Sequence[Drawing]) -> bytes:
    """Return drawings, four side by side, over one legend, as the bytes of a PNG file."""
    names = list(dict.fromkeys(name for one in drawings for name in _legend(one)))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    rows = [drawings[at : at + _ACROSS] for at in range(0, len(drawings), _ACROSS)]
    sizes = [[_size(one) for one in row] for row in rows] or [[_PANEL]]
    width = max(sum(wide for wide, _ in row) for row in sizes)
    highs = [max(high for _, high in row) for row in sizes]
    height = sum(highs)
    places = _legend_places(names, width)
    lines = max((line for _, line in places), default=-1) + 1
    whole = (width * _SCALE, (height + _LEGEND * lines) * _SCALE)
    picture = Image.new("RGB", whole, _PAPER)
    pen = ImageDraw.Draw(picture)
    top = 0
    for row, high in zip(rows, highs, strict=False):
        picture.paste(_row(row, (width, high), colours), (0, top * _SCALE))
        top += high
    dashed = frozenset(name for one in drawings if isinstance(one, Panel) for name in one.dashed)
    for name, (x, line) in zip(names, places, strict=True):
        y = height + _LEGEND * (line + 0.5) - 4
        _line(pen, [(x, y), (x + 22, y)], colours[name], dashed=name in dashed)
        _write(pen, (x + 28, y), name, "lm")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _row(
    drawings: Sequence[Drawing], size: tuple[int, int], colours: Mapping[str, Colour]
) -> Image.Image:
    picture = Image.new("RGB", (size[0] * _SCALE, size[1] * _SCALE), _PAPER)
    pen, shift = ImageDraw.Draw(picture), 0
    for one in drawings:
        if isinstance(one, Panel):
            _draw_panel(pen, one, shift, colours)
        elif isinstance(one, Bars):
            _draw_bars(pen, one, shift, colours)
        else:
            _draw_matrix(pen, one, shift)
        shift += _size(one)[0]
    return picture


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


def labelled(value: float) -> str:
    """Return a figure as it stands behind its bar: four digits, three where it is below 1."""
    if isinstance(value, int):
        return str(value)
    if 1e3 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) >= 1.0 else f"{value:.3g}"


def _legend(drawing: Drawing) -> tuple[str, ...]:
    """Names to explain; one kind of bar alone needs none, as the title says what it is."""
    if isinstance(drawing, Matrix) or (isinstance(drawing, Bars) and len(drawing.lines) < 2):
        return ()
    return tuple(drawing.lines)


def _legend_places(names: Sequence[str], width: float) -> list[tuple[float, int]]:
    """Where each name begins, and in which line below the drawings."""
    places: list[tuple[float, int]] = []
    x, line = float(_MARGIN[0]), 0
    for name in names:
        long = 28 + _length(name)
        if places and x + long > width - _MARGIN[2]:
            x, line = float(_MARGIN[0]), line + 1
        places.append((x, line))
        x += long + 22
    return places


def _size(drawing: Drawing) -> tuple[int, int]:
    """Width and height, without the legend."""
    if isinstance(drawing, Bars):
        return _PANEL[0], _MARGIN[1] + sum(_row_heights(drawing)) + _ROW_GAP
    if isinstance(drawing, Matrix):
        left, top = _corner(drawing)
        wide = left + _CELL[0] * len(drawing.columns) + 2 * _MARGIN[2]
        return max(wide, _PANEL[0]), top + _CELL[1] * len(drawing.rows) + _MARGIN[3]
    return _PANEL


def _row_heights(bars: Bars) -> list[int]:
    """Of the bars of each name, or of its lines of text where these are higher."""
    group = _BAR * max(len(bars.lines), 1)
    return [max(group, _LINE * len(_wrapped(name))) + _ROW_GAP for name in bars.names]


def _draw_bars(
    pen: ImageDraw.ImageDraw, bars: Bars, shift: int, colours: Mapping[str, Colour]
) -> None:
    width, top = _PANEL[0], _MARGIN[1]
    values = [value for line in bars.lines.values() for value in line if math.isfinite(value)]
    low, high = min([0.0, *values]), max([0.0, *values])
    room = max([_length(labelled(value)) for value in values], default=0.0) + 8
    words = [_length(line) for name in bars.names for line in _wrapped(name)]
    left = shift + 14 + max(words, default=0.0) + 8
    right = shift + width - _MARGIN[2] - room

    def place(value: float) -> float:
        return left + (value - low) / ((high - low) or 1.0) * (right - left)

    y = float(top)
    for row, (name, height) in enumerate(zip(bars.names, _row_heights(bars), strict=True)):
        middle, text = y + height / 2, _wrapped(name)
        for index, line in enumerate(text):
            _write(pen, (left - 8, middle + _LINE * (index - (len(text) - 1) / 2)), line, "rm")
        begin = middle - _BAR * len(bars.lines) / 2
        for index, (kind, line) in enumerate(bars.lines.items()):
            value, upper = line[row], begin + _BAR * index
            if not math.isfinite(value):
                continue
            box = (
                (min(place(0.0), place(value)), upper + 1),
                (
                    max(place(0.0), place(value)),
                    upper + _BAR - 1,
                ),
            )
            _fill(pen, box, colours.get(kind, COLOURS[0]))
            _write(pen, (box[1][0] + 5, upper + _BAR / 2), labelled(value), "lm")
        y += height
    _line(pen, [(place(0.0), top), (place(0.0), y)], _INK, width=1)
    _write(pen, (shift + width / 2, top / 2), bars.title, "mm", bold=True)


def _corner(matrix: Matrix) -> tuple[int, int]:
    """Where the cells begin: room for the names of rows and of columns."""
    wide = max((_length(name) for name in matrix.rows), default=0.0)
    high = _LINE
    if _upright(matrix):
        high = max(_length(name) for name in matrix.columns)
    return math.ceil(wide) + 44, math.ceil(high) + _MARGIN[1] + 8


def _upright(matrix: Matrix) -> bool:
    """Whether names of columns are too long for their cells and are written upwards."""
    return max((_length(name) for name in matrix.columns), default=0.0) > _CELL[0] - 4


def _draw_matrix(pen: ImageDraw.ImageDraw, matrix: Matrix, shift: int) -> None:
    (left, top), width = _corner(matrix), _size(matrix)[0]
    most = max((value for row in matrix.values for value in row), default=0) or 1
    x0, high = shift + left, _CELL[1]
    wide = (width - left - 2 * _MARGIN[2]) / max(len(matrix.columns), 1)
    for column, name in enumerate(matrix.columns):
        x = x0 + wide * (column + 0.5)
        if _upright(matrix):
            _write_up(pen, (x, top - 6 - _length(name) / 2), name)
        else:
            _write(pen, (x, top - 10), name, "mm")
    for row, (name, values) in enumerate(zip(matrix.rows, matrix.values, strict=True)):
        y = top + high * row
        _write(pen, (x0 - 6, y + high / 2), name, "rm")
        for column, value in enumerate(values):
            share = value / most
            corner = (x0 + wide * column, y)
            paint = [round(p + share * (c - p)) for p, c in zip(_PAPER, COLOURS[0], strict=True)]
            box = corner, (corner[0] + wide, y + high)
            _fill(pen, box, (paint[0], paint[1], paint[2]), _GRID)
            if value and _length(str(value)) <= wide - 2:
                ink = _PAPER if share > 0.5 else _INK
                _write(pen, (corner[0] + wide / 2, y + high / 2), str(value), "mm", ink=ink)
    bottom = top + high * len(matrix.rows)
    _write(pen, (x0 + wide * len(matrix.columns) / 2, bottom + 16), matrix.x_label, "mm")
    _write_up(pen, (shift + 16, (top + bottom) / 2), matrix.y_label)
    _write(pen, (shift + width / 2, _MARGIN[1] / 2), matrix.title, "mm", bold=True)


def _wrapped(name: str) -> list[str]:
    """The words of a name in lines that fit beside bars."""
    lines = [""]
    for word in name.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _length(longer) > _NAMES:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _length(text: str) -> float:
    return _font().getlength(text) / _SCALE


def _fill(
    pen: ImageDraw.ImageDraw,
    box: tuple[tuple[float, float], tuple[float, float]],
    colour: Colour,
    outline: Colour | None = None,
) -> None:
    (x0, y0), (x1, y1) = ((x * _SCALE, y * _SCALE) for x, y in box)
    pen.rectangle((x0, y0, x1, y1), fill=colour, outline=outline)


def _write_up(pen: ImageDraw.ImageDraw, middle: tuple[float, float], text: str) -> None:
    """Write text that reads from below to above."""
    size = math.ceil(_length(text) * _SCALE) + 2, 20 * _SCALE
    flat = Image.new("L", size)
    ImageDraw.Draw(flat).text((size[0] / 2, size[1] / 2), text, 255, _font(), anchor="mm")
    turned = flat.transpose(Image.Transpose.ROTATE_90)
    x, y = (round(at * _SCALE - long / 2) for at, long in zip(middle, turned.size, strict=True))
    pen.bitmap((x, y), turned, _INK)


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
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    anchor: str,
    bold: bool = False,
    ink: Colour = _INK,
) -> None:
    pen.text((at[0] * _SCALE, at[1] * _SCALE), text, ink, _font(bold), anchor=anchor)
