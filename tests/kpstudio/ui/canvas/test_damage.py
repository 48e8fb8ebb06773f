from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPaintEvent, QPixmap
from PySide6.QtWidgets import QApplication

from kpcore.api import Encoding
from kpcore.latents import Topology
from kpstudio.session.edits import MoveParticles, SetPresence
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session
from kpstudio.ui.canvas.image_view import Canvas

from .conftest import grey, open_session

PLACES = [(-0.5, -0.5), (-0.45, -0.45), (-0.4, -0.5), (0.5, 0.5), (0.1, 0.0)]


class Screen(Canvas):
    """Says what is on the screen, what should be, and how much of it was painted last."""

    share = 1.0

    def __init__(self, session: Session) -> None:
        super().__init__(session, "edited")

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        area = sum(rect.width() * rect.height() for rect in cast("Iterable[QRect]", event.region()))
        self.share = area / (self.width() * self.height())

    def seen(self) -> np.ndarray:
        """Return what is on the screen."""
        return as_array(QApplication.primaryScreen().grabWindow(self.winId()))

    def wanted(self) -> np.ndarray:
        """Return all of it painted anew, which changes nothing on the screen."""
        shown, share = self._shown, self.share
        fresh = as_array(self.grab())
        self._shown, self.share = shown, share
        return fresh


def as_array(pixmap: QPixmap) -> np.ndarray:
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGB32)
    bits = np.frombuffer(image.constBits(), np.uint8)
    return bits.reshape(image.height(), image.width(), 4)[..., :3].copy()


@pytest.fixture
def screen(qtbot) -> Callable[[Session], Screen]:
    def make(session: Session) -> Screen:
        canvas = Screen(session)
        qtbot.addWidget(canvas)
        canvas.resize(400, 400)
        with qtbot.waitSignal(canvas.painted):
            canvas.show()
        return canvas

    return make


def patched(session: Session, rng: np.random.Generator) -> None:
    """Hand the session a picture that differs from the last one in a small place."""
    last = session.picture("edited")
    assert last is not None
    pixels = last.pixels.copy()
    y, x = rng.integers(0, 28, 2)
    pixels[y : y + 4, x : x + 4] = rng.integers(0, 256, 3)
    assert session.receive_picture(
        "edited", 1, 1, Picture(pixels, session.revision, 0, base=session.revision)
    )


def hung(session: Session) -> Session:
    """Hang three of the five particles on the first."""
    latents = session.latents
    assert latents is not None
    topology = Topology((0, 1, 1, 1, 0), (-1, 0, 0, 0, -1), (0, 1, 2, 3, 4))
    session.receive_encoding(1, 1, 0, Encoding(replace(latents, topology=topology)))
    grey(session, "edited")
    return session


@pytest.mark.parametrize("hangs", [False, True])
def test_painting_what_changed_gives_the_same_picture_as_painting_all(screen, hangs: bool) -> None:
    session = hung(open_session(PLACES)) if hangs else open_session(PLACES)
    session.commit(SetPresence(0, (1, 2), (0.2, 0.1)))  # their numbers give way to others
    grey(session, "edited", 90)
    canvas = screen(session)
    session.update_view(selection=frozenset({0}))
    canvas._show_changes()
    rng = np.random.default_rng(0)
    shares: list[float] = []
    for step in range(40):
        row = int(rng.integers(5))
        if step % 8 == 7:
            session.update_view(selection=frozenset({row}))
        elif step % 8 == 5:
            session.update_view(hovered=row)
        else:
            place = tuple(rng.uniform(-0.9, 0.9, 2).tolist())
            session.commit(MoveParticles(0, (row,), (place,)))
            patched(session, rng)
        canvas._show_changes()
        shares.append(canvas.share)
        # the painter rounds differently at the edge of what it paints, lines more than dots
        far = np.abs(canvas.seen().astype(int) - canvas.wanted()).max()
        assert far <= (3 if hangs else 1), f"step {step}"
    assert np.median(shares) < (0.9 if hangs else 0.6)


def test_a_small_move_paints_a_small_part(screen) -> None:
    session = open_session([(-0.5, -0.5), (0.6, 0.6)])
    canvas = screen(session)
    canvas._show_changes()
    session.preview(MoveParticles(0, (0,), ((-0.49, -0.5),)))
    canvas._show_changes()
    assert canvas.share < 0.2


def test_a_picture_that_is_the_same_is_not_painted_but_told(screen, qtbot) -> None:
    session = open_session([(0.0, 0.0)])
    canvas = screen(session)
    canvas._show_changes()
    canvas.share = 0.0
    with qtbot.waitSignal(canvas.painted) as told:
        session.commit(MoveParticles(0, (0,), ((0.0, 0.0),)))
        picture = grey(session, "edited")
    assert told.args == [picture]
    assert canvas.share == 0.0


def test_taking_a_picture_of_the_canvas_does_not_count_as_painting_it(screen) -> None:
    session = open_session([(0.0, 0.0)])
    canvas = screen(session)
    canvas._show_changes()
    session.preview(MoveParticles(0, (0,), ((0.5, 0.5),)))
    Canvas.grab(canvas)
    canvas._show_changes()
    np.testing.assert_array_equal(canvas.seen(), canvas.wanted())
    assert canvas.share == 1.0


def test_springs_and_other_far_layers_have_all_painted(screen) -> None:
    session = open_session([(0.0, 0.0), (0.5, 0.5)])
    layers = session.view.layers
    canvas = screen(session)
    session.update_view(
        layers=tuple(
            replace(layer, visible=True) if layer.name == "heatmaps" else layer for layer in layers
        )
    )
    canvas._show_changes()
    session.preview(MoveParticles(0, (0,), ((0.01, 0.0),)))
    canvas._show_changes()
    assert canvas.share == 1.0
