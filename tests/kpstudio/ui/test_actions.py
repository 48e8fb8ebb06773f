from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QTreeWidgetItemIterator

from kpstudio.resource_files import resource_path
from kpstudio.ui.action_tables.entry import Situation
from kpstudio.ui.actions import ACTIONS, BAR, CHOICES, ENTRIES, MENUS, PRESETS
from kpstudio.ui.palette import CommandPalette, commands_of, score
from kpstudio.ui.shortcuts import ShortcutList

from .conftest import open_document

ALWAYS = {
    "open", "open-folder", "screenshot", "copy-screenshot", "quit", "preferences", "smooth",
    "next-theme", "preset-edit", "preset-monitor", "preset-present", "reset-layout",
    "full-screen", "open-model", "open-run", "recordings", "palette", "shortcuts", "welcome",
    "demo", "diagnostics", "about",
}  # fmt: skip


def offered(now: Situation) -> set[str]:
    return {action.key for action in ACTIONS if action.enabled(now)}


def test_every_action_says_what_it_is():
    for entry in ENTRIES:
        assert entry.text, entry.key
        assert entry.tip, entry.key
        assert not entry.tip.endswith("."), entry.key
        assert entry.menu.split("/")[0] in MENUS, entry.key
        if entry.icon:
            assert resource_path(f"icons/{entry.icon}.svg").is_file()


def test_keys_and_shortcuts_are_used_once():
    assert Counter(entry.key for entry in ENTRIES).most_common(1)[0][1] == 1
    for place in ("on_canvas", "on_timeline"):
        there = [a for a in ACTIONS if getattr(a, place) or not (a.on_canvas or a.on_timeline)]
        keys = Counter(QKeySequence(text).toString() for a in there for text in a.shortcuts)
        assert [key for key, count in keys.items() if count > 1] == []
    assert "" not in keys


def test_bare_letters_act_on_a_canvas_only():
    for action in ACTIONS:
        for text in action.shortcuts:
            if len(text) == 1 or (text.startswith("Shift+") and len(text) == 7):
                assert action.on_canvas, action.key


def test_the_tool_bar_names_actions():
    keys = {action.key for action in ACTIONS}
    assert {key for key, _ in BAR if key} | set(PRESETS) <= keys


def test_with_nothing_open_only_what_needs_nothing_is_offered(session):
    assert offered(Situation(session)) == ALWAYS


def test_with_a_picture_and_a_selection_everything_is_offered_that_applies(session):
    open_document(session, frames=3)
    session.update_view(selection=frozenset({0, 1}))
    now = offered(Situation(session))
    assert {"swap", "turn-off", "export-csv", "save", "record", "next-frame", "fit"} <= now
    assert not {"copy", "paste", "undo", "redo", "reset", "reset-all", "previous-frame"} & now
    session.update_view(selection=frozenset({0}))
    assert {"copy"} <= offered(Situation(session))
    assert {"paste"} <= offered(Situation(session, copied=3))
    assert "paste" not in offered(Situation(session, copied=4))


@pytest.mark.parametrize(
    ("lacking", "missing"),
    [
        ({"presence": "none"}, {"turn-off", "turn-on", "presence"}),
        ({"features": 0}, {"copy"}),
        ({"movable": False}, {"swap"}),
        ({"uncertainty": False}, {"layer-ellipses"}),
        ({"layers": False}, {"layer-masks", "layer-glimpses"}),
        ({}, {"layer-heatmaps"}),
    ],
)
def test_what_the_model_cannot_do_is_not_offered(session, lacking, missing):
    open_document(session, **lacking)
    session.update_view(selection=frozenset({0} if "features" in lacking else {0, 1}))
    assert not missing & offered(Situation(session))


def menu_actions(menu: QMenu) -> list[QAction]:
    found = []
    for action in menu.actions():
        inner = action.menu()
        found += menu_actions(inner) if isinstance(inner, QMenu) else [action]
    return found


def test_every_action_is_in_a_menu_the_palette_and_the_list_of_keys(window, qtbot):
    in_menus = {
        action.objectName()
        for top in window.menuBar().actions()
        for action in menu_actions(top.menu())
    }
    assert {f"action-{action.key}" for action in ACTIONS} <= in_menus
    texts = {command.text for command in commands_of(window)}
    assert {a.plain.rstrip("…") for a in ACTIONS if a.key != "palette"} <= texts
    listed = ShortcutList()
    qtbot.addWidget(listed)
    walk = QTreeWidgetItemIterator(listed.tree)
    rows = []
    while walk.value() is not None:
        rows.append([walk.value().text(column) for column in range(3)])
        walk += 1
    said = {row[0] for row in rows}
    assert {action.plain for action in ACTIONS} <= said
    undo = next(row for row in rows if row[0] == "Undo")
    assert undo[1] == "Ctrl+Z"


def test_every_qaction_has_text_tip_and_its_own_keys(window):
    for action in ACTIONS:
        made = window.actions_made[action.key]
        assert made.text()
        assert action.tip in made.toolTip()
        assert len(made.shortcuts()) == len(action.shortcuts)
        assert made.isEnabled() is action.enabled(window.situation()), action.key


def test_choices_offer_what_there_is(window):
    entries = {choices.key: choices.of(window) for choices in CHOICES}
    assert [choice.text for choice in entries["theme"]] == ["Follow the system", "Light", "Dark"]
    assert [choice.checked for choice in entries["theme"]] == [False, False, True]
    assert [choice.text for choice in entries["device"]] == ["Automatic", "CPU"]
    assert entries["recent"] == []
    assert [choice.text for choice in entries["large"]][2] == "Edited"


def submenu(window, key: str) -> QAction:
    return next(made for choices, made in window.actions_made._submenus if choices.key == key)


def test_a_single_picture_has_nothing_more_to_encode_or_compare(window, session):
    open_document(session)
    window.refresh_actions()
    encode = window.actions_made["encode-all"]
    assert not encode.isEnabled()
    assert "'scene.png' is a single picture" in encode.toolTip()
    for key in ("futures", "first-future", "second-future"):
        assert not submenu(window, key).isEnabled(), key
        assert "does not predict video" in submenu(window, key).toolTip()
    offered = [command.text for command in commands_of(window) if command.enabled]
    assert not [text for text in offered if text.startswith("Compare")]
    open_document(session, frames=3)
    window.refresh_actions()
    assert encode.isEnabled()
    assert "single" not in encode.toolTip()


def test_letters_in_order_find_an_action():
    assert score("csv", "Particles as table (CSV)") > 50
    assert score("ptc", "Particles as table (CSV)") is not None
    assert score("xyz", "Particles as table (CSV)") is None
    assert score("undo", "Undo") > score("undo", "Turn on and undo")


def test_the_palette_runs_what_is_chosen(window, session, qtbot):
    open_document(session)
    palette = CommandPalette(window)
    qtbot.addWidget(palette)
    palette.field.setText("select all")
    qtbot.keyClick(palette.field, "\r")
    assert len(session.view.selection) == 5


def test_an_action_that_no_longer_applies_does_nothing(window, session):
    action = next(action for action in ACTIONS if action.key == "swap")
    window.actions_made.run(action)
    assert session.history.entries == ()
