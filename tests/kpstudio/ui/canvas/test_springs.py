"""Particles that hang on each other: their lines, and what a drag carries along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session
from kpstudio.ui.action_set import ACTIONS
from kpstudio.ui.actions import layer_is_offered
from kpstudio.ui.canvas.mapping import Viewport
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.springs import paint_springs, spring_lines

PLACES = [(-0.5, 0.0), (0.5, 0.0), (-0.7, 0.4), (-0.3, 0.4), (0.3, 0.4), (0.7, 0.4)]
PARENTS = (-1, -1, 0, 0, 1, 1)
LEFT = Qt.MouseButton.LeftButton
PLAIN, ALT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def session() -> Session:
    session = Session()
    can = Capabilities((32, 32), 6, levels=2)
    session.open_model(ModelInfo(1, "m", "m", "Fake", can))
    session.open_media(MediaInfo(1, "v", "v", "image", 1))
    topology = Topology((0, 0, 1, 1, 1, 1), PARENTS, tuple(range(6)))
    session.receive_encoding(1, 1, 0, Encoding(Latents(torch.tensor([PLACES]), topology)))
    pixels = np.full((32, 32, 3), 60, np.uint8)
    for role in ("input", "reconstruction", "edited", "difference"):
        picture = Picture(pixels, session.revision, 0, base=session.revision)
        assert session.receive_picture(role, 1, 1, picture)
    return session


def moved(session: Session) -> set[int]:
    assert session.latents is not None
    now = np.array(session.latents.rows("position"))
    return set(np.flatnonzero(np.abs(now - np.array(PLACES)).max(1) > 1e-6).tolist())


def drag(canvas, row: int, keys: Qt.KeyboardModifier) -> None:
    x, y = canvas.viewport.to_view(PLACES[row])
    start = QPoint(round(x), round(y))
    QTest.mousePress(canvas, LEFT, keys, start)
    QTest.mouseRelease(canvas, LEFT, keys, start + QPoint(20, 10))


@pytest.mark.parametrize(
    ("row", "keys", "carried"),
    [(0, PLAIN, {0, 2, 3}), (0, ALT, {0}), (1, PLAIN, {1, 4, 5}), (4, PLAIN, {4})],
)
def test_a_parent_carries_its_children_and_alt_takes_it_alone(session, show, row, keys, carried):
    canvas = show(session)
    drag(canvas, row, keys)
    assert moved(session) == carried
    assert session.latents is not None
    now = np.array(session.latents.rows("position"))
    steps = (now - np.array(PLACES))[sorted(carried)]
    assert np.abs(steps - steps[0]).max() < 1e-6, "all by the same way"
    session.undo()
    assert moved(session) == set()


def test_keys_carry_children_too(session, show):
    canvas = show(session)
    session.update_view(selection=frozenset({0}))
    canvas.nudge(1.0, 0.0)
    assert moved(session) == {0, 2, 3}
    assert session.view.selection == {0}


def test_descendants_of_three_levels():
    topology = Topology((0, 1, 1, 2, 2), (-1, 0, 0, 1, 2), (0, 1, 2, 3, 4))
    assert topology.with_descendants([0]) == {0, 1, 2, 3, 4}
    assert topology.with_descendants([1]) == {1, 3}
    assert topology.with_descendants([3]) == {3}
    assert Topology.flat(3).with_descendants([1]) == {1}


def mark(row: int, **more: object) -> Mark:
    return replace(Mark(row, row, PLACES[row]), **more)


def test_lines_join_what_is_shown():
    marks = [mark(row) for row in range(6)]
    assert {(a.row, b.row) for a, b in spring_lines(marks, PARENTS)} == {
        (0, 2),
        (0, 3),
        (1, 4),
        (1, 5),
    }
    few = [mark(0, kept=False), mark(1), mark(2), mark(4)]
    assert {(a.row, b.row) for a, b in spring_lines(few, PARENTS)} == {(1, 4)}


def painted(opacity: float) -> QImage:
    image = QImage(200, 200, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    view = Viewport((32, 32), 0.0, 0.0, 200.0, 200.0)
    paint_springs(painter, [mark(0), mark(2)], PARENTS, view, opacity)
    painter.end()
    return image


def test_a_line_lies_between_its_ends_in_the_layers_opacity(qapp):
    half = QPointF(*Viewport((32, 32), 0, 0, 200.0, 200.0).to_view((-0.6, 0.2))).toPoint()
    strong, faint = painted(1.0).pixelColor(half), painted(0.3).pixelColor(half)
    assert strong.alpha() > 200
    assert 0 < faint.alpha() < strong.alpha()
    assert painted(1.0).pixelColor(150, 150).alpha() == 0


def test_flat_models_are_not_offered_springs():
    assert layer_is_offered("springs", Capabilities((32, 32), 6, levels=2))
    assert not layer_is_offered("springs", Capabilities((32, 32), 6))
    assert any(action.key == "layer-springs" for action in ACTIONS)


def test_springs_are_painted_behind_the_particles(session, show):
    canvas = show(session)
    with_lines = canvas.grab().toImage()
    session.update_view(layers=session.view.with_layer("springs", visible=False).layers)
    assert canvas.grab().toImage() != with_lines


# -- one level alone -------------------------------------------------------------------------------
def test_one_level_alone_is_drawn_and_picked_and_still_carries_what_hangs_on_it(session, show):
    canvas = show(session)
    session.update_view(selection=frozenset({0, 4}))
    session.show_level(0)
    assert session.view.selection == {0}
    assert {mark.row for mark in canvas.overlay.marks} == {0, 1}
    x, y = canvas.viewport.to_view(PLACES[4])
    QTest.mouseClick(canvas, LEFT, PLAIN, QPoint(round(x), round(y)))
    assert session.view.selection == frozenset(), "a particle of another level cannot be picked"
    drag(canvas, 0, PLAIN)
    assert moved(session) == {0, 2, 3}
    session.show_level(1)
    assert session.scene.offered(0) == {2, 3, 4, 5}
    canvas.select_neighbour(1)
    assert session.view.selection == {2}


def test_a_model_without_that_level_shows_all(session):
    session.show_level(1)
    session.open_model(ModelInfo(2, "m", "m", "Fake", Capabilities((32, 32), 6)))
    assert session.view.level is None
