"""Choosing whose appearance is decoded, by mouse and keys."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from kpstudio.services.reference import unpacked

from .conftest import open_document

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(session, window):
    open_document(session, frames=3, needs_reference=True, presence="none", features=0)
    return window.docks.reference


def test_the_shown_frame_lends_its_appearance_and_gets_it_back(session, window, panel, qtbot):
    assert not window.docks.dock("reference").isHidden()
    assert not panel.own.isEnabled()
    qtbot.mouseClick(panel.frame, LEFT)
    reference = session.document.reference
    assert reference.name == "frame 1 of scene.png"
    np.testing.assert_array_equal(unpacked(reference.picture), session.picture("input").pixels)
    assert "frame 1 of scene.png" in panel.name.text()
    assert session.want().reference == reference
    assert not session.want().is_unedited
    qtbot.mouseClick(panel.own, LEFT)
    assert session.document.reference is None
    session.undo()
    assert session.document.reference == reference
    session.undo()
    assert panel.name.text() == "Each frame's own appearance"
    assert session.want().is_unedited


def test_the_menu_does_the_same(session, window, panel):
    window.refresh_actions()
    made = window.actions_made
    assert made["reference-frame"].isEnabled()
    assert not made["reference-own"].isEnabled()
    made["reference-frame"].trigger()
    window.refresh_actions()
    made["reference-own"].trigger()
    assert [entry.label for entry in session.history.entries] == [
        "Appearance of frame 1 of scene.png",
        "Each frame's own appearance",
    ]


def test_a_picture_is_asked_for_and_read_by_the_engine(session, window, panel, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(window.files, "ask_media", lambda title: "/nowhere/face.png")
    monkeypatch.setattr(window.engine, "look_at", lambda path, then: asked.append((path, then)))
    qtbot.mouseClick(panel.choose, LEFT)
    assert asked[0][0] == "/nowhere/face.png"
    asked[0][1](np.zeros((32, 32, 3), np.uint8))
    assert session.document.reference.name == "face.png"


def test_models_that_draw_from_particles_alone_have_no_reference(session, window):
    open_document(session)
    window.refresh_actions()
    assert window.docks.dock("reference").isHidden()
    assert not window.actions_made["reference-picture"].isEnabled()
