"""Colours and marker shapes of particles, the same in every canvas, table and curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["circle", "square", "diamond", "triangle", "cross", "hexagon"]

COLOURS = (
    "#4477AA",
    "#EE6677",
    "#228833",
    "#CCBB44",
    "#66CCEE",
    "#AA3377",
    "#EE7733",
    "#009988",
)
"""Colour-blind-safe, from Paul Tol's bright and vibrant sets."""

SHAPES: tuple[Shape, ...] = ("circle", "square", "diamond", "triangle", "hexagon", "cross")
"""One for each turn through `COLOURS`, so that no two of 48 particles look alike."""


def colour_of(identity: int) -> str:
    """Return the colour of a particle as #RRGGBB, by its stable identity."""
    return COLOURS[identity % len(COLOURS)]


def shape_of(identity: int) -> Shape:
    """Return the marker shape of a particle, by its stable identity."""
    return SHAPES[identity // len(COLOURS) % len(SHAPES)]


@dataclass(frozen=True, slots=True)
class CanvasColours:
    """The theme's tokens that a canvas paints with, each #RRGGBB.

    Attributes:
        window: Behind the canvas's rounded corners.
        canvas: Around the picture.
        line: Border.
        accent: Focus ring and rubber band.
        secondary: The sentence of an empty canvas.
    """

    window: str = "#14161a"
    canvas: str = "#0e1013"
    line: str = "#2c313b"
    accent: str = "#5aa2ff"
    secondary: str = "#98a1b0"
