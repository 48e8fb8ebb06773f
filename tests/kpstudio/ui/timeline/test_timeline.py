from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt

from kpstudio.services.playback import Playback
from kpstudio.ui.theme import DARK, LIGHT
from kpstudio.ui.timeline.axis import MARGIN, FrameAxis
from kpstudio.ui.timeline.player import Player
from kpstudio.ui.timeline.strip import Strip
from kpstudio.ui.timeline.timeline import Timeline
from kpstudio.ui.timeline.transport import clock
from tests.kpstudio.ui.conftest import open_document

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def player(session, qapp):
    return Player(session, Playback())


@pytest.fixture
def timeline(qtbot, session, thumbnails, player):
    made = Timeline(session, DARK, thumbnails, player)
    qtbot.addWidget(made)
    made.resize(1020, 200)
    made.show()
    open_document(session, frames=100)
    return made


def at(axis: FrameAxis, frame: int, y: int = 12) -> QPoint:
    return QPoint(round(axis.x_of(frame)), y)


def test_frames_and_places_are_inverse_at_any_zoom(qapp):
    axis = FrameAxis()
    axis.set_width(1020)
    axis.set_extent(300)
    assert axis.cell(0)[0] == MARGIN
    assert axis.cell(299)[1] == pytest.approx(1010)
    for factor, x in ((1.0, 0), (3.0, 700), (5.0, 20), (0.2, 500)):
        before = axis.frame_at(x)
        axis.zoom(factor, x)
        assert axis.frame_at(x) == pytest.approx(before, abs=1)
        assert [axis.frame_at(axis.x_of(f)) for f in axis.visible_frames[1:-1]] == list(
            axis.visible_frames[1:-1]
        )
    axis.show_all()
    assert axis.is_whole
    assert (axis.frame_at(-50), axis.frame_at(5000)) == (0, 299)


def test_the_whole_stays_whole_when_frames_are_added(qapp):
    axis = FrameAxis()
    axis.set_extent(100)
    axis.set_extent(130, 100)
    assert axis.is_whole
    assert (axis.count, axis.media_count) == (130, 100)
    axis.show(10, 60)
    axis.set_extent(150, 100)
    assert axis.visible == (10, 60)
    axis.reveal(90)
    assert 90 in axis.visible_frames
    axis.pan(1000)
    assert axis.visible[1] == 150


def test_a_press_goes_there_and_a_drag_scrubs(timeline, session, qtbot):
    axis = timeline.axis
    for strip in (timeline.ruler, timeline.film):
        qtbot.mousePress(strip, LEFT, NONE, at(axis, 40))
        assert session.view.frame == 40
        qtbot.mouseMove(strip, at(axis, 70))
        qtbot.waitUntil(lambda: session.view.frame == 70, timeout=2000)
        qtbot.mouseRelease(strip, LEFT, NONE, at(axis, 70))
    assert timeline.transport.number.value() == 71
    assert timeline.transport.time.text() == "00:02.80 / 00:04.00"


def test_a_shifted_drag_marks_a_loop_and_a_shifted_click_clears_it(timeline, player, qtbot):
    ruler, axis = timeline.ruler, timeline.axis
    qtbot.mousePress(ruler, LEFT, SHIFT, at(axis, 60))
    qtbot.mouseMove(ruler, at(axis, 20))
    qtbot.waitUntil(lambda: player.playback.loop == "ab", timeout=2000)
    qtbot.mouseRelease(ruler, LEFT, SHIFT, at(axis, 20))
    assert (player.playback.mark_a, player.playback.mark_b) == (20, 60)
    qtbot.mouseClick(ruler, LEFT, SHIFT, at(axis, 5))
    assert player.playback.mark_a is None


def test_the_number_is_typed(timeline, session):
    timeline.transport.number.setValue(50)
    assert session.view.frame == 49
    assert timeline.transport.count.text() == "of 100"


def test_a_strip_of_another_shares_axis_playhead_and_scrubbing(timeline, session, qtbot):
    painted = []

    class Errors(Strip):
        def paint_frames(self, painter):
            painted.append(self.axis.visible_frames)

    tall = timeline.sizeHint().height()
    strip = Errors(session, timeline.axis, DARK, 32)
    timeline.add_strip(strip)
    assert timeline.sizeHint().height() >= tall + 32
    qtbot.waitUntil(lambda: bool(painted), timeout=2000)
    assert painted[-1] == range(100)
    assert strip.width() == timeline.ruler.width()
    qtbot.mouseClick(strip, LEFT, NONE, at(timeline.axis, 33, 5))
    assert session.view.frame == 33
    timeline.set_tokens(LIGHT)
    assert strip.tokens is LIGHT
    timeline.remove_strip(strip)
    assert timeline.sizeHint().height() == tall
    strip.deleteLater()


def test_the_wheel_zooms_about_the_mouse_and_a_double_click_shows_all(timeline, qtbot):
    axis = timeline.axis
    axis.zoom(4.0, 500)
    assert not axis.is_whole
    qtbot.mouseDClick(timeline.ruler, LEFT, NONE, QPoint(300, 10))
    assert axis.is_whole


def test_playing_moves_the_frame_and_tells_how_it_goes(timeline, player, session, qtbot):
    player.playback.set_speed(4.0)
    with qtbot.waitSignal(player.told, timeout=3000):
        player.playback.play()
    assert session.view.playing
    qtbot.waitUntil(lambda: session.view.frame > 10, timeout=3000)
    player.playback.pause()
    assert not session.view.playing
    assert "dropped" in timeline.transport.pace.text()


def test_a_step_of_the_user_while_playing_goes_on_from_there(player, timeline, session, qtbot):
    player.playback.play()
    player.go(50)
    qtbot.waitUntil(lambda: session.view.frame > 51, timeout=3000)
    assert player.playback.playing
    player.step(1)
    assert not player.playback.playing


def test_a_gesture_pauses(player, timeline, session, qtbot):
    from kpstudio.session.edits import MoveParticles

    player.playback.play()
    session.preview(MoveParticles(session.view.frame, (0,), ((0.1, 0.1),)))
    qtbot.waitUntil(lambda: not player.playback.playing, timeout=3000)
    assert session.in_gesture


def test_clock():
    assert clock(75.5) == "01:15.50"
