from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from kpstudio.services.library import Demo

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
