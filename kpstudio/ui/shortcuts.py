"""The list of keys and of what the mouse does, from the action table."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from kpstudio.ui.actions import ACTIONS, MENUS, POINTER
from kpstudio.ui.theme import GRID


class ShortcutList(QDialog):
    """Keys by menu, then the mouse; typing narrows it down."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keys and mouse")
        self.field = QLineEdit(self)
        self.field.setPlaceholderText("Find a key or an action…")
        self.field.setAccessibleName("Find a key or an action")
        self.tree = QTreeWidget(self)
        self.tree.setAccessibleName("Keys and mouse")
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["Action", "Keys", "What it does"])
        self.tree.setRootIsDecorated(False)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._fill()
        head = self.tree.header()
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(self.field)
        column.addWidget(self.tree, 1)
        column.addWidget(buttons)
        self.field.textChanged.connect(self._narrow)
        self.resize(960, 680)
        self.field.setFocus()

    def _fill(self) -> None:
        for menu in MENUS:
            actions = [a for a in ACTIONS if a.menu.split("/")[0] == menu]
            head = self._head(menu)
            for action in actions:
                keys = ", ".join(
                    QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
                    for key in (*action.shortcuts, *action.canvas_keys)
                )
                where = " (on a canvas)" if action.on_canvas and keys else ""
                head.addChild(QTreeWidgetItem([action.plain, keys, action.tip + where]))
        head = self._head("Mouse and held keys on a canvas")
        for what, does in POINTER:
            head.addChild(QTreeWidgetItem(["", what, does]))
        self.tree.expandAll()

    def _head(self, text: str) -> QTreeWidgetItem:
        head = QTreeWidgetItem([text])
        font = self.font()
        font.setBold(True)
        head.setFont(0, font)
        self.tree.addTopLevelItem(head)
        return head

    def _narrow(self, text: str) -> None:
        wanted = text.lower()
        for place in range(self.tree.topLevelItemCount()):
            head = self.tree.topLevelItem(place)
            if head is None:
                continue
            shown = 0
            for row in range(head.childCount()):
                line = head.child(row)
                if line is None:
                    continue
                hit = any(wanted in line.text(column).lower() for column in range(3))
                line.setHidden(not hit)
                shown += hit
            head.setHidden(not shown)
