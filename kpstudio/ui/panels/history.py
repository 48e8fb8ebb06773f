"""Every edit as a line; a click goes to it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from kpstudio.session.history import Entry, History
from kpstudio.session.session import Session
from kpstudio.ui.panels.panel import Panel
from kpstudio.ui.theme import Tokens


class HistoryPanel(Panel):
    """The first line is the opening; lines behind the cursor are grey and can be redone."""

    key = "history"
    title = "History"

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._entries: tuple[Entry, ...] = ()
        self._list = QListWidget(self)
        self._list.setObjectName("steps")
        self._list.setAccessibleName("Steps of the history")
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setUniformItemSizes(True)
        self._list.addItem("Nothing open")
        self._list.currentRowChanged.connect(self._on_row)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 0, 4, 4)
        column.addWidget(self._list)
        session.history_changed.connect(self._on_history)
        self._on_history(session.history)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self._paint(self.session.history)

    def _on_history(self, history: History) -> None:
        self._list.blockSignals(True)
        same = 0
        for old, new in zip(self._entries, history.entries, strict=False):
            if old is not new and old.label != new.label:
                break
            same += 1
        while self._list.count() > same + 1:
            self._list.takeItem(self._list.count() - 1)
        for entry in history.entries[same:]:
            self._list.addItem(QListWidgetItem(entry.label))
        self._entries = history.entries
        document = history.document
        opened = document.media or document.model
        name = getattr(opened, "name", "") or getattr(opened, "title", "")
        first = self._list.item(0)
        if first is not None:
            first.setText(f"Open {name}" if opened else "Nothing open")
        self._list.setCurrentRow(history.cursor)
        self._list.blockSignals(False)
        self._paint(history)

    def _paint(self, history: History) -> None:
        for row in range(self._list.count()):
            item = self._list.item(row)
            undone = row > history.cursor
            item.setForeground(QColor(self.tokens.faint if undone else self.tokens.text))
            item.setToolTip(f"{item.text()} (undone)" if undone else item.text())
        current = self._list.item(history.cursor)
        if current is not None:
            self._list.scrollToItem(current)

    def _on_row(self, row: int) -> None:
        if row >= 0:
            self.session.go_to(row)
