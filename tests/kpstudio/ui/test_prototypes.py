"""Prototypes: kinds of particles, their colours and names, and giving a particle another kind."""

from __future__ import annotations

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from kpcore.api import Encoding
from kpcore.capabilities import Capabilities
from kpcore.errors import CapabilityError, InputError
from kpcore.latents import Latents, Topology
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.edits import SetFeatures, from_plain, to_plain
from kpstudio.session.prototype_edits import RenamePrototype, SetPrototype
from kpstudio.ui.canvas.marks import MarkReader

from .conftest import show_pictures

BOOK = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
FEATURES = [[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [1.0, 0.0, 0.1]]
KINDS = [0, 1, 0]


@pytest.fixture
def kinds(session):
    """A session whose particles are of kinds 0, 1 and 0 of three."""
    can = Capabilities((32, 32), 3, features=3, presence="score", prototypes=3, fixed_count=False)
    session.open_model(ModelInfo(1, "m", "toy", "Toy", can, codebook=BOOK))
    session.open_media(MediaInfo(1, "/nowhere/a.png", "a.png", "image", 1))
    latents = Latents(
        torch.tensor([[[-0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]]),
        Topology.flat(3),
        feature=torch.tensor([FEATURES]),
        presence=torch.tensor([[0.9, 0.8, 0.7]]),
        prototype=torch.tensor([KINDS]),
    )
    session.receive_encoding(1, 1, 0, Encoding(latents))
    show_pictures(session)
    return session


def prototypes(session) -> list[int]:
    return session.latents.rows("prototype")


def test_another_prototype_keeps_how_a_particle_differs_from_its_own(kinds):
    kinds.commit(SetPrototype(0, (0,), 2))
    assert prototypes(kinds) == [2, 1, 0]
    assert kinds.latents.rows("feature")[0] == pytest.approx([-0.1, 0.1, 1.0], abs=1e-6)
    assert kinds.history.entries[-1].label == "Prototype 3 for particle 1"
    kinds.commit(SetPrototype(0, (0,), 0))
    assert kinds.latents.rows("feature")[0] == pytest.approx(FEATURES[0], abs=1e-6), "and back"
    kinds.commit(SetPrototype(0, (0, 1), 1, residue=False))
    assert kinds.latents.rows("feature")[:2] == [[0.0, 1.0, 0.0]] * 2
    for _ in range(3):
        kinds.undo()
    assert prototypes(kinds) == KINDS


def test_a_pasted_appearance_brings_its_prototype(kinds):
    kinds.commit(SetFeatures(0, (0,), ((0.1, 0.2, 0.9),)))
    assert prototypes(kinds) == [2, 1, 0]


@pytest.mark.parametrize(
    "edit", [SetPrototype(0, (1,), 2, False), RenamePrototype(2, "six"), SetPrototype(0, (0, 2), 1)]
)
def test_they_are_saved_as_they_are(kinds, edit):
    assert from_plain(to_plain(edit)) == edit


def test_names_are_edits_and_can_be_taken_away(kinds):
    kinds.commit(RenamePrototype(0, " zero "))
    assert kinds.document.prototype_name(0) == "zero"
    kinds.commit(SetPrototype(0, (1,), 0))
    assert kinds.history.entries[-1].label == "'zero' for particle 2"
    kinds.commit(RenamePrototype(0, ""))
    assert kinds.document.prototype_name(0) == "Prototype 1"
    kinds.undo()
    assert kinds.document.prototype_name(0) == "zero"


def test_what_there_is_not_is_refused(kinds, session):
    with pytest.raises(InputError, match="has 3"):
        kinds.commit(SetPrototype(0, (0,), 3))
    kinds.open_model(ModelInfo(2, "m", "toy", "Toy", Capabilities((32, 32), 3)))
    with pytest.raises(CapabilityError, match="no prototypes"):
        kinds.commit(RenamePrototype(0, "zero"))


def test_colour_and_label_are_those_of_the_prototype(kinds):
    kinds.commit(RenamePrototype(0, "zero"))
    marks = sorted(MarkReader(kinds).read("edited"), key=lambda mark: mark.row)
    assert [mark.hue for mark in marks] == KINDS
    assert [mark.label for mark in marks] == ["1 zero", "2", "3 zero"]
    assert "zero" in marks[0].words
    assert "prototype 2" in marks[1].words


def test_the_panel_is_a_legend_that_renames_and_assigns_by_keys(kinds, window, qtbot):
    panel = window.docks.prototypes
    assert not window.docks.dock("prototypes").isHidden()
    panel.refresh()
    rows = [panel.list.item(at) for at in range(3)]
    assert [row.text() for row in rows] == ["Prototype 1", "Prototype 2", "Prototype 3"]
    panel.list.setCurrentRow(1)
    panel.list.setFocus()
    kinds.update_view(selection=frozenset({2}))
    qtbot.keyClick(panel.list, Qt.Key.Key_F2)
    field = panel.list.findChild(QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, "six")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: kinds.document.prototype_name(1) == "six")
    assert prototypes(kinds) == KINDS, "Return in the field renames and no more"
    kinds.update_view(selection=frozenset({0}))
    panel.refresh()
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert prototypes(kinds) == [1, 1, 0]
    panel.refresh()
    panel.list.setCurrentRow([panel.list.item(at).text() for at in range(3)].index("six"))
    qtbot.mouseClick(panel._select, Qt.MouseButton.LeftButton)
    assert kinds.view.selection == {0, 1}
    kinds.undo()
    kinds.undo()
    panel.refresh()
    assert "Prototype 2" in [panel.list.item(at).text() for at in range(3)]


def test_keys_go_through_the_prototypes(kinds, window):
    kinds.update_view(selection=frozenset({2}))
    window.refresh_actions()
    window.actions_made["next-prototype"].trigger()
    assert prototypes(kinds) == [0, 1, 1]
    window.actions_made["previous-prototype"].trigger()
    window.actions_made["previous-prototype"].trigger()
    assert prototypes(kinds) == [0, 1, 2], "before the first comes the last"
    window.actions_made["pure-prototype"].trigger()
    assert kinds.latents.rows("feature")[2] == [0.0, 0.0, 1.0]
    window.actions_made["rename-prototype"].trigger()
    assert window.docks.prototypes.current == 2


def test_a_model_without_kinds_has_no_such_panel(session, window):
    from .conftest import open_document

    open_document(session)
    assert window.docks.dock("prototypes").isHidden()
    window.refresh_actions()
    assert not window.actions_made["rename-prototype"].isEnabled()
