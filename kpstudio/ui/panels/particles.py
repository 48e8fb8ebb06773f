"""The particle table: the canvas's twin in numbers, for keyboard and screen reader too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QRectF,
    QSize,
    Qt,
    QTimer,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from kpstudio.session.document import is_ranked
from kpstudio.session.duplicate_edits import may_drop
from kpstudio.session.edits import KeepTop
from kpstudio.session.session import Session
from kpstudio.session.view import ViewState
from kpstudio.ui.canvas.palette import colour_of
from kpstudio.ui.panels.count_bars import CountBars
from kpstudio.ui.panels.live_slider import LiveSlider
from kpstudio.ui.panels.panel import Panel, link_button
from kpstudio.ui.panels.particle_table import (
    NUMBER,
    PRESENCE,
    SIGMA,
    Line,
    ParticleTable,
    X,
    Y,
)
from kpstudio.ui.prediction.way_back import WayBack
from kpstudio.ui.theme import GRID, Tokens, tabular

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities

REFRESH_MS = 50
PLAYING_MS = 200
ROW_PX = 3 * GRID


class ParticlesPanel(Panel):
    """Table of particles, and the slider that keeps only the surest."""

    key = "particles"
    title = "Particles"

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._syncing = False
        self._order_button = link_button("by confidence", "Sort by confidence or by number", self)
        self._order_button.clicked.connect(self._switch_order)
        self.table = QTableView(self)
        self.model = ParticleTable(session)
        self._set_up_table()
        self.way_back = WayBack(self.table.viewport())
        over = QVBoxLayout(self.table.viewport())
        over.setContentsMargins(0, 0, 0, 0)
        over.addWidget(self.way_back)
        self.keep = LiveSlider("Keep the surest particles", 1, 2, 1, self)
        self._keep_value = QLabel(self)
        self._keep_value.setAccessibleName("Number of particles that are kept")
        self._keep_value.setFont(tabular(self.font()))
        self._keep_value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._keep_value.setMinimumWidth(self.fontMetrics().horizontalAdvance("88 "))
        self.level = QComboBox(self)
        self.level.setAccessibleName("Level of the pyramid")
        self.level.setToolTip(
            "Draws and picks one level; the picture stays that of all (0, 1, 2, …)"
        )
        self.level.activated.connect(lambda index: session.show_level(index - 1 if index else None))
        label = QLabel("Keep &top", self)
        label.setBuddy(self.keep)
        row = QHBoxLayout()
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(GRID)
        for widget, stretch in ((label, 0), (self.keep, 1), (self._keep_value, 0)):
            row.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 0, 4, GRID)
        column.setSpacing(GRID // 2)
        column.addWidget(self.table, 1)
        self.count = CountBars(tokens, self)
        column.addWidget(self.count)
        levels = QHBoxLayout()
        levels.setContentsMargins(8, 0, 8, 0)
        levels.addWidget(self.level)
        column.addLayout(levels)
        column.addLayout(row)
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.keep.previewed.connect(self._preview_keep)
        self.keep.settled.connect(self._settle_keep)
        self.keep.cancelled.connect(session.cancel)
        session.document_changed.connect(self._soon)
        session.view_changed.connect(self._on_view)
        session.evidence_changed.connect(self._soon)
        self.refresh()

    def _set_up_table(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Particles")
        table.setItemDelegate(_Cells(self))
        table.setFont(tabular(table.font()))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_PX)
        table.verticalHeader().setMinimumSectionSize(ROW_PX)
        head = table.horizontalHeader()
        head.setAccessibleName("Columns of the particle table")
        head.setSectionsClickable(True)
        head.setHighlightSections(False)
        head.setMinimumSectionSize(24)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(NUMBER, QHeaderView.ResizeMode.Fixed)
        head.resizeSection(NUMBER, 48)
        head.sectionClicked.connect(self._on_head)
        table.selectionModel().selectionChanged.connect(self._on_selection)
        table.setMinimumHeight(3 * ROW_PX)

    def is_needed(self, can: Capabilities | None) -> bool:
        """Every model has particles."""
        return can is not None

    def corner(self) -> list[QWidget]:
        """Return the button that sorts."""
        return [self._order_button]

    def focus_keep(self) -> None:
        """Put the keyboard on the slider."""
        self.refresh()
        self.keep.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def sizeHint(self) -> QSize:
        """Return room for eight particles."""
        return QSize(296, 10 * ROW_PX + 48)

    # -- from the session ------------------------------------------------------------------------
    def _soon(self, *_: object) -> None:
        if not self._timer.isActive():
            self._timer.start(PLAYING_MS if self.session.view.playing else REFRESH_MS)

    def _on_view(self, view: ViewState) -> None:
        if not self._syncing:
            self._soon()

    def refresh(self) -> None:
        """Show the session as it is now; cells that did not change are left alone."""
        self._timer.stop()
        session = self.session
        self._syncing = True
        reset = self.model.follow()
        if reset:
            self._fit_columns()
        self._show_selection()
        self._syncing = False
        latents = session.latents
        total = latents.count if latents is not None else 0
        keep, model = session.document.keep, session.document.model
        shown = session.document.usual(total) if keep is None else min(keep, total)
        can = model.capabilities if model else None
        self.keep.setEnabled(total > 1 and can is not None and may_drop(can))
        self.keep.setToolTip(_tip_of(can))
        if self.keep.maximum() != max(1, total - 1):
            self.keep.set_bounds(1, max(2, total), max(1, total - 1))
        self.keep.show_number(shown)
        self._keep_value.setText(str(shown) if total else "")
        self.way_back.follow(session.scene)
        self._show_order()
        self._show_level()
        self._show_count()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self.count.set_tokens(tokens)

    def _show_count(self) -> None:
        model, evidence = self.session.document.model, self.session.evidence
        counts = model is not None and model.capabilities.presence == "count"
        self.count.setVisible(counts and evidence is not None and bool(evidence.count))
        if counts and evidence is not None:
            self.count.show_count(self.session.scene.present(), evidence.count)

    def _show_level(self) -> None:
        model = self.session.document.model
        levels = model.capabilities.levels if model else 1
        self.level.setVisible(levels > 1)
        if levels > 1 and self.level.count() != levels + 1:
            self.level.clear()
            self.level.addItem("All levels")
            self.level.addItems([f"Level {level + 1} only" for level in range(levels)])
        shown = self.session.view.level
        self.level.setCurrentIndex(0 if shown is None else shown + 1)

    def _fit_columns(self) -> None:
        model = self.session.document.model
        can = model.capabilities if model else None
        self.table.setColumnHidden(SIGMA, can is None or not can.uncertainty)
        self.table.setColumnHidden(PRESENCE, can is None or can.presence == "none")

    def _show_selection(self) -> None:
        wanted = QItemSelection()
        for row in self.session.view.selection:
            place = self.model.place_of(row)
            if place is not None:
                last = self.model.index(place, PRESENCE)
                wanted.select(self.model.index(place, 0), last)
        chosen = self.table.selectionModel()
        rows = {index.row() for index in chosen.selectedRows()}
        if rows == {index.row() for index in wanted.indexes()}:
            return
        flag = QItemSelectionModel.SelectionFlag
        chosen.select(wanted, flag.ClearAndSelect | flag.Rows)
        if len(self.session.view.selection) == 1 and wanted.indexes():
            index = wanted.indexes()[0]
            if not self.table.hasFocus():
                chosen.setCurrentIndex(index, flag.NoUpdate)
            self.table.scrollTo(index)

    # -- from the user ---------------------------------------------------------------------------
    def _on_selection(self, *_: object) -> None:
        if self._syncing:
            return
        lines = self.model.lines
        rows = (lines[index.row()].row for index in self.table.selectionModel().selectedRows())
        self._syncing = True
        self.session.update_view(selection=frozenset(rows))
        self._syncing = False

    def _on_head(self, column: int) -> None:
        if column in (NUMBER, SIGMA, PRESENCE):
            self._set_order(by_number=column == NUMBER)

    def _switch_order(self) -> None:
        self._set_order(by_number=self.model.order == "confidence")

    def _set_order(self, *, by_number: bool) -> None:
        self._syncing = True
        self.model.set_order("number" if by_number else "confidence")
        self._show_selection()
        self._syncing = False
        self._show_order()

    def _show_order(self) -> None:
        total = len(self.model.lines)
        shown = sum(line.kept for line in self.model.lines)
        count = f"{shown} of {total} · " if total else ""
        self._order_button.setText(f"{count}by {self.model.order}")
        model = self.session.document.model
        ranked = model is None or is_ranked(model.capabilities)
        self._order_button.setEnabled(ranked)
        tip = "Sort by confidence or by number"
        why = "" if ranked else "\nThis model does not say which particles are surer than others"
        self._order_button.setToolTip(f"{tip}{why}")

    def _keep_edit(self, number: float) -> KeepTop:
        latents, count = self.session.latents, round(number)
        if latents is None or count == self.session.document.usual(latents.count):
            return KeepTop(None)
        return KeepTop(min(count, latents.count))

    def _preview_keep(self, number: float) -> None:
        edit = self._keep_edit(number)
        self._keep_value.setText(str(round(number)))
        self.session.preview(edit)

    def _settle_keep(self, number: float, gesture: str) -> None:
        edit = self._keep_edit(number)
        if edit.count != self.session.history.document.keep:
            self.session.commit(edit, gesture)
        else:
            self.session.cancel()


def _tip_of(can: Capabilities | None) -> str:
    if can is None or may_drop(can):
        tip = "Decode only the surest particles"
        if can is not None and can.most_particles > can.particles:
            tip += f", or more than the {can.particles} that the model was trained with"
        return tip
    return "This model decodes all of its particles together"


class _Cells(QStyledItemDelegate):
    """Paints the swatch and the presence bar; edits numbers in a spin box."""

    def __init__(self, panel: ParticlesPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Paint a cell."""
        tokens, line = self._panel.tokens, self._panel.model.lines[index.row()]
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(tokens.selected))
        painter.setPen(QColor(tokens.line))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.setOpacity(1.0 if line.kept else 0.45)
        if index.column() == NUMBER:
            self._paint_number(painter, area, line)
        elif index.column() == PRESENCE:
            self._paint_presence(painter, area, line)
        else:
            moved = line.moved and index.column() in (X, Y)
            painter.setPen(QColor(tokens.ink("accent") if moved else tokens.text))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.setFont(option.font)
            painter.drawText(area.adjusted(0, 0, -6, 0), right, index.data())
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(tokens.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -1.5))
        painter.restore()

    def _paint_number(self, painter: QPainter, area: QRectF, line: Line) -> None:
        swatch = QRectF(area.left() + 4, area.center().y() - 4, 9, 9)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour_of(line.hue)))
        painter.drawRoundedRect(swatch, 2, 2)
        painter.setPen(QColor(self._panel.tokens.text))
        painter.setFont(self._panel.table.font())
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area.adjusted(19, 0, 0, 0), left, str(line.identity + 1))

    def _paint_presence(self, painter: QPainter, area: QRectF, line: Line) -> None:
        if line.presence is None:
            return
        tokens = self._panel.tokens
        groove = QRectF(area.left() + 8, area.center().y() - 2, max(0.0, area.width() - 14), 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.line))
        painter.drawRoundedRect(groove, 2, 2)
        groove.setWidth(groove.width() * min(1.0, max(0.0, line.presence)))
        painter.setBrush(QColor(tokens.good if line.presence > 0.5 else tokens.warning))
        painter.drawRoundedRect(groove, 2, 2)

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Any
    ) -> QDoubleSpinBox:
        """Return a spin box for a number."""
        editor = QDoubleSpinBox(parent)
        editor.setDecimals(3)
        editor.setSingleStep(0.01)
        low = 0.0 if index.column() == PRESENCE else -1.0
        editor.setRange(low, 1.0)
        editor.setFrame(False)
        editor.setAccessibleName(str(index.data(Qt.ItemDataRole.AccessibleTextRole)))
        return editor

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:  # type: ignore[override]
        """Begin with the present number."""
        if isinstance(editor, QDoubleSpinBox):
            editor.setValue(float(index.data(Qt.ItemDataRole.EditRole)))

    def setModelData(self, editor: QWidget, model: Any, index: QModelIndex) -> None:  # type: ignore[override]
        """Make the typed number an edit."""
        if isinstance(editor, QDoubleSpinBox):
            editor.interpretText()
            model.setData(index, editor.value(), Qt.ItemDataRole.EditRole)
