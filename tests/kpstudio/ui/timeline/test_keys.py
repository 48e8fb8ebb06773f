"""The keys of mpv, rerun and napari, in the whole window: on the canvas and in the timeline."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from kpstudio.session.edits import MoveParticles
from kpstudio.ui.palette import commands_of
from tests.kpstudio.ui.conftest import encoding, open_document

Key, Mod = Qt.Key, Qt.KeyboardModifier
NONE, SHIFT, CONTROL = Mod.NoModifier, Mod.ShiftModifier, Mod.ControlModifier


@pytest.fixture
def video(window, session):
    open_document(session, frames=60)
    window.refresh_actions()
    return window


@pytest.fixture(params=["canvas", "timeline"])
def place(request, video, qtbot):
    """The widget that has the focus."""
    widget = video.canvas if request.param == "canvas" else video.docks.timeline
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus, timeout=3000)
    return widget


@pytest.fixture
def press(qtbot, video):
    def do(widget, key, modifier=NONE) -> None:
        qtbot.keyClick(widget, key, modifier)
        video.refresh_actions()

    return do


def test_space_plays_and_pauses(place, press, session, video):
    press(place, Key.Key_Space)
    assert session.view.playing
    assert video.actions_made["play"].text() == "&Pause"
    press(place, Key.Key_Space)
    assert not session.view.playing


def test_steps_jumps_and_ends(place, press, session):
    for key, modifier, frame in (
        (Key.Key_Period, NONE, 1),
        (Key.Key_Right, NONE, 2),
        (Key.Key_Right, CONTROL, 12),
        (Key.Key_Comma, NONE, 11),
        (Key.Key_Left, NONE, 10),
        (Key.Key_Left, CONTROL, 0),
        (Key.Key_End, NONE, 59),
        (Key.Key_Home, NONE, 0),
    ):
        press(place, key, modifier)
        assert session.view.frame == frame


def test_speed_and_loops(place, press, video):
    playback = video.player.playback
    press(place, Key.Key_BracketRight)
    assert playback.speed == pytest.approx(1.1)
    press(place, Key.Key_BracketLeft)
    press(place, Key.Key_BracketLeft)
    assert playback.speed == pytest.approx(1 / 1.1)
    press(place, Key.Key_L, SHIFT)
    assert playback.loop == "all"
    press(place, Key.Key_L)
    video.player.go(20)
    press(place, Key.Key_L)
    assert (playback.mark_a, playback.mark_b, playback.loop) == (0, 20, "ab")
    press(place, Key.Key_L)
    assert playback.mark_a is None


def test_backspace_is_normal_speed_in_the_timeline_and_turns_off_on_the_canvas(
    video, press, session
):
    video.player.playback.set_speed(3.0)
    session.update_view(selection=frozenset({1}))
    video.docks.timeline.setFocus()
    press(video.docks.timeline, Key.Key_Backspace)
    assert video.player.playback.speed == 1.0
    assert not session.history.entries
    video.canvas.setFocus()
    press(video.canvas, Key.Key_Backspace)
    assert [entry.label for entry in session.history.entries] == ["Turn off particle 2"]


def test_arrows_nudge_a_selection_and_step_without_one(video, press, session):
    session.update_view(selection=frozenset({0}))
    press(video.canvas, Key.Key_Right)
    assert session.view.frame == 0
    assert session.history.entries[-1].label == "Move particle 1"
    session.update_view(selection=frozenset())
    press(video.canvas, Key.Key_Right)
    assert session.view.frame == 1


def test_a_step_pauses(video, press, session):
    press(video.canvas, Key.Key_Space)
    press(video.canvas, Key.Key_Period)
    assert not session.view.playing


def test_typing_a_number_never_plays(video, press, session):
    number = video.docks.timeline.transport.number
    number.setFocus()
    number.selectAll()
    press(number, Key.Key_2)
    press(number, Key.Key_1)
    press(number, Key.Key_Return)
    assert session.view.frame == 20


def test_edited_frames_are_marked_and_found(video, press, session):
    for frame in (7, 30):
        session.receive_encoding(1, 1, frame, encoding())
        session.commit(MoveParticles(frame, (0,), ((0.1, 0.1),)))
    video.refresh_actions()
    for frame in (7, 30, 7):
        press(video.canvas, Key.Key_Right, CONTROL | SHIFT)
        assert session.view.frame == frame
    press(video.canvas, Key.Key_Left, CONTROL | SHIFT)
    assert session.view.frame == 30


def test_the_palette_runs_the_transport(video, session):
    commands = {command.text: command for command in commands_of(video)}
    commands["Last frame"].run()
    assert session.view.frame == 59
    commands["Play"].run()
    assert session.view.playing
    video.player.playback.pause()


def test_a_press_on_the_canvas_pauses_at_what_is_seen(video, press, session, qtbot):
    from tests.kpstudio.ui.conftest import show_pictures

    press(video.canvas, Key.Key_Space)
    session.update_view(frame=5)
    show_pictures(session)
    session.update_view(frame=8)
    qtbot.mousePress(video.canvas, Qt.MouseButton.LeftButton, NONE)
    assert not session.view.playing
    assert session.view.frame == 5
    assert not video.player.playback.playing
    qtbot.mouseRelease(video.canvas, Qt.MouseButton.LeftButton, NONE)


def test_preferences_reach_the_player(video, session, settings):
    settings.update(trail_frames=30, raw_numbers=True, encode_videos=False)
    assert session.view.trail_frames == 30
    assert session.view.raw_numbers
    assert video.engine.clip.background.progress.paused


def test_the_chip_says_how_particles_are_numbered(video, session):
    from kpstudio.session.tracks import Link

    chip = video.docks.timeline.transport._chips["raw-numbers"]
    assert chip.isHidden()
    link = Link((1, 2, 3, 4, 0), (True,) * 5)
    session.receive_encodings(1, 1, {1: encoding()}, {0: link})
    session.update_view(frame=1)
    assert not chip.isHidden()
    assert chip.text() == "Matched"
    assert session.scene.numbers(1) == (4, 0, 1, 2, 3)
    chip.click()
    assert chip.text() == "By row"
    assert session.scene.numbers(1) == (0, 1, 2, 3, 4)


def test_without_frames_there_is_no_timeline_and_space_is_the_canvas_s(window, session):
    open_document(session, frames=1)
    window.refresh_actions()
    assert window.docks.dock("timeline").isHidden()
    assert not window.actions_made["play"].isEnabled()
