"""The futures that were asked for: kept, named, coloured, and chosen to be compared."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QSpinBox,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from kpstudio.session.branches import MOST_STEPS, TRUTH, Branch, why_not
from kpstudio.session.session import Session
from kpstudio.ui.panels.panel import Panel
from kpstudio.ui.prediction.futures import colour_of_branch, said
from kpstudio.ui.theme import GRID, Tokens, scaled, tabular

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities
    from kpstudio.services.prediction import Predictions

MENU = (
    "branch-start", "", "rename-branch", "duplicate-branch", "follow-edits", "", "predict-more",
    "stop-prediction", "", "export-branch", "export-branch-csv", "export-branch-npz", "",
    "delete-branch",
)  # fmt: skip
"""Actions of a branch's own menu; "" for a line."""


class Actions(Protocol):
    """QActions by the keys of the action table."""

    def __getitem__(self, key: str) -> QAction:
        """Return one."""
        ...


class BranchesPanel(Panel):
    """Every branch as a row; the row that is chosen is shown at the right of the comparison."""

    key = "futures"
    title = "Futures"

    choose_wanted = Signal(str, str)
    """Keys of what to show at the left ("" for no change) and at the right."""
    rename_wanted = Signal(str, str)
    """Key and the new name."""

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._predictions: Predictions | None = None
        self._actions: Actions | None = None
        self._rows: dict[str, BranchRow] = {}
        self._by_program = False
        self.steps = QSpinBox(self)
        self.steps.setRange(1, MOST_STEPS)
        self.steps.setValue(30)
        self.steps.setSuffix(" frames")
        self.steps.setAccessibleName("Frames to predict")
        self.steps.setToolTip("How many frames the next prediction has")
        self.steps.setKeyboardTracking(False)
        self.steps.setFont(tabular(self.steps.font()))
        self.steps.setFont(scaled(self.steps.font(), 0.9))
        self.steps.setMaximumWidth(96)
        self.list = QListWidget(self)
        self.list.setObjectName("branches")
        self.list.setAccessibleName("Futures")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._on_menu)
        self.list.currentItemChanged.connect(self._on_current)
        self.list.itemDoubleClicked.connect(self._on_double_click)
        self.empty = QLabel(self)
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "secondary")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.empty.setAccessibleName("What to do")
        holder = QWidget(self)
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.list)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(GRID // 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, GRID)
        column.setSpacing(GRID // 2)
        column.addLayout(self._buttons)
        column.addWidget(holder, 1)
        session.document_changed.connect(self._on_change)
        session.view_changed.connect(self._on_change)

    def bind(self, predictions: Predictions, actions: Actions) -> None:
        """Show how far roll-outs are, and put the buttons in."""
        self._predictions, self._actions = predictions, actions
        for key, text in (("predict", "Predict"), ("what-if", "What-if")):
            button = QToolButton(self)
            button.setDefaultAction(actions[key])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setText(text)
            actions[key].changed.connect(partial(button.setText, text))
            button.setProperty("role", "framed")
            button.setAccessibleName(actions[key].text().replace("&", ""))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)
        for key in ("rename-branch", "delete-branch", "duplicate-branch"):
            self.list.addAction(actions[key])
        predictions.changed.connect(self._on_progress)
        self._on_change()

    def is_needed(self, can: Capabilities | None) -> bool:
        """Only for models that predict."""
        return can is not None and can.video_history > 0

    def corner(self) -> list[QWidget]:
        """Return how many frames the next prediction has."""
        return [self.steps]

    def sizeHint(self) -> QSize:
        """Return room for a few branches."""
        return QSize(232, 200)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        for row in self._rows.values():
            row.update()

    def rename(self, key: str) -> None:
        """Let the user type another name in its row."""
        row = self._rows.get(key)
        if row is not None:
            row.edit()

    # -- what is shown ---------------------------------------------------------------------------
    def _on_change(self, *_: object) -> None:
        branches = self.session.document.branches
        if not branches:
            why = why_not(self.session.document, self.session.view.frame)
            self.empty.setText(
                f"{why}." if why else "Press P to roll the particles of this frame out into the "
                "future. Or drag some, and press W to watch both futures: as encoded, and as you "
                "made it."
            )  # fmt: skip
        self._stack.setCurrentIndex(1 if branches else 0)
        if [branch.key for branch in branches] != list(self._rows):
            self._fill(branches)
        shown = self.session.view.comparison
        self._by_program = True
        for place, branch in enumerate(branches):
            row = self._rows[branch.key]
            sides = (shown.first == branch.key, shown.second == branch.key)
            row.show_branch(branch, sides if shown.mode != "off" else (False, False))
            if shown.second == branch.key and self.list.currentRow() != place:
                self.list.setCurrentRow(place)
        self._by_program = False
        self._on_progress()

    def _fill(self, branches: tuple[Branch, ...]) -> None:
        self._by_program = True
        self.list.clear()
        self._rows.clear()
        for branch in branches:
            row = BranchRow(self)
            row.named.connect(partial(self.rename_wanted.emit, branch.key))
            row.left.clicked.connect(partial(self._compare_with, branch.key))
            row.right.clicked.connect(partial(self._show, branch.key))
            item = QListWidgetItem(self.list)
            item.setSizeHint(QSize(0, row.minimumSizeHint().height()))
            item.setData(Qt.ItemDataRole.UserRole, branch.key)
            self.list.setItemWidget(item, row)
            self._rows[branch.key] = row
        self._by_program = False

    def _on_progress(self, *_: object) -> None:
        if self._predictions is None:
            return
        for branch in self.session.document.branches:
            row = self._rows.get(branch.key)
            if row is not None:
                roll = self._predictions.roll(branch.key)
                share = 0.0 if roll is None else len(roll.painted) / max(1, branch.steps)
                going = roll is not None and roll.state in ("waiting", "rolling")
                words = said(self._predictions, branch)
                if branch.futures > 1:
                    words += f" · ×{branch.futures}"  # noqa: RUF001 (times)
                row.show_progress(words, min(1.0, share) if going and share else 0.0)
                item = self.list.item(list(self._rows).index(branch.key))
                follows = ", follows edits" if branch.follows else ""
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{branch.name}, {words}{follows}")
                item.setToolTip(row.tip)

    # -- what is chosen --------------------------------------------------------------------------
    def _compare_with(self, key: str) -> None:
        first = self.session.view.comparison.first
        self.choose_wanted.emit(TRUTH if first == key else key, "")
        self._on_change()

    def _show(self, key: str) -> None:
        self.choose_wanted.emit("", key)
        self._on_change()

    def _on_current(self, item: QListWidgetItem | None, *_: object) -> None:
        if item is not None and not self._by_program:
            self.choose_wanted.emit("", str(item.data(Qt.ItemDataRole.UserRole)))

    def _on_double_click(self, item: QListWidgetItem) -> None:
        self.rename(str(item.data(Qt.ItemDataRole.UserRole)))

    def _on_menu(self, at: QPoint) -> None:
        item = self.list.itemAt(at)
        if item is None or self._actions is None:
            return
        self.choose_wanted.emit("", str(item.data(Qt.ItemDataRole.UserRole)))
        menu = QMenu(self)
        for key in MENU:
            if key:
                menu.addAction(self._actions[key])
            else:
                menu.addSeparator()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.list.viewport().mapToGlobal(at))


class BranchRow(QWidget):
    """Colour, name, how far it is, and where it is shown."""

    named = Signal(str)

    def __init__(self, panel: BranchesPanel) -> None:
        super().__init__(panel.list)
        self._panel = panel
        self._branch: Branch | None = None
        self._share = 0.0
        self.name = QLabel(self)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.field = _NameField(self)
        self.field.setAccessibleName("Name of the branch")
        self.field.hide()
        self.field.editingFinished.connect(self._on_edited)
        self.words = QLabel(self)
        self.words.setProperty("role", "secondary")
        self.words.setFont(tabular(scaled(self.words.font(), 0.9)))
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.left = self._side("L", "Show at the left, in place of the video")
        self.right = self._side("R", "Show at the right")
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addWidget(self.name)
        text.addWidget(self.field)
        text.addWidget(self.words)
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 5, 4, 7)
        row.setSpacing(2)
        row.addLayout(text, 1)
        row.addWidget(self.left)
        row.addWidget(self.right)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    @property
    def tip(self) -> str:
        """Its name and state in one line."""
        return f"{self.name.text()}: {self.words.text()}"

    def _side(self, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setProperty("role", "framed")
        button.setFont(scaled(button.font(), 0.85))
        button.setFixedSize(QSize(24, 22))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_branch(self, branch: Branch, sides: tuple[bool, bool]) -> None:
        """Show a branch, and at which sides of the comparison it stands."""
        self._branch = branch
        self.name.setText(f"{branch.name}  ·  live" if branch.follows else branch.name)
        self.name.setToolTip("Follows edits of its start frames" if branch.follows else "")
        for button, on, side in (
            (self.left, sides[0], "left"), (self.right, sides[1], "right"),
        ):  # fmt: skip
            button.setChecked(on)
            button.setAccessibleName(f"Show {branch.name} at the {side}")
        self.update()

    def show_progress(self, words: str, share: float) -> None:
        """Say how far it is; `share` 0 hides the line."""
        if words != self.words.text() or share != self._share:
            self.words.setText(words)
            self._share = share
            self.update()

    def edit(self) -> None:
        """Let the user type another name."""
        if self._branch is not None:
            self.field.setText(self._branch.name)
            self.name.hide()
            self.field.show()
            self.field.setFocus(Qt.FocusReason.OtherFocusReason)
            self.field.selectAll()

    def _on_edited(self) -> None:
        if self.field.isHidden():
            return
        text = self.field.text().strip()
        self.field.hide()
        self.name.show()
        if self._branch is not None and text and text != self._branch.name and not self.field.left:
            self.named.emit(text)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Rename."""
        self.edit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the colour and the progress."""
        if self._branch is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        colour = QColor(colour_of_branch(self._branch))
        painter.setBrush(colour)
        painter.drawRoundedRect(4, 9, 8, 8, 2, 2)
        if self._share:
            painter.setBrush(QColor(self._panel.tokens.line))
            painter.drawRect(0, self.height() - 2, self.width(), 2)
            painter.setBrush(colour)
            painter.drawRect(0, self.height() - 2, round(self.width() * self._share), 2)
        painter.end()


class _NameField(QLineEdit):
    """A field that Esc leaves without a change."""

    left = False

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Begin anew."""
        self.left = False
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave by Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.left = True
            self.clearFocus()
        else:
            super().keyPressEvent(event)
