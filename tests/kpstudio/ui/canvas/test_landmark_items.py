"""Rings where landmarks are annotated, crosses where the particles tell them."""

from __future__ import annotations

import math

import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from kpstudio.session.landmarks import Regressor
from kpstudio.ui.canvas.landmark_items import error_colour, paint_landmarks
from kpstudio.ui.canvas.mapping import Viewport


def painted(truth, told, errors) -> QImage:
    image = QImage(200, 200, QImage.Format.Format_RGB32)
    image.fill(QColor(40, 40, 40))
    painter = QPainter(image)
    paint_landmarks(painter, truth, told, errors, Viewport((20, 20), 0.0, 0.0, 200.0, 200.0), 1.0)
    painter.end()
    return image


def test_errors_go_from_green_to_red():
    good, middle, bad = (error_colour(percent) for percent in (0.0, 9.0, 40.0))
    assert good.green() > good.red()
    assert bad.red() > bad.green()
    assert good.hue() > middle.hue() > bad.hue()
    assert error_colour(math.nan) == QColor(255, 255, 255)


def test_told_and_true_are_joined_by_a_line_of_the_errors_colour(qapp):
    image = painted([(-0.5, 0.0)], [(0.5, 0.0)], [50.0])
    middle = image.pixelColor(100, 100)
    assert middle.red() > 200
    assert middle.green() < 120
    alone = painted([], [(0.5, 0.0)], [])
    assert alone.pixelColor(100, 100) == QColor(40, 40, 40)
    assert alone.pixelColor(150, 100).red() > 200, "a white cross where nothing is annotated"


def test_the_unit_is_the_eyes_distance_where_there_are_eyes():
    truth = {0: ((-0.25, 0.0), (0.25, 0.0))}
    eyes = Regressor("s", "t", ("a", "b"), [[0.0] * 4] * 2, (0, 1), truth)
    edge = Regressor("s", "t", ("a", "b"), [[0.0] * 4] * 2, None, truth)
    told = ((-0.25, 0.1), (0.25, 0.0))
    assert eyes.errors(told, 0) == pytest.approx((20.0, 0.0))
    assert edge.errors(told, 0) == pytest.approx((5.0, 0.0))
    assert eyes.errors(told, 1) == ()
