"""Adding particles: copies of the selected ones in rows that show nothing."""

from __future__ import annotations

import math

import pytest
import torch
from PySide6.QtCore import Qt

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.errors import CapabilityError
from kpcore.latents import Latents, Topology
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.duplicate_edits import EDGE, STEP, DuplicateParticles, duplicated
from kpstudio.session.edits import KeepTop, Restore, SetPresence, from_plain, to_plain
from kpstudio.session.session import Session
from kpstudio.ui.canvas.marks import MarkReader

from .conftest import open_document, show_pictures

PLACES = [[-0.5, -0.5], [0.5, -0.5], [0.0, 0.5], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]


def open_particles(
    session: Session, presence: list[float] | None, *, particles: int = 6, frames: int = 1,
    **able: object,
) -> None:  # fmt: skip
    """Open six particles, of which a model was trained to find `particles`."""
    can = {"features": 2, "prototypes": 6, "fixed_count": False, **able}
    if presence is not None:
        can = {"presence": "score", **can}
    session.open_model(
        ModelInfo(1, "/nowhere/m", "toy", "Toy", Capabilities((32, 32), particles, **can))  # type: ignore[arg-type]
    )
    kind = "video" if frames > 1 else "image"
    session.open_media(MediaInfo(1, "/nowhere/a.png", "a.png", kind, frames))
    latents = Latents(
        torch.tensor([PLACES]),
        Topology.flat(6),
        position_log_var=torch.arange(12.0).view(1, 6, 2),
        feature=torch.arange(12.0).view(1, 6, 2),
        presence=None if presence is None else torch.tensor([presence]),
        prototype=torch.arange(6)[None],
    )
    for frame in range(frames):
        session.receive_encoding(1, 1, frame, Encoding(latents))
    show_pictures(session)


ON, OFF = 0.9, 0.0


def test_a_copy_takes_a_row_that_is_off_and_looks_the_same(session):
    open_particles(session, [ON, 0.8, 0.7, 0.4, OFF, OFF])
    session.commit(duplicated(session.document, 0, {1}))
    latents = session.latents
    assert latents.rows("feature")[4] == latents.rows("feature")[1]
    assert latents.rows("position_log_var")[4] == latents.rows("position_log_var")[1]
    assert latents.rows("presence") == pytest.approx([ON, 0.8, 0.7, 0.4, 0.8, OFF])
    assert latents.rows("prototype") == [0, 1, 2, 3, 1, 5], "a faint particle keeps its own"
    assert latents.rows("position")[1] == PLACES[1]
    assert math.dist(latents.rows("position")[4], PLACES[1]) == pytest.approx(STEP, abs=1e-5)
    assert session.document.keep is None
    assert session.history.entries[-1].label == "Duplicate particle 2"
    (mark,) = (mark for mark in MarkReader(session).read("edited") if mark.row == 4)
    assert mark.home is None, "it never lay elsewhere"
    session.commit(SetPresence(0, (4,), (0.0,)))
    (mark,) = (mark for mark in MarkReader(session).read("edited") if mark.row == 4)
    assert mark.home is None, "nor does it when it is deleted again"
    session.undo()
    session.undo()
    assert session.latents.equals(session.document.original(0))
    session.redo()
    session.commit(Restore(0, (4,)))
    assert session.latents.equals(session.document.original(0))


def test_a_row_that_was_turned_off_is_free_again(session):
    open_particles(session, [ON] * 6)
    session.commit(SetPresence(0, (3,), (0.0,)))
    assert duplicated(session.document, 0, {0}).into == (3,)


def test_where_none_is_off_more_are_kept(session):
    open_particles(session, [ON, ON, ON, ON, OFF, OFF], particles=3)
    edit = duplicated(session.document, 0, {0, 2})
    assert (edit.rows, edit.into, edit.keep) == ((0, 2), (3, 4), 5)
    session.commit(edit)
    assert session.scene.offered(0) == frozenset(range(5))
    shown = session.document.shown(0)
    assert shown.rows("prototype") == [0, 1, 2, 0, 2]
    assert shown.rows("presence") == pytest.approx([ON] * 5)
    assert session.history.entries[-1].label == "Duplicate 2 particles"
    assert len(session.history.entries) == 1
    session.undo()
    assert session.document.keep is None
    assert session.document.shown(0).count == 3


def test_a_row_that_the_filter_leaves_out_is_free(session):
    open_particles(session, None)
    session.commit(KeepTop(5))
    edit = duplicated(session.document, 0, {0})
    assert (edit.into, edit.keep) == ((5,), None), "the least sure"
    session.commit(edit)
    assert session.document.shown(0).count == 6


def test_a_narrow_filter_is_widened_by_the_copy_alone(session):
    open_particles(session, None)
    session.commit(KeepTop(3))
    edit = duplicated(session.document, 0, {0})
    assert edit.keep == 4
    session.commit(edit)
    assert session.document.shown(0).count == 4


def test_a_copy_that_is_kept_no_more_is_selected_no_more(session):
    open_particles(session, [ON] * 6, particles=3)
    edit = duplicated(session.document, 0, {0})
    session.commit(edit)
    session.update_view(selection=frozenset({0, *edit.into}))
    session.commit(KeepTop(None))
    assert session.view.selection == {0}


def test_it_survives_as_json(session):
    open_particles(session, [ON] * 6, particles=3)
    edit = duplicated(session.document, 0, {0, 1})
    assert isinstance(edit, DuplicateParticles)
    assert from_plain(to_plain(edit)) == edit


def test_copies_go_where_there_is_room_and_stay_inside(session):
    open_particles(session, [ON, ON, ON, OFF, OFF, OFF])
    assert duplicated(session.document, 0, {0}).to[0] == pytest.approx(
        (-0.5 + STEP / math.sqrt(2), -0.5 + STEP / math.sqrt(2))
    ), "to the right and down, where nothing is"
    edit = duplicated(session.document, 0, {0, 1, 2})
    steps = {
        (round(x - PLACES[row][0], 4), round(y - PLACES[row][1], 4))
        for row, (x, y) in zip(edit.rows, edit.to, strict=True)
    }
    assert len(steps) == 1, "all the same way"
    corner = session.latents.with_rows("position", (0, 1), [[0.95, 0.95], [0.6, 0.6]])
    beside = duplicated(session.document.with_edited(0, corner), 0, {0}).to[0]
    assert max(map(abs, beside)) <= EDGE
    assert min(math.dist(beside, at) for at in ([0.95, 0.95], [0.6, 0.6])) > STEP / 2


def test_where_no_row_is_free_a_sentence_says_what_to_do(session):
    open_particles(session, [ON] * 6)
    with pytest.raises(CapabilityError, match=r"6 particles, and none.*turn others off \(Delete\)"):
        duplicated(session.document, 0, {0})
    session.commit(SetPresence(0, (5,), (0.0,)))
    with pytest.raises(CapabilityError, match="only 1 of them is free"):
        duplicated(session.document, 0, {0, 1})


def test_where_particles_cannot_be_off_the_slider_is_named(session):
    open_particles(session, None)
    with pytest.raises(CapabilityError, match="lower 'Keep top'"):
        duplicated(session.document, 0, {0})


def press(window, qtbot, session, *rows):
    window.activateWindow()
    window.canvas.setFocus()
    session.update_view(selection=frozenset(rows))
    window.refresh_actions()
    qtbot.keyClick(window.canvas, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)


def test_the_key_duplicates_and_selects_the_copy(session, window, qtbot):
    open_particles(session, [ON, ON, ON, ON, OFF, OFF], particles=3)
    press(window, qtbot, session, 1)
    assert session.view.selection == {3}
    assert session.latents.rows("prototype")[3] == 1
    qtbot.keyClick(window.canvas, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert session.view.selection == {4}
    assert len(session.history.entries) == 2
    qtbot.keyClick(window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.view.selection == frozenset(), "what is no longer there is not selected"
    assert session.document.keep == 4


def test_the_key_tells_why_nothing_was_added(session, window, qtbot):
    open_particles(session, [ON] * 6)
    told = []
    session.noticed.connect(told.append)
    press(window, qtbot, session, 1)
    assert [notice.level for notice in told] == ["warning"]
    assert told[0].text.startswith("A copy takes a free one of the model's 6 particles")
    assert session.history.entries == ()
    assert session.view.selection == {1}


@pytest.mark.parametrize(
    ("able", "why"),
    [
        ({"presence": "none", "fixed_count": True}, "all of its particles together"),
        ({"movable": False}, "cannot be put elsewhere"),
        ({"features": 0}, "cannot be put elsewhere"),
    ],
)
def test_a_model_that_cannot_says_why(session, window, qtbot, able, why):
    open_document(session, **able)
    press(window, qtbot, session, 0)
    made = window.actions_made["duplicate"]
    assert not made.isEnabled()
    assert why in made.toolTip()
    assert session.history.entries == ()


def test_what_is_off_is_not_duplicated(session, window, qtbot):
    open_particles(session, [ON, ON, ON, ON, ON, OFF])
    press(window, qtbot, session, 5)
    made = window.actions_made["duplicate"]
    assert not made.isEnabled()
    assert "turned on first" in made.toolTip()
    session.update_view(selection=frozenset({0, 5}))
    window.refresh_actions()
    assert made.isEnabled()
    assert "first" not in made.toolTip()


def test_the_filter_of_levels_says_that_the_picture_stays(window):
    for key in ("level-1", "level-2", "level-3"):
        tip = window.actions_made[key].toolTip()
        assert "draws and picks one level; the picture stays that of all" in tip.lower()
