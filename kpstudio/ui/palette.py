"""The command palette: any action by a few letters of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)

from kpstudio.ui.actions import ACTIONS, CHOICES
from kpstudio.ui.theme import GRID, Tokens, scaled

if TYPE_CHECKING:
    from PySide6.QtCore import QModelIndex, QPersistentModelIndex

    from kpstudio.ui.main_window import MainWindow

ENTRY = Qt.ItemDataRole.UserRole + 1
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the palette.

    Attributes:
        text: What it is called.
        place: Its menu.
        keys: Its first shortcut.
        tip: What it does.
        enabled: Whether it would do anything now.
        run: Does it.
    """

    text: str
    place: str
    keys: str
    tip: str
    enabled: bool
    run: Callable[[], object]


def commands_of(window: MainWindow) -> list[Command]:
    """Return everything that the window can do, what can be done now first."""
    now = window.situation()
    found = [
        Command(
            action.plain.rstrip("…"),
            action.menu.replace("/", " > "),
            action.shortcuts[0] if action.shortcuts else "",
            action.tip,
            action.enabled(now),
            lambda action=action: window.actions_made.run(action),
        )
        for action in ACTIONS
        if action.key != "palette"
    ]
    for choices in CHOICES:
        title = choices.text.replace("&", "")
        found.extend(
            Command(
                f"{title}: {choice.text}",
                choices.menu.replace("/", " > "),
                "",
                choice.tip or choices.tip,
                choices.enabled(now) and (choices.toggles or not choice.checked),
                choice.run,
            )
            for choice in choices.of(window)
        )
    return sorted(found, key=lambda command: not command.enabled)


def score(query: str, text: str) -> float | None:
    """Return how well letters match a text, or None when they do not occur in order.

    Words' beginnings and runs of letters count most.
    """
    query, text = query.lower().replace(" ", ""), text.lower()
    if not query:
        return 0.0
    if (at := text.replace(" ", "").find(query)) >= 0:
        return 100.0 - at - len(text) / 100
    total, place, before = 0.0, 0, -2
    for letter in query:
        place = text.find(letter, place)
        if place < 0:
            return None
        total += 3.0 if place == before + 1 else 1.0
        total += 2.0 if place == 0 or not text[place - 1].isalnum() else 0.0
        before, place = place, place + 1
    return total - len(text) / 100


class CommandPalette(QDialog):
    """Type to narrow down, Up and Down to choose, Enter to run, Esc to leave."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.setAccessibleName("Command palette")
        self._commands = commands_of(window)
        self.field = QLineEdit(self)
        self.field.setPlaceholderText("Find an action…")
        self.field.setAccessibleName("Find an action")
        self.field.setClearButtonEnabled(False)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Actions")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(_Line(self, window.theme.tokens))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.field)
        column.addWidget(self.list)
        self.field.textChanged.connect(self._narrow)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(self._run)
        width = min(640, max(360, window.width() - 8 * GRID))
        self.resize(width, min(440, window.height() - 12 * GRID))
        corner = QPoint((window.width() - width) // 2, 9 * GRID)
        self.move(window.mapToGlobal(corner))
        self._narrow("")
        self.field.setFocus()

    def _narrow(self, query: str) -> None:
        scored = [
            (rank, command)
            for command in self._commands
            if (rank := score(query, f"{command.text} {command.place}")) is not None
        ]
        if query:
            best = max((rank for rank, _ in scored), default=0.0)
            scored = [pair for pair in scored if pair[0] > 0.5 * best]
            scored.sort(key=lambda pair: (not pair[1].enabled, -pair[0]))
        self.list.clear()
        for _, command in scored[:LONGEST]:
            item = QListWidgetItem(command.text)
            item.setData(ENTRY, command)
            item.setToolTip(command.tip)
            if not command.enabled:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            said = f"{command.text}, {command.place} {command.keys}".strip()
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move through the list while typing."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key, row = event.key(), self.list.currentRow()
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if key == Qt.Key.Key_Down else -1
                self.list.setCurrentRow(min(self.list.count() - 1, max(0, row + step)))
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                item = self.list.currentItem()
                if item is not None:
                    self._run(item)
                return True
        return super().eventFilter(watched, event)

    def _run(self, item: QListWidgetItem) -> None:
        command: Command = item.data(ENTRY)
        if command.enabled:
            self.close()
            command.run()


class _Line(QStyledItemDelegate):
    def __init__(self, palette: CommandPalette, tokens: Tokens) -> None:
        super().__init__(palette)
        self._tokens = tokens

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the height of a line."""
        return QSize(200, option.fontMetrics.height() + GRID + 4)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Paint name, place and keys."""
        tokens, command = self._tokens, index.data(ENTRY)
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.selected))
            painter.drawRoundedRect(area, 4, 4)
        inner = area.adjusted(GRID, 0, -GRID, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QColor(tokens.text if command.enabled else tokens.faint))
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | middle, command.text)
        used = painter.fontMetrics().horizontalAdvance(command.text) + 2 * GRID
        painter.setPen(QColor(tokens.secondary if command.enabled else tokens.faint))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | middle, command.keys)
        keys = painter.fontMetrics().horizontalAdvance(command.keys) + 2 * GRID
        painter.setFont(scaled(option.font, 0.9))
        place = painter.fontMetrics().elidedText(
            command.place, Qt.TextElideMode.ElideRight, int(max(0, inner.width() - used - keys))
        )
        painter.drawText(
            inner.adjusted(used, 0, -keys, 0), Qt.AlignmentFlag.AlignLeft | middle, place
        )
        painter.restore()
