from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

from kpstudio.session.edits import MoveParticles
from kpstudio.ui.notices import NoticeBar
from kpstudio.ui.theme import DARK

from .conftest import open_document


@pytest.fixture
def over(qtbot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(800, 500)
    made.show()
    return made


@pytest.fixture
def bar(over, session) -> NoticeBar:
    return NoticeBar(session, DARK, over)


def button(bar: NoticeBar, text: str) -> QToolButton:
    return next(one for one in bar.findChildren(QToolButton) if one.text() == text)


def test_a_notice_is_shown_and_put_away(bar, session, qtbot):
    assert bar.isHidden()
    session.notify("It is so", "warning")
    assert not bar.isHidden()
    assert bar.notice.text == "It is so"
    assert button(bar, "Details").isHidden()
    qtbot.mouseClick(button(bar, "Dismiss"), Qt.MouseButton.LeftButton)
    assert bar.isHidden()
    assert bar.notice is None


def test_hints_go_by_themselves_and_errors_stay(bar, session):
    session.notify("a hint")
    assert bar._timer.isActive()
    session.notify("a warning", "warning")
    assert bar._timer.isActive()
    session.notify("an error", "error", "the trace")
    assert not bar._timer.isActive()
    assert not button(bar, "Details").isHidden()


def test_details_are_asked_for(bar, session, qtbot):
    session.notify("an error", "error", "the trace")
    with qtbot.waitSignal(bar.details_wanted) as asked:
        qtbot.mouseClick(button(bar, "Details"), Qt.MouseButton.LeftButton)
    assert asked.args[0].details == "the trace"


def test_a_notice_waits_for_the_end_of_a_drag(bar, session):
    open_document(session)
    session.preview(MoveParticles(0, (0,), ((0.0, 0.1),)))
    session.notify("late", "error")
    assert bar.isHidden()
    session.commit()
    assert bar.notice.text == "late"


def test_it_never_takes_the_focus_and_escape_puts_it_away(window, session, qtbot):
    open_document(session)
    window.activateWindow()
    window.compare.main.setFocus()
    session.notify("an error", "error")
    window.refresh_actions()
    assert QApplication.focusWidget() is window.compare.main
    qtbot.keyClick(window.compare.main, Qt.Key.Key_Escape)
    assert window.notices.isHidden()


def test_a_hint_goes_when_something_else_is_opened_and_an_error_stays(bar, session):
    session.notify("Open a checkpoint to see this as particles")
    open_document(session)
    assert bar.notice is None
    session.notify("wrong", "error")
    open_document(session)
    assert bar.notice.text == "wrong"


def test_it_lies_over_the_foot_of_the_centre_and_moves_nothing(window, session):
    open_document(session)
    QApplication.processEvents()
    panels = [window.docks.dock(panel.key) for panel in window.docks.panels]
    places = [one.geometry() for one in (window.compare, window.compare.main, *panels)]
    for text in ("short", "a long sentence " * 30):
        session.notify(text, "error", "details")
        QApplication.processEvents()
        assert [one.geometry() for one in (window.compare, window.compare.main, *panels)] == places
        bar, centre = window.notices, window.centralWidget()
        assert centre.rect().contains(bar.geometry())
        assert bar.geometry().top() > centre.height() / 2
        assert bar._text.height() >= bar._text.heightForWidth(bar._text.width())
    window.resize(1000, 700)
    QApplication.processEvents()
    assert window.centralWidget().rect().contains(window.notices.geometry())
    window.notices.dismiss()
    assert window.notices.isHidden()
