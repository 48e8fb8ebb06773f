"""The open checkpoint and those that were open lately, as cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from kpstudio.resource_files import is_shipped
from kpstudio.session.document import Document, ModelInfo
from kpstudio.session.session import Session
from kpstudio.ui.panels.panel import Panel, link_button
from kpstudio.ui.theme import GRID, Tokens, scaled

CARD = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says.

    Attributes:
        path: Of the checkpoint.
        title: First line.
        kind: Beside the title.
        facts: Second line.
        is_open: Whether it is the open one.
    """

    path: str
    title: str
    kind: str
    facts: str
    is_open: bool


class ModelsPanel(Panel):
    """Click a card to open its checkpoint."""

    key = "models"
    title = "Models"
    open_wanted = Signal(str)
    choose_wanted = Signal()

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._recent: tuple[str, ...] = ()
        self._known: dict[str, ModelInfo] = {}
        self._cards: list[Card] = []
        self._open = link_button("+ Open…", "Open a checkpoint", self)
        self._open.clicked.connect(self.choose_wanted)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Checkpoints")
        self.list.setItemDelegate(_CardDelegate(self))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setSpacing(0)
        self.list.itemActivated.connect(self._on_activated)
        self.list.itemClicked.connect(self._on_activated)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, 0, GRID, 4)
        column.addWidget(self.list)
        session.document_changed.connect(self._on_document)
        self.refresh()

    def corner(self) -> list[QWidget]:
        """Return the button that opens another."""
        return [self._open]

    def sizeHint(self) -> QSize:
        """Return room for two cards."""
        return QSize(232, 136)

    def set_paths(self, paths: tuple[str, ...]) -> None:
        """Tell which checkpoints were open lately, newest first."""
        self._recent = paths
        self.refresh()

    def _on_document(self, document: Document) -> None:
        model = document.model
        if model is not None and self._known.get(model.path) is not model:
            self._known[model.path] = model
            self.refresh()
        elif model is None and any(card.is_open for card in self._cards):
            self.refresh()

    def refresh(self) -> None:
        """Show the cards."""
        model = self.session.document.model
        cards: list[Card] = []
        if model is not None:
            cards.append(Card(model.path, model.title, model.family, facts_of(model), True))
        for path in self._recent:
            if any(Path(card.path) == Path(path) for card in cards):
                continue
            known = self._known.get(path)
            folder = "shipped" if is_shipped(path) else str(Path(path).parent)
            where = facts_of(known) if known else folder
            cards.append(Card(path, Path(path).stem, known.family if known else "", where, False))
        if cards == self._cards:
            return
        self._cards = cards
        self.list.clear()
        for card in cards:
            item = QListWidgetItem(card.title)
            item.setData(CARD, card)
            item.setToolTip(card.path)
            state = "open" if card.is_open else "not open"
            said = f"{card.title} {card.kind}, {card.facts}, {state}"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
            self.list.addItem(item)

    def _on_activated(self, item: QListWidgetItem) -> None:
        card: Card = item.data(CARD)
        if not card.is_open:
            self.open_wanted.emit(card.path)


class _CardDelegate(QStyledItemDelegate):
    def __init__(self, panel: ModelsPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def sizeHint(self, option: QStyleOptionViewItem, index: Any | QPersistentModelIndex) -> QSize:
        """Return room for two lines."""
        return QSize(120, 2 * option.fontMetrics.height() + 3 * GRID)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Paint a card."""
        tokens, card = self._panel.tokens, index.data(CARD)
        area = QRectF(option.rect).adjusted(1, 3, -1, -3)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = option.state & QStyle.StateFlag.State_HasFocus
        hovered = option.state & QStyle.StateFlag.State_MouseOver
        edge = tokens.accent if card.is_open or focused else tokens.line
        painter.setPen(QColor(tokens.secondary if hovered and edge == tokens.line else edge))
        painter.setBrush(QColor(tokens.raised))
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), GRID, GRID)
        text = area.adjusted(10, 6, -10, -6)
        bold = scaled(option.font, 1.0)
        bold.setBold(True)
        painter.setFont(bold)
        painter.setPen(QColor(tokens.text))
        title = painter.fontMetrics().elidedText(
            card.title, Qt.TextElideMode.ElideRight, int(text.width())
        )
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, title)
        used = painter.fontMetrics().horizontalAdvance(title) + 6
        small = scaled(option.font, 0.9)
        painter.setFont(small)
        painter.setPen(QColor(tokens.secondary))
        beside = painter.fontMetrics().elidedText(
            card.kind, Qt.TextElideMode.ElideRight, int(max(0.0, text.width() - used))
        )
        top = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        painter.drawText(text.adjusted(used, 1, 0, 0), top, beside)
        below = painter.fontMetrics().elidedText(
            card.facts, Qt.TextElideMode.ElideMiddle, int(text.width())
        )
        bottom = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        painter.drawText(text, bottom, below)
        painter.restore()


def facts_of(model: ModelInfo) -> str:
    """Return a model's size in one short line."""
    can = model.capabilities
    height, width = can.image_size
    size = f"{width}²" if width == height else f"{width} × {height}"  # noqa: RUF001
    step = f" · step {short_count(model.step)}" if model.step else ""
    return f"{can.particles} particles · {size}{step}"


def short_count(number: int) -> str:
    """Return a count in at most four signs: 950, 12k, 1.2M."""
    if number < 1000:
        return str(number)
    if number < 1_000_000:
        return f"{number / 1000:.0f}k"
    return f"{number / 1_000_000:.1f}M"
