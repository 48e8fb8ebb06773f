from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from kpstudio.session.document import MediaInfo
from kpstudio.session.edits import MoveParticles
from kpstudio.session.pictures import Picture
from kpstudio.session.session import Session
from kpstudio.ui.canvas.mapping import Framing
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.compare import CompareView, psnr

from .canvas.conftest import POSITIONS, grey, open_session


@pytest.fixture
def compare(qtbot) -> CompareView:
    view = CompareView(open_session(POSITIONS))
    qtbot.addWidget(view)
    view.resize(848, 616)
    view.show()
    qtbot.waitExposed(view)
    return view


def test_a_double_click_brings_a_small_canvas_to_the_large_place(compare: CompareView) -> None:
    session: Session = compare.main.session
    assert compare.main.role == "edited"
    small = compare.canvas("input")
    assert small.width() < compare.main.width() / 2
    QTest.mouseDClick(small, Qt.MouseButton.LeftButton, pos=QPoint(20, 60))
    assert session.view.main == "input"
    assert compare.main is small
    assert small.width() > compare.canvas("edited").width() * 2
    assert session.view.selection == frozenset()


def test_a_grid_shows_equals(compare: CompareView) -> None:
    compare.main.session.update_view(grid=True)
    sizes = {(compare.canvas(role).width(), compare.canvas(role).is_small) for role in
             ("input", "reconstruction", "edited", "difference")}  # fmt: skip
    assert sizes == {(420, False)}


def test_other_media_are_shown_whole_and_another_frame_as_before(compare: CompareView) -> None:
    session, links = compare.main.session, compare.links
    compare.main.zoom(3.0, QPointF(50, 60))
    near = links.framing
    session.update_view(frame=1)
    assert links.framing == near
    session.open_media(MediaInfo(2, "w", "w", "image", 1))
    assert links.framing == Framing()


def test_all_canvases_zoom_together(compare: CompareView) -> None:
    large, small = compare.main, compare.canvas("input")
    large.zoom(3.0, QPointF(50, 60))
    assert large.viewport.to_unit((large.width() / 2, large.height() / 2)) == pytest.approx(
        small.viewport.to_unit((small.width() / 2, small.height() / 2))
    )


def test_the_reconstruction_says_how_near_it_comes(compare: CompareView) -> None:
    session = compare.main.session
    title = compare.canvas("reconstruction").accessibleName()
    assert title == "Reconstruction · 99.0 dB"
    pixels = np.full((32, 32, 3), 110, np.uint8)
    session.receive_picture("reconstruction", 1, 1, Picture(pixels, session.revision + 1, 0))
    assert compare.canvas("reconstruction").accessibleName() == "Reconstruction · 28.1 dB"


def test_psnr_of_bytes() -> None:
    zero = np.zeros((2, 2, 3), np.uint8)
    assert psnr(zero, zero) == 99.0
    assert psnr(zero, zero + 255) == 0.0


def test_a_drag_repaints_the_other_canvases_at_leisure(compare: CompareView, qtbot) -> None:
    session = compare.main.session
    paints: list[str] = []
    for role in ("edited", "difference"):
        compare.canvas(role).painted.connect(lambda _, role=role: paints.append(role))
    QTest.qWait(50)
    paints.clear()
    for step in range(1, 6):
        session.preview(MoveParticles(0, (4,), ((step / 10, 0.0),)))
        grey(session, "edited", 100 + step)
        grey(session, "difference", 40 * step)
        # what was asked to be painted now; timers do not run here
        QApplication.sendPostedEvents()
    assert paints == ["edited"] * 5
    qtbot.waitUntil(lambda: "difference" in paints)
    assert paints.count("difference") == 1
    assert compare.canvas("difference").grab().toImage().pixelColor(120, 150).red() == 200


def test_another_theme_repaints_what_is_around_the_picture(compare: CompareView) -> None:
    compare.set_colours(CanvasColours(canvas="#dfe2e7"))
    assert compare.main.grab().toImage().pixelColor(4, 300).name() == "#dfe2e7"
