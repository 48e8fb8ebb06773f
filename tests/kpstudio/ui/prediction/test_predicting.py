from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from kpstudio.session.branches import TRUTH
from kpstudio.session.edits import MoveParticles
from tests.kpstudio.predictor import Constant, clip
from tests.kpstudio.ui.test_actions import submenu
from tests.kpstudio.ui.test_main_window import nameless

UP = MoveParticles(4, (1,), ((0.3, -0.5),))


def done(window, key: str) -> bool:
    roll = window.predicting.predictions.roll(key)
    return roll is not None and roll.state == "done"


def press(window, key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    window.activateWindow()
    window.canvas.setFocus()
    QTest.keyClick(window.canvas.focusProxy() or window.canvas, key, modifiers)


@pytest.fixture
def predicted(studio, wait):
    """After P: six frames are predicted and shown beside the video."""
    studio.docks.branches.steps.setValue(6)
    press(studio, Qt.Key.Key_P)
    wait(lambda: done(studio, "b1"))
    return studio


def test_p_predicts_from_here_and_the_playhead_follows_to_the_end(predicted, session, wait):
    assert [branch.name for branch in session.document.branches] == ["Prediction 1"]
    shown = session.view.comparison
    assert (shown.mode, shown.first, shown.second) == ("side", TRUTH, "b1")
    assert predicted.stack.currentWidget() is predicted.predicting.view
    wait(lambda: session.view.frame == 10)
    view = predicted.predicting.view
    assert view.first.isVisible()
    assert view.second.isVisible()
    assert not view.hand.isVisible()


def test_a_missing_start_frame_is_encoded_first(studio, session, wait):
    session.update_view(frame=7)
    wait(lambda: 7 in session.document.encoded)
    studio.predicting.predict()
    wait(lambda: session.document.branches)
    assert session.document.branches[0].frames == (6, 7)


def test_the_table_and_the_hint_lead_to_where_particles_are_dragged(predicted, session, wait):
    wait(lambda: session.view.frame == 10)
    inspector, way_back = predicted.docks.particle, predicted.docks.particles.way_back
    start, what_if = way_back.findChildren(QToolButton)
    wait(lambda: not way_back.isHidden())
    assert "Frame 11 is predicted by 'Prediction 1'" in way_back._text.text()
    assert inspector._empty.text() == "Frame 11 is predicted by 'Prediction 1'."
    hints: list[str] = []
    predicted.predicting.view.hint_changed.connect(hints.append)
    for canvas in (predicted.predicting.view.first, predicted.predicting.view.second):
        QTest.mouseMove(canvas, QPoint(5, canvas.height() - 5))
        wait(lambda: hints)
        assert "Ctrl+Home" in hints.pop()
        hints.clear()
    predicted.refresh_actions()
    QTest.mouseClick(start, Qt.MouseButton.LeftButton)
    assert session.view.frame == 4
    wait(way_back.isHidden)
    assert inspector._empty.text().startswith("Press W")
    session.update_view(frame=9)
    wait(way_back.isVisible)
    predicted.refresh_actions()
    QTest.mouseClick(what_if, Qt.MouseButton.LeftButton)
    wait(predicted.predicting.view.hand.isVisible)
    wait(way_back.isHidden)
    wait(lambda: inspector._empty.text().startswith("Select a particle"))


def test_every_control_of_the_comparison_has_a_name(predicted):
    assert nameless(predicted) == []


def test_undo_takes_the_branch_back_and_the_canvases_return(predicted, session):
    session.undo()
    assert session.document.branches == ()
    assert predicted.stack.currentWidget() is predicted.compare
    session.redo()
    assert predicted.stack.currentWidget() is predicted.predicting.view
    assert done(predicted, "b1")


def test_undo_of_one_of_two_futures_gives_the_particles_back(predicted, session, wait):
    wait(lambda: session.view.frame == 10)
    session.update_view(frame=4)
    predicted.predicting.what_if()
    assert session.view.comparison.second == session.document.branches[-1].key
    session.undo()
    assert [branch.name for branch in session.document.branches] == ["Prediction 1"]
    assert predicted.stack.currentWidget() is predicted.compare
    session.update_view(frame=5)
    wait(lambda: session.document.encoded.get(5) is not None)
    assert session.latents is not None
    assert session.scene.latents is not None, "the table shows what the canvas shows"
    assert predicted.docks.particles.isEnabled()


def test_what_a_demo_predicts_by_itself_is_no_edit(studio, session, wait):
    studio.predicting.begin()
    wait(lambda: session.document.branches)
    assert session.is_saved
    session.commit(UP)
    studio.predicting.what_if()
    wait(lambda: len(session.document.branches) == 2)
    assert not session.is_saved


def test_a_demo_that_begins_late_does_not_take_the_users_edits_for_saved(studio, session, wait):
    session.commit(UP)
    session.update_view(frame=7)
    studio.predicting.begin()
    wait(lambda: session.document.branches)
    assert not session.is_saved


def test_the_legend_tells_the_values_of_the_shown_frame(predicted, session, wait, monkeypatch):
    error = predicted.predicting.strips[0]
    wait(lambda: not error.isHidden() and session.view.frame == 10 and error._told_at == 10)
    repainted = []
    monkeypatch.setattr(error, "update", lambda *part: repainted.append(part))
    session.update_view(frame=8)
    wait(lambda: () in repainted)


def test_the_curves_show_the_error_and_then_the_divergence(predicted, session, wait):
    error, divergence, spread = predicted.predicting.strips
    wait(lambda: not error.isHidden())
    labels = [curve.label for curve in error.curves]
    assert labels == ["Prediction 1", "last frame kept"]
    assert [frame for frame, _ in error.curves[0].points] == [5, 6, 7, 8, 9, 10]
    assert divergence.isHidden()
    session.update_view(frame=4)
    session.commit(UP)
    predicted.predicting.what_if()
    wait(lambda: done(predicted, "b3") or done(predicted, "b2"))
    wait(lambda: not divergence.isHidden())
    distances = [value for _, value in divergence.curves[0].points]
    assert distances[0] > 0
    assert distances == sorted(distances)
    assert spread.isHidden()
    predicted.predicting.draw(8)
    wait(lambda: not spread.isHidden())


def test_a_what_if_is_compared_with_the_future_as_encoded_by_a_wipe(studio, session, wait):
    session.commit(UP)
    press(studio, Qt.Key.Key_W)
    assert [branch.name for branch in session.document.branches] == ["As encoded", "What-if 1"]
    shown = session.view.comparison
    assert (shown.mode, shown.first, shown.second) == ("wipe", "b1", "b2")
    assert session.history.cursor == 2
    wait(lambda: done(studio, "b2") and done(studio, "b1"))
    session.undo()
    assert session.document.branches == ()


def test_at_the_start_of_a_what_if_a_particle_is_dragged_and_the_future_follows(
    studio, session, wait
):
    press(studio, Qt.Key.Key_W)
    wait(lambda: done(studio, "b2"))
    view = studio.predicting.view
    assert view.hand.isVisible()
    predictions = studio.predicting.predictions
    before = predictions.latents("b2", 8).rows("position")[1]
    place = view.hand.viewport.to_view(tuple(session.latents.rows("position")[1]))
    start = QPoint(*(round(value) for value in place))
    QTest.mousePress(view.hand, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 9):
        QTest.mouseMove(view.hand, start + QPoint(0, -8 * step))
        QTest.qWait(10)
    QTest.mouseRelease(view.hand, Qt.MouseButton.LeftButton, pos=start + QPoint(0, -64))
    assert session.history.entries[-1].edit.kind == "move"
    wait(lambda: done(studio, "b2"))
    after = predictions.latents("b2", 8).rows("position")[1]
    assert after[1] < before[1]
    assert predictions.latents("b1", 8).rows("position")[1] == before
    assert session.view.frame == 4


def test_the_divider_is_dragged_with_the_mouse(studio, session, wait):
    session.commit(UP)
    studio.predicting.what_if()
    wait(lambda: done(studio, "b2") and session.view.frame > 4)
    canvas = studio.predicting.view.second
    viewport = canvas.viewport
    middle = QPoint(round(viewport.left + viewport.width / 2), canvas.height() - 30)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(canvas, middle - QPoint(round(viewport.width / 4), 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle)
    assert session.view.comparison.divider == pytest.approx(0.25, abs=0.02)
    left = canvas.grab().toImage()
    assert not left.isNull()


def test_c_goes_through_the_comparisons_and_shift_c_leaves(predicted, session):
    for mode in ("wipe", "difference", "side"):
        press(predicted, Qt.Key.Key_C)
        assert session.view.comparison.mode == mode
    press(predicted, Qt.Key.Key_C, Qt.KeyboardModifier.ShiftModifier)
    assert predicted.stack.currentWidget() is predicted.compare
    press(predicted, Qt.Key.Key_C)
    assert session.view.comparison.second == "b1"


def test_predicting_more_goes_beyond_the_video(predicted, session, wait):
    press(predicted, Qt.Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
    wait(lambda: done(predicted, "b1"))
    assert session.document.branches[0].end == 16
    assert predicted.player.count == 17
    predicted.player.go(16)
    assert session.view.frame == 16
    predicted.predicting.set_mode("off")
    assert session.view.frame == 11


def test_a_branch_is_renamed_duplicated_and_deleted_in_the_panel(predicted, session):
    panel = predicted.docks.branches
    predicted.predicting.rename()
    row = panel._rows["b1"]
    assert row.field.isVisible()
    row.field.setText("Straight on")
    QTest.keyClick(row.field, Qt.Key.Key_Return)
    assert session.document.branches[0].name == "Straight on"
    predicted.predicting.duplicate()
    assert [branch.name for branch in session.document.branches][1] == "Straight on copy"
    panel.list.setCurrentRow(1)
    assert session.view.comparison.second == "b2"
    predicted.predicting.delete()
    assert [branch.key for branch in session.document.branches] == ["b1"]
    assert session.view.comparison.second == "b1"
    predicted.predicting.delete()
    assert predicted.stack.currentWidget() is predicted.compare
    assert "Press P" in panel.empty.text()


def test_a_branch_is_never_compared_with_itself(predicted, session, wait):
    panel = predicted.docks.branches
    row = panel._rows["b1"]
    QTest.mouseClick(row.left, Qt.MouseButton.LeftButton)
    assert (session.view.comparison.first, session.view.comparison.second) == (TRUTH, "b1")
    assert not row.left.isChecked()
    assert row.right.isChecked()
    predicted.predicting.duplicate()
    QTest.mouseClick(panel._rows["b2"].left, Qt.MouseButton.LeftButton)
    assert session.view.comparison.first == "b2"
    QTest.mouseClick(panel._rows["b1"].left, Qt.MouseButton.LeftButton)
    assert (session.view.comparison.first, session.view.comparison.second) == ("b1", "b2")
    QTest.mouseClick(panel._rows["b1"].left, Qt.MouseButton.LeftButton)
    assert session.view.comparison.first == TRUTH


def test_stopping_keeps_what_is_there(studio, session, model, wait):
    studio.docks.branches.steps.setValue(400)
    studio.predicting.predict()
    wait(lambda: studio.predicting.predictions.roll("b1").painted)
    assert studio.predicting.is_going
    studio.actions_made["stop-prediction"].setEnabled(True)
    studio.actions_made["stop-prediction"].trigger()
    assert studio.predicting.predictions.roll("b1").state == "stopped"
    assert not studio.predicting.is_going


def test_closing_the_window_while_the_model_is_busy_returns(studio, model, engine):
    model.gate.clear()
    studio.predicting.predict()
    studio.close()
    engine.close(0.2)
    assert not studio.isVisible()


@pytest.mark.parametrize("kind", ["mp4", "csv", "npz"])
def test_a_branch_is_exported(predicted, session, tmp_path, wait, kind):
    told: list[str] = []
    session.noticed.connect(lambda notice: told.append(notice.text))
    path = tmp_path / f"branch.{kind}"
    predicted.predicting.set_mode("off")
    predicted.predicting.export_to("b1", path)
    wait(lambda: told)
    assert "6 predicted frames" in told[0]
    if kind == "csv":
        lines = path.read_text().splitlines()
        assert len(lines) == 1 + 8 * 2
    elif kind == "npz":
        import numpy as np

        with np.load(path) as arrays:
            assert arrays["frame"].tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    else:
        from kpcore.data.media import open_media

        media = open_media(path)
        assert media.count == 8
        assert max(media.size) == 512
        media.close()


def test_an_export_that_cannot_be_written_is_told(predicted, session, tmp_path, wait):
    told: list[str] = []
    session.noticed.connect(lambda notice: told.append(notice.text))
    (tmp_path / "file").write_text("")
    predicted.predicting.export_to("b1", tmp_path / "file" / "branch.csv")
    wait(lambda: told)
    assert "cannot be written" in told[0]


class TestWrongPairings:
    @pytest.fixture
    def media(self):
        return clip(1, "still.png")

    def test_a_predictor_with_a_still_picture_says_so(self, window, session, engine, wait):
        told: list[str] = []
        session.noticed.connect(lambda notice: told.append(notice.text))
        session.open_model(engine._host.model_info)
        session.open_media(engine._host.media_info)
        wait(lambda: told)
        assert "still.png' is a still picture" in told[-1]
        window.refresh_actions()
        made = window.actions_made["predict"]
        assert not made.isEnabled()
        assert "still picture" in made.toolTip()


class TestNoPredictor:
    @pytest.fixture
    def model(self):
        return Constant(predicts=False)

    def test_a_model_that_does_not_predict_says_so(self, studio):
        studio.refresh_actions()
        made = studio.actions_made["what-if"]
        assert not made.isEnabled()
        assert "does not predict video" in made.toolTip()
        assert studio.docks.dock("futures").isHidden()


def test_too_few_frames_before_the_start_are_named(studio, session):
    session.update_view(frame=0)
    studio.refresh_actions()
    made = studio.actions_made["predict"]
    assert not made.isEnabled()
    assert "go to frame 2 or later" in made.toolTip()


class TestCertain:
    @pytest.fixture
    def model(self):
        return Constant(uncertain=False)

    def test_a_model_without_uncertainty_has_one_future(self, studio, session):
        told: list[str] = []
        session.noticed.connect(lambda notice: told.append(notice.text))
        studio.predicting.predict()
        studio.predicting.draw(4)
        assert "one future only" in told[-1]
        assert session.document.branches[0].futures == 1
        studio.refresh_actions()
        assert not submenu(studio, "futures").isEnabled()
        assert "one future only" in submenu(studio, "futures").toolTip()
        assert submenu(studio, "first-future").isEnabled()
        assert submenu(studio, "second-future").isEnabled()
