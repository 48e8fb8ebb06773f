from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QImage, QPainter

from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.particle_items import ParticleOverlay

VIEWPORT = Viewport((32, 32), 0.0, 0.0, 200.0, 200.0)


def labels(*marks: Mark) -> np.ndarray:
    image = QImage(200, 200, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    ParticleOverlay(marks, VIEWPORT).paint_labels(painter, 1.0, QFont())
    painter.end()
    return np.array(image.constBits(), np.uint8).copy()


def test_the_number_of_a_faint_particle_gives_way_to_a_clearer_one(qapp) -> None:
    clear = Mark(1, 1, (0.0, 0.0))
    faint = Mark(0, 0, (0.02, 0.0), certainty=0.35)
    alone = labels(clear)
    assert alone.any()
    assert np.array_equal(labels(faint, clear), alone)
    apart = Mark(0, 0, (0.6, 0.0), certainty=0.35)
    assert not np.array_equal(labels(apart, clear), alone)
    hovered = Mark(0, 0, (0.02, 0.0), certainty=0.35, hovered=True)
    assert not np.array_equal(labels(hovered, clear), alone)
    assert not np.array_equal(labels(Mark(0, 0, (0.02, 0.0)), clear), alone)


def areas(*marks: Mark) -> tuple[QRectF, ...]:
    return ParticleOverlay(marks, VIEWPORT).label_areas(QFont(), 1.0)


def test_numbers_of_near_particles_stand_at_corners_that_are_free(qapp) -> None:
    places = [(0.0, 0.0), (0.12, 0.02), (0.05, -0.14), (-0.1, -0.08)]
    marks = [Mark(row, row, at) for row, at in enumerate(places)]
    placed = areas(*marks)
    for index, area in enumerate(placed):
        assert not any(area.intersects(other) for other in placed[:index])
    taken = Mark(3, 3, places[3], selected=True)
    assert areas(*marks[:3], taken)[-1] == areas(taken)[0], "beside the hand nothing jumps"


def test_a_number_alone_stands_at_the_upper_right(qapp) -> None:
    marks = [Mark(0, 0, (0.0, 0.0)), Mark(1, 1, (0.7, 0.7))]
    for mark, area in zip(marks, areas(*marks), strict=True):
        x, y = VIEWPORT.to_view(mark.at)
        assert area.left() > x
        assert area.bottom() < y
