from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QDoubleSpinBox

from kpcore.capabilities import Capabilities
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.edits import KeepTop, MoveParticles, SetPresence
from kpstudio.session.evidence import Evidence
from kpstudio.ui.panels.history import HistoryPanel
from kpstudio.ui.panels.layers import EYE_PX, LayersPanel, track_of
from kpstudio.ui.panels.live_slider import LiveSlider
from kpstudio.ui.panels.media import MediaPanel
from kpstudio.ui.panels.models import CARD, ModelsPanel, facts_of, short_count
from kpstudio.ui.panels.particle import ParticlePanel
from kpstudio.ui.panels.particle_table import NUMBER, PRESENCE, SIGMA, X
from kpstudio.ui.panels.particles import ParticlesPanel
from kpstudio.ui.theme import DARK, LIGHT

from .conftest import COUNT, encoding, open_document


@pytest.fixture
def add(qtbot):
    def make(panel):
        qtbot.addWidget(panel)
        panel.resize(304, 420)
        panel.show()
        qtbot.waitExposed(panel)
        return panel

    return make


@pytest.fixture
def opened(session):
    open_document(session)
    return session


# -- particles -------------------------------------------------------------------------------------
@pytest.fixture
def particles(add, opened) -> ParticlesPanel:
    return add(ParticlesPanel(opened, DARK))


def column(panel: ParticlesPanel, index: int) -> list[str]:
    model = panel.model
    return [model.data(model.index(row, index)) for row in range(model.rowCount())]


def test_the_table_shows_the_particles_by_confidence_or_number(particles, session):
    assert column(particles, NUMBER) == ["1", "2", "3", "4", "5"]
    assert column(particles, X)[0] == "−0.800"  # noqa: RUF001 (a minus sign)
    assert column(particles, PRESENCE) == ["1.00"] * COUNT
    session.commit(SetPresence(0, (0,), (0.2,)))
    particles.refresh()
    assert column(particles, NUMBER)[0] == "1", "edits do not reorder"
    particles.model.set_order("number")
    assert column(particles, NUMBER) == ["1", "2", "3", "4", "5"]


def test_without_confidence_the_table_is_sorted_by_number(particles, session):
    assert particles._order_button.isEnabled()
    open_document(session, uncertainty=False, presence="none")
    particles.refresh()
    assert not particles._order_button.isEnabled()
    assert particles._order_button.text().endswith("by number")
    assert "does not say which particles are surer" in particles._order_button.toolTip()
    assert column(particles, NUMBER) == ["1", "2", "3", "4", "5"]


def test_selection_goes_both_ways(particles, session):
    session.update_view(selection=frozenset({1, 3}))
    particles.refresh()
    chosen = particles.table.selectionModel()
    assert sorted(index.row() for index in chosen.selectedRows()) == [1, 3]
    flag = QItemSelectionModel.SelectionFlag
    chosen.select(particles.model.index(2, 0), flag.ClearAndSelect | flag.Rows)
    assert session.view.selection == frozenset({2})


def test_numbers_are_edited_and_wrong_ones_refused(particles, session):
    model = particles.model
    assert model.setData(model.index(1, X), 0.25, Qt.ItemDataRole.EditRole)
    assert session.latents.rows("position")[1][0] == pytest.approx(0.25)
    assert not model.setData(model.index(1, X), 0.25, Qt.ItemDataRole.EditRole)
    assert not model.setData(model.index(1, X), float("nan"), Qt.ItemDataRole.EditRole)
    assert not model.setData(model.index(1, X), "left", Qt.ItemDataRole.EditRole)
    assert model.setData(model.index(4, PRESENCE), 0.0, Qt.ItemDataRole.EditRole)
    assert session.history.cursor == 2
    editable = Qt.ItemFlag.ItemIsEditable
    assert not model.flags(model.index(0, SIGMA)) & editable
    assert model.flags(model.index(0, X)) & editable


def test_a_cell_is_edited_by_keyboard(particles, session, qtbot):
    table = particles.table
    table.setFocus()
    table.setCurrentIndex(particles.model.index(0, X))
    qtbot.keyClick(table, Qt.Key.Key_F2)
    editor = table.findChild(QDoubleSpinBox)
    editor.setValue(0.5)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.history.cursor == 1)
    assert session.latents.rows("position")[0][0] == pytest.approx(0.5)


def test_a_drag_tells_of_the_moved_row_alone(particles, session):
    told = []
    particles.model.dataChanged.connect(lambda a, b, *_: told.append((a.row(), b.row())))
    session.preview(MoveParticles(0, (2,), ((0.3, 0.3),)))
    particles.refresh()
    assert told == [(2, 2)]
    assert column(particles, X)[2] == "0.300"


def test_moves_are_shown_at_most_twenty_times_a_second(particles, session, monkeypatch):
    read = []
    monkeypatch.setattr(particles.model, "follow", lambda: read.append(1) or False)
    for step in range(50):
        session.preview(MoveParticles(0, (2,), ((step / 100, 0.3),)))
    assert read == []
    assert particles._timer.isActive()
    assert particles._timer.interval() >= 50


def test_keep_top_is_live_and_one_step(particles, session):
    keep = particles.keep
    keep.setSliderDown(True)
    for value in (3, 2, 1):
        keep.setValue(value)
        assert session.document.keep == value + 1
    assert session.history.cursor == 0
    keep.setSliderDown(False)
    assert session.history.entries[-1].edit == KeepTop(2)
    assert session.history.cursor == 1
    assert session.document.kept(0) == frozenset({0, 1})
    keep.setValue(keep.maximum())
    assert session.document.keep is None


def test_escape_gives_a_slider_drag_up(particles, session, qtbot):
    keep = particles.keep
    keep.setSliderDown(True)
    keep.setValue(0)
    assert session.document.keep == 1
    qtbot.keyClick(keep, Qt.Key.Key_Escape)
    assert session.document.keep is None
    assert session.history.cursor == 0
    particles.refresh()
    assert keep.value() == keep.maximum()


# -- slider ----------------------------------------------------------------------------------------
def test_key_presses_in_a_row_are_one_gesture(qtbot):
    slider = LiveSlider("Presence", 0.0, 1.0, 10)
    qtbot.addWidget(slider)
    seen = []
    slider.settled.connect(lambda value, gesture: seen.append((round(value, 3), gesture)))
    slider.show_number(0.5)
    assert seen == []
    for _ in range(3):
        qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert [value for value, _ in seen] == [0.6, 0.7, 0.8]
    assert len({gesture for _, gesture in seen}) == 1
    assert seen[0][1]


# -- selected particle -----------------------------------------------------------------------------
@pytest.fixture
def particle(add, opened) -> ParticlePanel:
    panel = add(ParticlePanel(opened, DARK))
    opened.update_view(selection=frozenset({1}))
    panel.refresh()
    return panel


def test_it_shows_the_values_of_the_selected_particle(particle):
    assert particle.place_x.value() == pytest.approx(-0.4)
    assert particle.presence.number == 1.0
    assert len(particle._features) == 3
    assert particle._features[0][2].text() == "0.30"
    assert not particle.glimpse._image.isNull()


def test_places_and_presence_are_edited(particle, session):
    particle.place_x.setValue(0.1)
    assert session.latents.rows("position")[1][0] == pytest.approx(0.1)
    particle.presence.setSliderDown(True)
    particle.presence.setValue(40)
    assert session.in_gesture
    assert session.latents.rows("presence")[1] == pytest.approx(0.4)
    particle.presence.setSliderDown(False)
    assert [entry.label for entry in session.history.entries] == [
        "Move particle 2", "Presence of particle 2",
    ]  # fmt: skip


def test_a_feature_changes_the_selected_and_is_reset(particle, session):
    session.update_view(selection=frozenset({1, 2}))
    particle.refresh()
    slider = particle._features[0][1]
    slider.setFocus()
    slider.setValue(slider.maximum())
    feature = session.latents.rows("feature")
    assert feature[1][0] == feature[2][0] == pytest.approx(slider.number)
    assert feature[1][1] == pytest.approx(0.4)
    particle._reset_features()
    assert session.latents.rows("feature")[1][0] == pytest.approx(0.3)


def test_nothing_selected_says_so(particle, session):
    session.update_view(selection=frozenset())
    particle.refresh()
    assert not particle._empty.isHidden()
    assert particle._content.isHidden()
    assert particle._reset.isHidden()


# -- layers ----------------------------------------------------------------------------------------
@pytest.fixture
def layers(add, opened) -> LayersPanel:
    return add(LayersPanel(opened, DARK))


def row_of(panel: LayersPanel, name: str) -> int:
    return panel.list._names().index(name)


def test_eye_and_opacity_by_mouse(layers, session, qtbot):
    inside = layers.list.visualItemRect(layers.list.item(row_of(layers, "ellipses")))
    left = Qt.MouseButton.LeftButton
    eye = QPoint(inside.left() + EYE_PX // 2, inside.center().y())
    qtbot.mouseClick(layers.list.viewport(), left, pos=eye)
    assert session.view.layer("ellipses").visible is False
    track = track_of(inside)
    middle = QPoint(round(track.center().x()), round(track.center().y()))
    qtbot.mouseClick(layers.list.viewport(), left, pos=middle)
    assert session.view.layer("ellipses").opacity == pytest.approx(0.5, abs=0.02)


def test_layers_by_keyboard(layers, session, qtbot):
    layers.list.setFocus()
    layers.list.setCurrentRow(row_of(layers, "labels"))
    qtbot.keyClick(layers.list, Qt.Key.Key_Space)
    assert session.view.layer("labels").visible is False
    qtbot.keyClick(layers.list, Qt.Key.Key_Left)
    assert session.view.layer("labels").opacity == pytest.approx(0.9)
    qtbot.keyClick(layers.list, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert [layer.name for layer in session.view.layers][:3] == ["landmarks", "ellipses", "labels"]
    assert layers.list.currentItem().text() == "Numbers"


def test_layers_the_model_does_not_give_are_hidden(layers, session):
    assert layers.list.item(row_of(layers, "heatmaps")).isHidden()
    assert not layers.list.item(row_of(layers, "masks")).isHidden()


# -- history ---------------------------------------------------------------------------------------
def test_history_lists_steps_and_goes_to_them(add, opened):
    panel = add(HistoryPanel(opened, DARK))
    for x in (0.1, 0.2, 0.3):
        opened.commit(MoveParticles(0, (0,), ((x, 0.0),)))
    texts = [panel._list.item(row).text() for row in range(panel._list.count())]
    assert texts == ["Open scene.png", *["Move particle 1"] * 3]
    panel._list.setCurrentRow(1)
    assert opened.history.cursor == 1
    assert opened.latents.rows("position")[0][0] == pytest.approx(0.1)
    assert panel._list.item(3).foreground().color() == QColor(DARK.faint)
    opened.commit(SetPresence(0, (0,), (0.0,)))
    texts = [panel._list.item(row).text() for row in range(panel._list.count())]
    assert texts == ["Open scene.png", "Move particle 1", "Turn off particle 1"]
    panel.set_tokens(LIGHT)
    assert panel._list.item(1).foreground().color() == QColor(LIGHT.text)


# -- models, media, frames -------------------------------------------------------------------------
def test_model_cards_open_by_click_but_not_the_open_one(add, opened, qtbot):
    panel = add(ModelsPanel(opened, DARK))
    panel.set_paths(("/else/where.safetensors",))
    assert [panel.list.item(row).text() for row in range(2)] == ["toy", "where"]
    asked = []
    panel.open_wanted.connect(asked.append)
    panel._on_activated(panel.list.item(0))
    panel._on_activated(panel.list.item(1))
    assert asked == ["/else/where.safetensors"]


def test_a_shipped_model_is_called_so_and_its_tip_holds_the_path(add, opened):
    from kpstudio.resource_files import resource_path

    path = str(resource_path("checkpoints/demo.safetensors"))
    panel = add(ModelsPanel(opened, DARK))
    panel.set_paths((path, "/else/where.safetensors"))
    facts = [panel.list.item(row).data(CARD).facts for row in range(1, 3)]
    assert facts == ["shipped", "/else"]
    assert panel.list.item(1).toolTip() == path


def test_levels_are_chosen_in_the_particles_panel(add, session, qtbot):
    open_document(session, levels=2)
    panel = add(ParticlesPanel(session, DARK))
    assert panel.level.isVisibleTo(panel)
    qtbot.keyClick(panel.level, Qt.Key.Key_Down)
    panel.level.activated.emit(panel.level.currentIndex())
    assert session.view.level == 0
    session.show_level(None)
    panel.refresh()
    assert panel.level.currentText() == "All levels"
    open_document(session)
    panel.refresh()
    assert not panel.level.isVisibleTo(panel)


def test_facts_fit_one_line(opened):
    model = opened.document.model
    assert isinstance(model, ModelInfo)
    assert facts_of(model) == "5 particles · 32² · step 1k"
    assert [short_count(number) for number in (9, 1499, 2_500_000)] == ["9", "1k", "2.5M"]


def test_media_thumbnails_come_and_open(add, session, thumbnails, posted, tmp_path, qtbot):
    from PIL import Image

    path = tmp_path / "red.png"
    Image.fromarray(np.full((20, 30, 3), (200, 0, 0), np.uint8)).save(path)
    panel = add(MediaPanel(session, DARK, thumbnails))
    panel.set_paths((str(path), str(tmp_path / "gone.png")))
    qtbot.waitUntil(lambda: bool(posted), timeout=20_000)
    posted.run()
    assert list(panel._pictures) == [str(path)]
    icon = panel.list.item(0).icon().pixmap(panel.list.iconSize()).toImage()
    assert icon.pixelColor(icon.width() // 2, icon.height() // 2).red() > 150
    asked = []
    panel.open_wanted.connect(asked.append)
    panel._on_activated(panel.list.item(0))
    assert asked == [str(path)]


# -- more than in training -------------------------------------------------------------------------
def test_the_slider_of_the_surest_goes_beyond_training(add, session, qtbot):
    can = Capabilities((32, 32), 3, presence="score", fixed_count=False, most_particles=COUNT)
    session.open_model(ModelInfo(1, "m", "toy", "Toy", can))
    session.open_media(MediaInfo(1, "/nowhere/a.png", "a.png", "image", 1))
    session.receive_encoding(1, 1, 0, encoding(uncertainty=False, presence="score"))
    panel = add(ParticlesPanel(session, DARK))
    assert panel._keep_value.text() == "3"
    assert len(panel.model.lines) == 3
    qtbot.keyClick(panel.keep, Qt.Key.Key_Right)
    assert session.document.keep == 4
    panel.refresh()
    assert len(panel.model.lines) == 4
    assert "3 that the model was trained with" in panel.keep.toolTip()
    qtbot.keyClick(panel.keep, Qt.Key.Key_Left)
    assert session.document.keep is None


def test_a_model_that_needs_all_of_its_particles_keeps_them(add, session):
    open_document(session, presence="none", fixed_count=True)
    panel = add(ParticlesPanel(session, DARK))
    assert not panel.keep.isEnabled()
    assert "all of its particles" in panel.keep.toolTip()


# -- counting --------------------------------------------------------------------------------------
def test_the_number_of_objects_is_told_with_its_distribution(add, session, qtbot):
    open_document(session, presence="count", confidence=True)
    panel = add(ParticlesPanel(session, DARK))
    assert not panel.count.isVisibleTo(panel)
    session.receive_evidence(1, 1, Evidence(0, None, (0.0, 0.0, 0.0, 0.0, 0.1, 0.9)))
    panel.refresh()
    assert panel.count.isVisibleTo(panel)
    assert panel.count.text == "5 objects · p(5 | x) = 0.900"
    session.commit(SetPresence(0, (0, 2, 3, 4), (0.0,) * 4))
    panel.refresh()
    assert panel.count.text == "1 object · p(5 | x) = 0.900"
    shown = panel.count.grab().toImage()
    bar = panel.count._bar(1)
    assert shown.pixelColor(int(bar.center().x()), int(bar.bottom()) - 1) == QColor(DARK.accent)
    session.receive_evidence(9, 9, Evidence(0, None, (1.0,)))
    assert session.evidence.count[5] == 0.9, "that of another model is dropped"
