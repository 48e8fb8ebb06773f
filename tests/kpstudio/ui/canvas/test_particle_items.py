from __future__ import annotations

import numpy as np
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
