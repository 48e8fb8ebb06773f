"""The prototypes: kinds of particles with their colours, to be named and given to particles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from kpcore.errors import KpError
from kpstudio.session.edits import Edit
from kpstudio.session.prototype_edits import RenamePrototype, SetPrototype
from kpstudio.session.session import Session
from kpstudio.ui.canvas.particle_items import dot_picture
from kpstudio.ui.panels.panel import Panel, link_button
from kpstudio.ui.theme import GRID, Tokens, tabular

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities

REFRESH_MS = 50
ROW_PX = 26
PROTOTYPE = Qt.ItemDataRole.UserRole + 1
COUNT = Qt.ItemDataRole.UserRole + 2


class PrototypesPanel(Panel):
    """One row per prototype, the legend of the colours; those in the picture come first."""

    key = "prototypes"
    title = "Prototypes"

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._by_program = False
        self._select = link_button("Select", "Select the particles of this prototype", self)
        self._select.clicked.connect(self.select_members)
        self._assign = link_button("Assign", "Make the selected particles of this prototype", self)
        self._assign.clicked.connect(self.assign)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Prototypes")
        self.list.setAccessibleDescription(
            "F2 or a double click renames, Return makes the selected particles of this prototype"
        )
        self.list.setToolTip(
            "Double click or F2: rename · Return or Assign: make the selected particles of this "
            "prototype"
        )
        self.list.setItemDelegate(_Row(self))
        self.list.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemChanged.connect(self._on_renamed)
        self.list.currentRowChanged.connect(self._offer)
        self.list.installEventFilter(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 0, 4, 4)
        column.addWidget(self.list)
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        session.document_changed.connect(self._soon)
        session.view_changed.connect(self._soon)
        self.refresh()

    def is_needed(self, can: Capabilities | None) -> bool:
        """Only particles that belong to kinds have prototypes."""
        return can is not None and can.prototypes > 0

    def corner(self) -> list[QWidget]:
        """Return the buttons that select and assign."""
        return [self._select, self._assign]

    def sizeHint(self) -> QSize:
        """Return room for eight prototypes."""
        return QSize(296, 8 * ROW_PX + GRID)

    @property
    def current(self) -> int | None:
        """The prototype of the current row."""
        item = self.list.currentItem()
        return None if item is None else item.data(PROTOTYPE)

    # -- from the session ------------------------------------------------------------------------
    def _soon(self, *_: object) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _kinds(self) -> list[int]:
        latents = self.session.latents
        kinds = latents.rows("prototype") if latents is not None else None
        return kinds[: self.session.document.found(len(kinds))] if kinds else []

    def refresh(self) -> None:
        """Show names and numbers as they are now."""
        self._timer.stop()
        document = self.session.document
        total = document.model.capabilities.prototypes if document.model else 0
        if self.list.state() == QAbstractItemView.State.EditingState:
            return
        members = Counter(self._kinds())
        order = sorted(range(total), key=lambda row: (row not in members, row))
        current = self.current
        self._by_program = True
        if [self._item(at).data(PROTOTYPE) for at in range(self.list.count())] != order:
            self.list.clear()
            for prototype in order:
                item = QListWidgetItem()
                item.setData(PROTOTYPE, prototype)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                self.list.addItem(item)
                if prototype == current:
                    self.list.setCurrentItem(item)
        for at, prototype in enumerate(order):
            item, name = self._item(at), document.prototype_name(prototype)
            if item.text() != name:
                item.setText(name)
            item.setData(COUNT, members[prototype])
            said = f"{name}, {members[prototype]} particles"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
        self._by_program = False
        self._offer()
        self.list.viewport().update()

    def _item(self, at: int) -> QListWidgetItem:
        return self.list.item(at)

    def _offer(self, *_: object) -> None:
        chosen, here = self.current is not None, bool(self.session.view.selection)
        self._assign.setEnabled(chosen and here)
        self._select.setEnabled(chosen and self.current in self._kinds())

    # -- from the user ---------------------------------------------------------------------------
    def begin_rename(self, prototype: int | None = None) -> None:
        """Let a prototype be renamed; None takes the current one, or the first."""
        self.refresh()
        wanted = self.current if prototype is None else prototype
        for at in range(self.list.count()):
            if self._item(at).data(PROTOTYPE) == wanted or wanted is None:
                self.list.setCurrentRow(at)
                self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
                self.list.editItem(self._item(at))
                return

    def assign(self) -> None:
        """Make the selected particles of the current prototype."""
        prototype, rows = self.current, tuple(sorted(self.session.view.selection))
        if prototype is not None and rows:
            self._commit(SetPrototype(self.session.view.frame, rows, prototype))

    def select_members(self) -> None:
        """Select the particles of the current prototype."""
        kinds, prototype = self._kinds(), self.current
        rows = frozenset(row for row, kind in enumerate(kinds) if kind == prototype)
        offered = self.session.scene.offered(self.session.view.frame)
        self.session.update_view(selection=rows & offered)

    def _on_renamed(self, item: QListWidgetItem) -> None:
        prototype = item.data(PROTOTYPE)
        name = item.text().strip()
        document = self.session.document
        if self._by_program or name == document.prototype_name(prototype):
            return
        own = "" if name == f"Prototype {prototype + 1}" else name
        if own == document.prototype_names.get(prototype, ""):
            self._soon()
            return
        self._commit(RenamePrototype(prototype, own))
        self._soon()

    def _commit(self, edit: Edit) -> None:
        try:
            self.session.commit(edit)
        except KpError as error:
            self.session.notify(str(error), "error")

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Assign by Return."""
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        editing = self.list.state() == QAbstractItemView.State.EditingState
        if event.type() == event.Type.KeyPress and event.key() in enter and not editing:
            self.assign()
            return True
        return super().eventFilter(watched, event)


class _Row(QStyledItemDelegate):
    """Paints marker, name and how many particles there are."""

    def __init__(self, panel: PrototypesPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def sizeHint(self, option: QStyleOptionViewItem, index: Any | QPersistentModelIndex) -> QSize:
        """Return the height of a row."""
        return QSize(160, ROW_PX)

    def updateEditorGeometry(
        self,
        editor: QWidget,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Put the field where the name is."""
        editor.setGeometry(option.rect.adjusted(30, 1, -44, -1))
        if isinstance(editor, QLineEdit):
            editor.setAccessibleName("Name of the prototype")
            editor.setMaxLength(40)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Paint a row."""
        tokens, area = self._panel.tokens, QRectF(option.rect)
        count = index.data(COUNT) or 0
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(tokens.selected))
        painter.setPen(QColor(tokens.line))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        dot = dot_picture(
            index.data(PROTOTYPE), True, False, False, painter.device().devicePixelRatio()
        )
        half = dot.deviceIndependentSize().width() / 2
        painter.setOpacity(1.0 if count else 0.5)
        painter.drawPixmap(round(area.left() + 16 - half), round(area.center().y() - half), dot)
        painter.setOpacity(1.0)
        painter.setPen(QColor(tokens.text if count else tokens.secondary))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        name = painter.fontMetrics().elidedText(
            index.data(), Qt.TextElideMode.ElideRight, int(area.width()) - 76
        )
        painter.drawText(area.adjusted(30, 0, -44, 0), left, name)
        if count:
            painter.setFont(tabular(painter.font()))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.setPen(QColor(tokens.secondary))
            painter.drawText(area.adjusted(0, 0, -GRID, 0), right, f"{count}")
        painter.restore()
