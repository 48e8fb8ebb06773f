"""Turns the action table into QActions, menus and the tool bar of one window."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QSizePolicy, QToolBar, QToolButton, QWidget

from kpstudio.ui.action_tables.entry import Action, Choices, Situation
from kpstudio.ui.actions import ACTIONS, BAR, ENTRIES, MENUS, PRESETS
from kpstudio.ui.theme import Tokens, icon

if TYPE_CHECKING:
    from kpstudio.ui.main_window import MainWindow


class ActionSet(QObject):
    """The QActions of a window, kept true to its situation."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._actions: dict[str, QAction] = {}
        self._submenus: list[tuple[Choices, QAction]] = []
        self._tokens: Tokens | None = None
        for action in ACTIONS:
            self._actions[action.key] = self._make(action)

    def __getitem__(self, key: str) -> QAction:
        """Return the QAction of an action's key."""
        return self._actions[key]

    def _make(self, action: Action) -> QAction:
        made = QAction(action.text, self)
        made.setObjectName(f"action-{action.key}")
        made.setShortcuts([QKeySequence(keys) for keys in action.shortcuts])
        made.setToolTip(_tip(action, None))
        made.setStatusTip(action.tip)
        made.setMenuRole(QAction.MenuRole.NoRole)
        made.setCheckable(action.checked is not None)
        made.triggered.connect(partial(self.run, action))
        if action.on_canvas or action.on_timeline:
            made.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        else:
            self._window.addAction(made)
        return made

    def bind_canvas(self, widget: QWidget) -> None:
        """Let the bare-letter keys act while `widget` or what lies in it has the focus."""
        for action in ACTIONS:
            if action.on_canvas:
                widget.addAction(self._actions[action.key])
            if action.canvas_keys:
                widget.addAction(self._twin(action, widget))

    def bind_timeline(self, widget: QWidget) -> None:
        """Let the keys of transport act while `widget` or what lies in it has the focus."""
        for action in ACTIONS:
            if action.on_timeline:
                widget.addAction(self._actions[action.key])

    def _twin(self, action: Action, widget: QWidget) -> QAction:
        """Return an action with the keys that act on one canvas only."""
        twin = QAction(action.plain, widget)
        twin.setShortcuts([QKeySequence(keys) for keys in action.canvas_keys])
        twin.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        twin.triggered.connect(partial(self.run, action))
        return twin

    def run(self, action: Action, *_: object) -> None:
        """Do it, unless the situation has changed since it was offered."""
        if action.enabled(self._window.situation()):
            action.run(self._window)
        self._window.refresh_actions()

    def refresh(self, now: Situation) -> None:
        """Offer what can be done now."""
        for action in ACTIONS:
            made = self._actions[action.key]
            made.setEnabled(action.enabled(now))
            if action.reason is not None:
                made.setToolTip(_tip(action, now))
            if action.checked is not None:
                made.setChecked(action.checked(self._window))
            if action.label is not None:
                made.setText(action.label(now.session))
            if action.icon_on and self._tokens is not None:
                name = action.icon_on if made.isChecked() else action.icon
                made.setIcon(icon(name, self._tokens))
        for choices, made in self._submenus:
            made.setEnabled(choices.enabled(now))
            made.setToolTip(_tip(choices, now))

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw the icons in the colours of a theme."""
        self._tokens = tokens
        for action in ACTIONS:
            if action.icon and action.icon != "app":
                is_record = action.key == "record"
                inks = (tokens.ink("error"), tokens.on_error) if is_record else ()
                self._actions[action.key].setIcon(icon(action.icon, tokens, *inks))

    # -- places ----------------------------------------------------------------------------------
    def fill_menu_bar(self, bar: QMenuBar) -> None:
        """Build every menu."""
        menus: dict[str, QMenu] = {}
        for name in MENUS:
            menus[name] = bar.addMenu(f"&{name}")
            menus[name].setObjectName(f"menu-{name}")
            menus[name].setToolTipsVisible(True)  # they say why something is not offered
        for entry in ENTRIES:
            top, _, below = entry.menu.partition("/")
            if below and entry.menu not in menus:
                if entry.apart:
                    menus[top].addSeparator()
                menus[entry.menu] = menus[top].addMenu(below)
                menus[entry.menu].setToolTipsVisible(True)
            elif entry.apart:
                menus[entry.menu].addSeparator()
            if isinstance(entry, Action):
                menus[entry.menu].addAction(self._actions[entry.key])
            else:
                menu = menus[entry.menu].addMenu(entry.text)
                self._submenus.append((entry, menu.menuAction()))
                menu.aboutToShow.connect(partial(self.fill_choices, menu, entry))

    def fill_choices(self, menu: QMenu, choices: Choices) -> None:
        """Fill a submenu with what can be chosen now."""
        menu.clear()
        for choice in choices.of(self._window):
            made = menu.addAction(choice.text.replace("&", "&&"))
            made.setToolTip(choice.tip)
            if choice.checked is not None:
                made.setCheckable(True)
                made.setChecked(choice.checked)
            made.triggered.connect(partial(_call, choice.run))
        if menu.isEmpty():
            menu.addAction("Nothing yet").setEnabled(False)

    def fill_tool_bar(self, bar: QToolBar, device_chip: QToolButton) -> None:
        """Put the actions of `BAR` at the left, arrangement, device and recording at the right."""
        for key, text in BAR:
            if key:
                self._add_button(bar, key, text)
            else:
                bar.addSeparator()
        space = QWidget(bar)
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(space)
        for key in PRESETS:
            self._add_button(bar, key, self._actions[key].text()).setProperty("role", "preset")
        bar.addSeparator()
        bar.addWidget(device_chip)
        self._add_button(bar, "record", "Record", "Stop").setProperty("role", "recording")

    def _add_button(self, bar: QToolBar, key: str, text: str, on: str = "") -> QToolButton:
        made = self._actions[key]
        button = QToolButton(bar)
        button.setDefaultAction(made)
        style = Qt.ToolButtonStyle
        button.setToolButtonStyle(
            style.ToolButtonTextBesideIcon if text else style.ToolButtonIconOnly
        )
        if text:
            keep_text(button, text, on or text)
        button.setAccessibleName(text or made.text().replace("&", ""))
        button.setAccessibleDescription(made.statusTip())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        bar.addWidget(button)
        return button


def keep_text(button: QToolButton, off: str, on: str) -> None:
    """Show a short text on a button, whatever its action is called in the menu.

    Args:
        button: With its action.
        off: The text.
        on: The text while the action is checked.
    """

    def put() -> None:
        text = on if button.defaultAction().isChecked() else off
        if button.text() != text:
            button.setText(text)

    put()
    button.defaultAction().changed.connect(put)


def _tip(entry: Action | Choices, now: Situation | None) -> str:
    """Return what an entry does, with its key, and why it cannot be done now."""
    keys = entry.shortcuts if isinstance(entry, Action) else ()
    tip = f"{entry.tip} ({keys[0]})" if keys else entry.tip
    why = entry.reason(now) if entry.reason is not None and now is not None else ""
    return f"{tip}\n{why}" if why else tip


def _call(run: object, *_: object) -> None:
    if callable(run):
        run()
