"""The pure-number half of the coordinate convention; see `kpcore.geometry.coordinates`.

Kept free of torch, so that a window can map mouse positions before torch is loaded.
"""

from __future__ import annotations


def pixel_to_unit(pixel: float, size: int) -> float:
    """Return the unit coordinate of a continuous pixel index (0 is the first pixel's centre)."""
    return (2.0 * pixel + 1.0) / size - 1.0


def unit_to_pixel(unit: float, size: int) -> float:
    """Return the continuous pixel index (0 is the first pixel's centre) of a unit coordinate."""
    return ((unit + 1.0) * size - 1.0) / 2.0


def edge_distance(unit: float, size: float) -> float:
    """Return how far a unit coordinate lies from the left or top edge of a picture.

    Args:
        unit: -1 at that edge, +1 at the opposite one.
        size: Of the picture along this axis, in any unit of length (pixels, screen points).
    """
    return (unit + 1.0) * size / 2.0


def unit_at_edge_distance(distance: float, size: float) -> float:
    """Return the unit coordinate that lies `distance` from the left or top edge."""
    return 2.0 * distance / size - 1.0
