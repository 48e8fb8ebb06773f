"""From unit coordinates to places on a view and back, at any zoom.

All canvases share one `Framing`; because it is in unit coordinates, views of different sizes that
show the same framing show the same part of the scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kpcore.geometry.units import edge_distance, unit_at_edge_distance

Point = tuple[float, float]

CLOSEST = 64.0
FARTHEST = 1 / 64


@dataclass(frozen=True, slots=True)
class Framing:
    """Which part of the scene a view shows.

    Attributes:
        centre: Unit coordinates in the middle of the view.
        zoom: Times the size at which the whole picture just fits.
    """

    centre: Point = (0.0, 0.0)
    zoom: float = 1.0

    def held(self) -> Framing:
        """Return the nearest framing that keeps the picture in reach."""
        x, y = (min(1.0, max(-1.0, value)) for value in self.centre)
        return replace(self, centre=(x, y), zoom=min(CLOSEST, max(FARTHEST, self.zoom)))


@dataclass(frozen=True, slots=True)
class Viewport:
    """Where the picture lies on a view.

    Attributes:
        image: (width, height) of the picture in its own pixels.
        left: Of the picture's edge, in points from the view's left edge.
        top: Of the picture's edge, in points from the view's top edge.
        width: Of the whole picture on the view, in points.
        height: Of the whole picture on the view, in points.
    """

    image: tuple[int, int]
    left: float
    top: float
    width: float
    height: float

    @classmethod
    def of(cls, framing: Framing, image: tuple[int, int], view: tuple[float, float]) -> Viewport:
        """Return the viewport of a view of `view` points that shows `framing`."""
        scale = fit_scale(image, view) * framing.zoom
        width, height = image[0] * scale, image[1] * scale
        left = view[0] / 2 - edge_distance(framing.centre[0], width)
        top = view[1] / 2 - edge_distance(framing.centre[1], height)
        return cls(image, left, top, width, height)

    @property
    def scale(self) -> float:
        """Points per pixel of the picture."""
        return self.width / self.image[0]

    def to_view(self, unit: Point) -> Point:
        """Return the place on the view, in points, of unit coordinates."""
        return (
            self.left + edge_distance(unit[0], self.width),
            self.top + edge_distance(unit[1], self.height),
        )

    def to_unit(self, place: Point) -> Point:
        """Return the unit coordinates of a place on the view."""
        return (
            unit_at_edge_distance(place[0] - self.left, self.width),
            unit_at_edge_distance(place[1] - self.top, self.height),
        )

    def lengths(self, unit: Point) -> Point:
        """Return how many points long a distance in unit coordinates is along x and y."""
        return unit[0] * self.width / 2, unit[1] * self.height / 2

    def unit_lengths(self, points: Point) -> Point:
        """Return the distance in unit coordinates of so many points along x and y."""
        return 2.0 * points[0] / self.width, 2.0 * points[1] / self.height

    def pixel_step(self, pixels: float = 1.0) -> Point:
        """Return the distance in unit coordinates of `pixels` of the picture along x and y."""
        return 2.0 * pixels / self.image[0], 2.0 * pixels / self.image[1]


def fit_scale(image: tuple[int, int], view: tuple[float, float]) -> float:
    """Return the points per pixel at which the whole picture just fits the view."""
    return max(1e-6, min(view[0] / image[0], view[1] / image[1]))


def zoomed(viewport: Viewport, framing: Framing, place: Point, factor: float) -> Framing:
    """Return the framing zoomed by `factor` with the scene under `place` held still."""
    zoom = replace(framing, zoom=framing.zoom * factor).held().zoom
    still = viewport.to_unit(place)
    shrink = framing.zoom / zoom
    centre = (
        still[0] + (framing.centre[0] - still[0]) * shrink,
        still[1] + (framing.centre[1] - still[1]) * shrink,
    )
    return Framing(centre, zoom).held()
