from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QToolButton,
    QWidget,
)

from kpstudio.session.edits import MoveParticles
from kpstudio.ui import dialogs
from kpstudio.ui.dialogs import model_text
from kpstudio.ui.docks import SHOWN
from kpstudio.ui.files import Files

from .conftest import FULL, open_document, show_pictures

MOVE = MoveParticles(0, (0,), ((0.1, 0.2),))


def shown(window) -> set[str]:
    return {
        panel.key for panel in window.docks.panels if not window.docks.dock(panel.key).isHidden()
    }


@pytest.fixture
def told(session) -> list[str]:
    sentences: list[str] = []
    session.noticed.connect(lambda notice: sentences.append(notice.text))
    return sentences


@pytest.fixture
def asked(window, monkeypatch) -> list[tuple]:
    """What the engine was asked to open."""
    calls: list[tuple] = []
    for name in ("open_model", "open_media", "open_pair"):
        monkeypatch.setattr(
            window.engine, name, lambda *a, name=name, **k: calls.append((name, *a)), raising=True
        )
    return calls


# -- centre and docks ------------------------------------------------------------------------------
def test_it_begins_with_the_welcome_page_and_no_panels(window):
    assert window.stack.currentWidget() is window.welcome
    assert shown(window) == set()
    assert window.windowTitle() == "Keypoint Studio[*]"


def test_opening_shows_canvases_and_the_panels_that_have_something_to_show(window, session):
    open_document(session)
    assert window.stack.currentWidget() is window.compare
    absent = {"timeline", "futures", "prototypes", "reference"}
    assert shown(window) == set(SHOWN["edit"]) - absent
    assert window.windowTitle() == "scene.png · toy[*] - Keypoint Studio"
    open_document(session, frames=4)
    assert "timeline" in shown(window)


def test_the_keyboard_is_on_the_demo_and_then_on_the_canvas(window, session):
    window.activateWindow()
    assert window.focusWidget() is window.welcome.demo
    open_document(session)
    assert window.focusWidget() is window.compare.main


def test_a_picture_without_a_model_is_shown_large(window, session):
    open_document(session)
    session.open_model(None)
    assert session.view.main == "input"
    assert shown(window) == {"models", "media", "history"}
    open_document(session)
    assert session.view.main == "edited"


def test_presets_arrange_the_window(window, session):
    open_document(session)
    window.set_preset("present")
    assert shown(window) == set()
    window.set_preset("edit")
    assert "particles" in shown(window)


def test_the_monitor_takes_the_centre_and_its_thread_ends_with_it(window, session):
    open_document(session)
    window.set_preset("monitor")
    monitor = window.watching.view
    assert window.stack.currentWidget() is monitor
    assert window.canvas is monitor.live.canvas
    assert shown(window) == {"particles", "particle"}
    assert "runs" in {thread.name for thread in threading.enumerate()}
    window.close_run()
    assert window.preset == "edit"
    assert window.stack.currentWidget() is window.compare
    assert "runs" not in {thread.name for thread in threading.enumerate()}


def test_closing_the_window_ends_the_thread_that_follows_runs(window):
    window.set_preset("monitor")
    window.close()
    assert "runs" not in {thread.name for thread in threading.enumerate()}


def test_in_a_low_window_panels_share_their_room(make_window, session):
    window = make_window()
    window.resize(1280, 720)
    open_document(session)
    beside = window.tabifiedDockWidgets(window.docks.dock("particle"))
    assert window.docks.dock("layers") in beside
    window.resize(1280, 900)
    window.reset_layout()
    assert window.tabifiedDockWidgets(window.docks.dock("particle")) == []


@pytest.mark.parametrize("by", ["menu", "its button"])
def test_a_closed_panel_stays_closed_until_it_is_asked_for(window, session, by: str):
    open_document(session)
    dock = window.docks.dock("layers")
    if by == "menu":
        dock.toggleViewAction().trigger()
    else:
        buttons = dock.titleBarWidget().findChildren(QToolButton)
        close = next(button for button in buttons if button.accessibleName().startswith("Close"))
        close.click()
    assert "layers" not in shown(window)
    window.set_preset("present")
    window.set_preset("edit")
    assert "layers" not in shown(window)
    layers = next(choice for choice in window.docks.choices() if choice.text == "Layers")
    assert layers.checked is False
    layers.run()
    assert "layers" in shown(window)


def test_layout_survives_a_restart(make_window, session):
    first = make_window()
    open_document(session)
    first.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, first.docks.dock("particles"))
    first.docks.dock("history").toggleViewAction().trigger()
    first.close()
    second = make_window()
    particles = second.docks.dock("particles")
    assert second.dockWidgetArea(particles) == Qt.DockWidgetArea.LeftDockWidgetArea
    assert "history" not in shown(second)
    second.reset_layout()
    assert second.dockWidgetArea(particles) == Qt.DockWidgetArea.RightDockWidgetArea
    assert "history" in shown(second)


@pytest.mark.parametrize("packed", ["", "[]", "{}", "no json", '{"state": "AAAA", "closed": []}'])
def test_a_damaged_layout_changes_nothing(window, packed):
    window.restore_layout(packed)
    area = window.dockWidgetArea(window.docks.dock("particles"))
    assert area == Qt.DockWidgetArea.RightDockWidgetArea


def test_a_swapped_theme_reaches_the_canvases_and_is_kept(window, settings):
    window.switch_theme()
    assert settings.settings.theme == "light"
    assert window.theme.tokens.dark is False
    assert window.compare.main._colours.window == window.theme.tokens.window


POOR = {
    "presence": "none", "uncertainty": False, "glimpse_px": 0, "layers": False, "features": 0,
}  # fmt: skip
"""Particles that have nothing but their place."""


@pytest.mark.parametrize("size", [(1360, 860), (1280, 720)])
@pytest.mark.parametrize("can", [{}, {**POOR, "levels": 3, "needs_reference": True}])
def test_the_window_keeps_its_size_when_a_particle_is_selected(make_window, session, size, can):
    window = make_window()
    window.resize(*size)
    open_document(session, frames=4, **can)
    for selection in (frozenset(), frozenset({0}), frozenset({0, 1})):
        session.update_view(selection=selection)
        window.docks.particle.refresh()
        window.docks.particles.refresh()
        QApplication.processEvents()
        assert window.size().toTuple() == size
        assert window.minimumSizeHint().height() <= 680


def heights(window) -> dict[str, int]:
    QApplication.processEvents()
    docks = {key: window.docks.dock(key) for key in shown(window)}
    return {key: dock.height() for key, dock in docks.items() if dock.x() >= 0}


def test_panels_keep_their_heights_over_the_welcome_page_and_a_restart(make_window, session):
    window = make_window()
    open_document(session)
    usual = heights(window)
    dock = window.docks.dock("media")
    window.resizeDocks([dock], [dock.height() + 50], Qt.Orientation.Vertical)
    before = heights(window)
    assert before["media"] > usual["media"]
    for preset in ("present", "monitor", "edit"):
        window.set_preset(preset)
        QApplication.processEvents()
    assert heights(window) == before
    window.show_welcome()
    QApplication.processEvents()
    window.set_preset("edit")
    assert heights(window) == before
    window.show_welcome()
    window.close()
    session.open_model(None)
    session.open_media(None)
    again = make_window()
    again.resize(window.size())
    open_document(session)
    assert heights(again) == before


def test_the_selected_particle_takes_only_the_height_that_it_needs(make_window, session):
    window = make_window()
    open_document(session)
    rich = heights(window)["particle"]
    open_document(session, **POOR)
    assert heights(window)["particle"] < 100 < 200 < rich
    window.close()
    again = make_window()
    open_document(session)
    assert heights(again)["particle"] > 150


# -- edits and keys --------------------------------------------------------------------------------
def test_dirty_mark_and_undo_text_follow_the_history(window, session, qtbot):
    open_document(session)
    session.commit(MOVE)
    assert window.isWindowModified()
    qtbot.waitUntil(lambda: window.actions_made["undo"].text() == "&Undo move particle 1")
    session.undo()
    assert not window.isWindowModified()
    qtbot.waitUntil(lambda: window.actions_made["redo"].text() == "&Redo move particle 1")


def test_keys_edit_on_the_canvas_and_never_while_typing(window, session, qtbot):
    open_document(session)
    window.activateWindow()
    session.update_view(selection=frozenset({0}))
    window.refresh_actions()
    window.compare.main.setFocus()
    qtbot.keyClick(window.compare.main, Qt.Key.Key_Delete)
    assert session.latents.rows("presence")[0] == 0.0
    session.undo()
    window.docks.particle.refresh()
    field = window.docks.particle.place_x
    field.setFocus()
    for key in (Qt.Key.Key_R, Qt.Key.Key_X, Qt.Key.Key_Delete, Qt.Key.Key_G, Qt.Key.Key_U):
        qtbot.keyClick(field, key)
    assert session.history.cursor == 0
    assert session.view.grid is False
    assert session.view.layer("ellipses").visible


def test_letters_change_the_view_on_the_canvas(window, session, qtbot):
    open_document(session)
    window.activateWindow()
    window.refresh_actions()
    window.compare.main.setFocus()
    qtbot.keyClick(window.compare.main, Qt.Key.Key_U)
    assert session.view.layer("ellipses").visible is False
    qtbot.keyClick(window.compare.main, Qt.Key.Key_A)
    assert len(session.view.selection) == 5
    qtbot.keyClick(window.compare.main, Qt.Key.Key_G)
    assert session.view.grid is True
    qtbot.keyClick(window.compare.main, Qt.Key.Key_K)
    assert window.docks.particles.keep.hasFocus()


def test_appearance_is_copied_from_one_particle_to_others(window, session):
    open_document(session)
    session.update_view(selection=frozenset({4}))
    window.copy_appearance()
    held = json.loads(QGuiApplication.clipboard().text())
    assert held["appearance"] == pytest.approx([1.2, 1.3, 1.4])
    session.update_view(selection=frozenset({0, 1}))
    window.appearance.paste()
    feature = session.latents.rows("feature")
    assert feature[0] == feature[1] == feature[4]


def test_frames_are_stepped_and_held_within_the_ends(window, session):
    open_document(session, frames=30)
    run = window.actions_made
    run["ten-ahead"].setEnabled(True)
    run["ten-ahead"].trigger()
    assert session.view.frame == 10
    window.refresh_actions()
    run["last-frame"].trigger()
    assert session.view.frame == 29
    window.refresh_actions()
    assert not run["next-frame"].isEnabled()
    run["first-frame"].trigger()
    assert session.view.frame == 0


# -- opening and saving ----------------------------------------------------------------------------
def test_a_checkpoint_and_a_picture_are_opened_as_a_pair(window, asked, tmp_path: Path):
    model, picture = tmp_path / "a.safetensors", tmp_path / "é.png"
    for path in (model, picture):
        path.write_bytes(b"")
    window.files.open_any([picture, model])
    assert asked == [("open_pair", str(model), str(picture), "auto")]
    assert window.settings.settings.recent == (), "only what could be opened is remembered"


def test_what_is_not_there_is_told_and_forgotten(window, asked, told, tmp_path: Path):
    gone = tmp_path / "gone.png"
    window.settings.add_recent(gone)
    window.files.open_any([gone])
    assert asked == []
    assert told == [f"There is nothing at '{gone}'; check the path"]
    assert window.settings.settings.recent == ()


def test_several_pictures_at_once_open_the_first_and_say_so(window, asked, told, tmp_path: Path):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(b"")
    window.files.open_any(paths)
    assert asked == [("open_media", str(paths[0]))]
    assert "only 'a.png' was taken" in told[0]


def test_dropped_files_are_opened(window, asked, tmp_path: Path, qtbot):
    path = tmp_path / "scene.png"
    path.write_bytes(b"")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    coming = QDragEnterEvent(
        QPoint(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(window, coming)
    assert coming.isAccepted()
    assert window.dropping.hint.isVisible()
    dropped = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(window, dropped)
    assert not window.dropping.hint.isVisible()
    qtbot.waitUntil(lambda: bool(asked))
    assert asked == [("open_media", str(path))]


def test_a_folder_that_is_no_run_is_not_opened_as_one(window, told, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "kpstudio.ui.files.QFileDialog.getExistingDirectory", lambda *a: str(tmp_path)
    )
    window.files.choose_run()
    assert "is not a run" in told[0]
    assert window.preset == "edit"


def test_unsaved_edits_are_asked_about_before_anything_replaces_them(
    window, session, asked, tmp_path: Path
):
    path = tmp_path / "b.png"
    path.write_bytes(b"")
    open_document(session)
    session.commit(MOVE)
    window.files.ask_unsaved = lambda: "cancel"
    window.files.open_any([path])
    assert asked == []
    assert not window.close()
    assert window.isVisible()
    window.files.ask_unsaved = lambda: "discard"
    window.files.open_any([path])
    assert asked == [("open_media", str(path))]


def test_save_is_chosen_in_the_question_and_can_be_cancelled(window, session, monkeypatch):
    open_document(session)
    session.commit(MOVE)
    window.files.ask_unsaved = lambda: "save"
    monkeypatch.setattr("kpstudio.ui.files.QFileDialog.getSaveFileName", lambda *a: ("", ""))
    assert not window.files.may_replace()


def test_a_folder_that_cannot_be_written_is_told(window, session, told):
    open_document(session)
    session.commit(MOVE)
    assert not window.files.save_to(Path("/proc/none/session.kps"))
    assert told
    assert not session.is_saved


def test_exported_particles_are_written_or_the_failure_is_told(window, session, told, monkeypatch):
    open_document(session)
    monkeypatch.setattr(
        "kpstudio.ui.files.QFileDialog.getSaveFileName", lambda *a: ("/proc/none/p.csv", "")
    )
    window.files.export_particles("csv")
    assert len(told) == 1


def test_a_screenshot_is_written_with_the_right_ending(window, tmp_path, told, monkeypatch):
    monkeypatch.setattr(
        "kpstudio.ui.files.QFileDialog.getSaveFileName", lambda *a: (str(tmp_path / "s"), "")
    )
    window.files.save_screenshot()
    assert (tmp_path / "s.png").stat().st_size > 1000


def test_closing_goes_back_to_the_welcome_page(window, session):
    open_document(session)
    window.files.close()
    assert window.stack.currentWidget() is window.welcome
    assert session.document.model is None
    assert shown(window) == set()


def test_what_is_opened_is_remembered(window, session, settings, tmp_path):
    from kpstudio.session.document import MediaInfo

    path = tmp_path / "kept.png"
    path.write_bytes(b"")
    session.open_media(MediaInfo(3, str(path), path.name, "image", 1))
    assert settings.settings.recent == (str(path),)


# -- recording -------------------------------------------------------------------------------------
def test_a_recording_is_written_while_working(window, session, settings, told, tmp_path, qtbot):
    settings.update(record_folder=str(tmp_path))
    open_document(session)
    window.refresh_actions()
    button = next(
        one for one in window.tools.findChildren(QAbstractButton) if one.text() == "Record"
    )
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.recording.is_on
    assert button.text() == "Stop"
    qtbot.wait(150)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.text() == "Record"
    (film,) = tmp_path.glob("*.mp4")
    assert film.stat().st_size > 500
    assert "Recorded" in told[-1]


def test_a_recording_that_cannot_be_written_is_told(window, session, settings, told):
    settings.update(record_folder="/proc/none")
    open_document(session)
    window.recording.toggle()
    assert not window.recording.is_on
    assert told


# -- every control ---------------------------------------------------------------------------------
CONTROLS = (
    QAbstractButton, QAbstractSlider, QAbstractSpinBox, QAbstractItemView, QComboBox, QLineEdit,
    QPlainTextEdit,
)  # fmt: skip


def within(widget: QWidget, kinds: tuple[type[QWidget], ...]) -> bool:
    parent = widget.parentWidget()
    return parent is not None and (isinstance(parent, kinds) or within(parent, kinds))


def nameless(root: QWidget) -> list[str]:
    found = []
    for widget in root.findChildren(QWidget):
        is_control = isinstance(widget, CONTROLS)
        inner = widget.objectName().startswith("qt_") or isinstance(widget, QScrollBar)
        of_spin = within(widget, (QAbstractSpinBox, QComboBox))
        of_view = isinstance(widget.parent(), QAbstractItemView)
        if not is_control or inner or of_spin or of_view:
            continue
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        if not (widget.accessibleName() or text):
            found.append(f"{type(widget).__name__} '{widget.objectName()}' in {widget.parent()}")
    return found


def test_every_control_has_a_name(window, session, qtbot):
    open_document(session, frames=3)
    session.update_view(selection=frozenset({0}))
    window.welcome.set_samples(("/nowhere/a.png",))
    window.welcome.set_recent(("/nowhere/b.png",))
    window.docks.particle.refresh()
    assert nameless(window) == []
    for made in (
        dialogs.Preferences(window.settings, ["cpu"], window),
        dialogs.TextDialog("Details", "text", window),
        dialogs.AboutDialog(window),
    ):
        assert nameless(made) == []
        made.close()


def test_keyboard_reaches_every_panel(window, session, qtbot):
    open_document(session)
    session.update_view(selection=frozenset({0}))
    window.docks.particle.refresh()
    window.activateWindow()
    window.docks.models.list.setFocus()
    seen = set()
    for _ in range(120):
        widget = QApplication.focusWidget()
        if widget is None:
            break
        for panel in window.docks.panels:
            if panel is widget or panel.isAncestorOf(widget):
                seen.add(panel.key)
        if widget in (window.compare, window.compare.main):
            seen.add("canvas")
            session.update_view(selection=frozenset({4}))
        window.focusNextChild()
    assert {"models", "media", "history", "particles", "particle", "layers", "canvas"} <= seen


# -- small windows ---------------------------------------------------------------------------------
def test_preferences_are_in_force_at_once(window, settings, qtbot):
    made = dialogs.Preferences(settings, ["cpu"], window)
    made.theme.setCurrentIndex(made.theme.findData("light"))
    made.fps.setValue(25)
    made.autosave.setChecked(False)
    made._accept()
    assert settings.settings.record_fps == 25
    assert settings.settings.autosave is False
    assert window.theme.tokens.dark is False


def test_preferences_show_the_whole_of_what_an_empty_folder_means(window, settings, qtbot):
    made = dialogs.Preferences(settings, ["cpu"], window)
    made.show()
    qtbot.waitExposed(made)
    words = made.folder.fontMetrics().horizontalAdvance(made.folder.placeholderText())
    assert made.folder.contentsRect().width() - 16 >= words


def test_model_information_names_its_facts(session):
    open_document(session)
    text = model_text(session.document.model)
    for fact in ("toy", "1,200 steps", "32 x 32", "3 features", "gate"):
        assert fact in text


def test_diagnostics_name_versions_and_folders(window):
    from kpstudio.ui.diagnostics import diagnostics

    text = diagnostics(["cpu", "cuda:1"])
    for fact in ("Python", "PySide6", "CPU, CUDA 1", "offscreen", "settings.json"):
        assert fact in text


def test_questions_answer_by_their_buttons(window, monkeypatch):
    from PySide6.QtWidgets import QMessageBox

    def press(text):
        def run(box):
            next(button for button in box.buttons() if button.text() == text).click()
            return 0

        monkeypatch.setattr(QMessageBox, "exec", run)

    for text, answer in (("Save", "save"), ("Discard", "discard"), ("Cancel", "cancel")):
        press(text)
        assert dialogs.ask_unsaved(window, 2) == answer
    for text, answer in (
        ("Recover", "recover"),
        ("Discard", "discard"),
        ("Ask again later", "later"),
    ):
        press(text)
        assert dialogs.ask_recovery(window, "toy", 1, "today") == answer


def test_the_demo_without_its_file_is_one_sentence(window, told, monkeypatch):
    from kpcore.errors import DataError

    def absent(name):
        raise DataError("this installation has no resource 'checkpoints/demo.safetensors'")

    monkeypatch.setattr("kpstudio.services.library.demo", absent)
    window.files.open_demo()
    assert "no resource" in told[0]


def test_a_device_given_for_this_time_is_used_and_not_kept(window, asked, tmp_path, settings):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"")
    window.files.device = "cuda:1"
    window.files.open_any([path])
    assert asked == [("open_model", str(path), "cuda:1")]
    assert settings.settings.device == "auto"


def test_files_are_asked_for_at_the_place_of_the_last(window, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"")
    window.settings.add_recent(path)
    assert Files(window).start_folder() == str(tmp_path)


def test_status_bar_says_position_selection_and_speed(window, session):
    open_document(session)
    session.update_view(selection=frozenset({1}))
    window.status.set_pointer((0.0, 0.5))
    window.status.refresh()
    texts = {label.accessibleName(): label.text() for label in window.status.findChildren(QWidget)
             if hasattr(label, "text")}  # fmt: skip
    assert "px  16,  24" in texts["Position of the pointer"]
    assert texts["Selection"] == "1 of 5 selected"
    assert texts["Speed"].startswith("exact")
    assert texts["Model and device"] == "toy · CPU"
    window.status.set_recording(0.0)
    texts = window.status._record.text()
    assert texts.startswith("● REC ")
    window.status.set_recording(None)


def test_a_tooltip_and_hover_do_not_reach_the_drop_hint(window):
    assert window.dropping.hint.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    window.changeEvent(QEvent(QEvent.Type.WindowStateChange))
    assert window.childAt(QPoint(5, 5)) is not window.dropping.hint


def test_what_the_model_lacks_is_not_shown(window, session):
    lacking = {**FULL, "features": 0, "presence": "none", "layers": False, "uncertainty": False}
    open_document(session, **lacking)
    show_pictures(session)
    session.update_view(selection=frozenset({0}))
    window.docks.particles.refresh()
    window.docks.particle.refresh()
    table = window.docks.particles.table
    assert [table.isColumnHidden(column) for column in range(5)] == [False] * 3 + [True] * 2
    assert window.docks.particle.presence.isHidden()
    assert window.docks.particle.glimpse.isHidden()
    names = [
        window.docks.layers.list.item(row).text()
        for row in range(window.docks.layers.list.count())
        if not window.docks.layers.list.item(row).isHidden()
    ]
    assert "Masks" not in names
    assert "Picture" in names


# -- landmarks -------------------------------------------------------------------------------------
def test_landmarks_are_chosen_in_the_menu_and_told_in_the_status_bar(window, session, monkeypatch):
    from PySide6.QtWidgets import QFileDialog

    from kpstudio.session.landmarks import Regressor

    open_document(session)
    window.refresh_actions()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/nowhere/faces")
    window.actions_made["landmarks"].trigger()
    assert session.view.landmarks == "/nowhere/faces"
    weights = [[0.0, 0.0]] * 10
    truth = {0: ((0.2, 0.0),)}
    session.receive_regressor(
        1, 1, Regressor("/nowhere/faces", "faces", ("nose",), weights, None, truth, 27)
    )
    window.status.refresh()
    assert window.status._landmarks.text() == "landmarks 10.0 % of the picture's edge"
    assert "fitted to 27 pictures" in window.status._landmarks.toolTip()
    window.refresh_actions()
    window.actions_made["landmarks-off"].trigger()
    window.status.refresh()
    assert session.regressor is None
    assert window.status._landmarks.text() == ""
    open_document(session, prototypes=3)
    window.refresh_actions()
    assert window.actions_made["landmarks"].isEnabled()
