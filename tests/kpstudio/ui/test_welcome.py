from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from kpstudio.services.library import Demo

from .conftest import open_document

CARDS = (
    Demo("one", "One", "Drag it.", Path("/nowhere/one.safetensors"), Path("/nowhere/one.png")),
    Demo(
        "two", "Two", "Predict it.", Path("/nowhere/two.safetensors"), Path("/nowhere/two.mp4"), 7,
        "predict",
    ),
)  # fmt: skip


def test_each_demo_has_a_card_that_opens_it_with_one_click(window, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("kpstudio.services.library.demos", lambda: CARDS)
    monkeypatch.setattr(
        window.engine, "open_pair", lambda model, media, device, then: opened.append(model)
    )
    window.welcome.set_demos(CARDS)
    QTest.mouseClick(window.welcome.card("two"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(window.welcome.demo, Qt.MouseButton.LeftButton)
    assert opened == ["/nowhere/two.safetensors", "/nowhere/one.safetensors"]
    assert window.welcome.card("two").accessibleName() == "Demo: Two"


def test_a_demo_that_predicts_begins_at_its_frame(window, session, monkeypatch):
    begun: list[int] = []
    monkeypatch.setattr("kpstudio.services.library.demos", lambda: CARDS)
    monkeypatch.setattr(window.engine, "open_pair", lambda model, media, device, then: then())
    monkeypatch.setattr(window.predicting, "predict", lambda: begun.append(session.view.frame))
    window.files.open_demo("two")
    assert begun == [7]
    assert [choice.text for choice in window.files.demo_choices()] == ["One", "Two"]


def test_what_is_open_behind_the_page_is_a_click_away_and_left_alone(
    window, session, settings, tmp_path, qtbot
):
    assert window.welcome.back.isHidden()
    settings.update(record_folder=str(tmp_path))
    open_document(session, frames=4)
    session.update_view(selection=frozenset({0}), playing=True)
    window.recording.toggle()
    window.show_welcome()
    window.refresh_actions()
    assert not window.recording.is_on
    assert not session.view.playing
    for key in ("record", "undo", "swap", "turn-off", "fit", "grid", "play", "select-all"):
        assert not window.actions_made[key].isEnabled(), key
    for key in ("open", "save", "close", "preferences"):
        assert window.actions_made[key].isEnabled(), key
    assert not any(label.text() for label in (window.status._selected, window.status._device))
    assert window.welcome.back.text() == "Back to scene.png"
    qtbot.mouseClick(window.welcome.back, Qt.MouseButton.LeftButton)
    window.refresh_actions()
    assert window.stack.currentWidget() is window.compare
    assert window.actions_made["record"].isEnabled()
    assert "1 of 5 selected" in window.status._selected.text()
    window.files.close()
    assert window.welcome.back.isHidden()
