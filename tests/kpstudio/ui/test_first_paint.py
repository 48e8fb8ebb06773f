from __future__ import annotations

from PySide6.QtWidgets import QWidget

from kpstudio.ui.first_paint import FirstPaint


class Painted(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def paintEvent(self, event) -> None:
        self.seen.append("painted")


def test_it_calls_once_and_after_the_paint(qtbot):
    window = Painted()
    qtbot.addWidget(window)
    FirstPaint(window, lambda: window.seen.append("then"))
    qtbot.wait(20)
    assert window.seen == []
    window.show()
    qtbot.waitUntil(lambda: "then" in window.seen)
    window.repaint()
    qtbot.wait(20)
    assert window.seen[:2] == ["painted", "then"]
    assert window.seen.count("then") == 1


def test_a_window_that_is_never_painted_is_not_waited_for_for_ever(qtbot, monkeypatch):
    monkeypatch.setattr("kpstudio.ui.first_paint.UNSEEN_MS", 10)
    window = Painted()
    qtbot.addWidget(window)
    FirstPaint(window, lambda: window.seen.append("then"))
    qtbot.waitUntil(lambda: window.seen == ["then"])
