"""The one style sheet, built from the tokens of a theme."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpstudio.ui.theme import Tokens

_SHEET = Template("""
QMainWindow, QDialog { background: $window; }
QMainWindow::separator { background: $window; width: 6px; height: 6px; }
QMainWindow::separator:hover { background: $accent; }
QWidget#centre, QWidget#welcome, QScrollArea#welcome-scroll { background: $window; }
QToolTip {
  background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px;
}

QMenuBar { background: $panel; color: $text; padding: 2px 4px; border: none; }
QMenuBar::item { background: transparent; padding: 4px 8px; border-radius: 6px; }
QMenuBar::item:selected, QMenuBar::item:pressed { background: $selected; color: $text; }
QMenu { background: $raised; color: $text; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 4px; }
QMenu::item:selected { background: $selected; color: $text; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }

QToolBar {
  background: $panel; border: none; border-bottom: 1px solid $line; padding: 4px 8px; spacing: 4px;
}
QToolBar::separator { background: $line; width: 1px; margin: 6px 4px; }
QToolButton {
  background: transparent; color: $text; border: 1px solid transparent; border-radius: 6px;
  padding: 4px 8px;
}
QToolButton:hover { background: $raised; border-color: $line; }
QToolButton:pressed, QToolButton:checked { background: $selected; }
QToolButton:focus { border-color: $accent; }
QToolButton:disabled { color: $faint; }
QToolButton[role="preset"]:checked { background: $accent; color: $on_accent; font-weight: 600; }
QToolButton[role="framed"] { background: $raised; border-color: $line; }
QToolButton[role="framed"]:hover { border-color: $secondary; }
QToolButton[role="framed"]:focus { border-color: $accent; }
QToolButton[role="framed"]:checked { background: $selected; border-color: $accent; }
QToolButton[role="recording"] { background: $raised; border-color: $line; color: $error_ink; }
QToolButton[role="recording"]:checked { background: $error; color: $on_error; }
QToolButton[role="recording"]:disabled { color: $faint; }
QToolButton[role="chip"] {
  background: $raised; border-color: $line; border-radius: 12px; padding: 3px 10px;
}
QToolButton[role="chip"]:focus { border-color: $accent; }
QToolButton[role="chip"]:checked { background: $selected; border-color: $accent; }
QToolButton[role="link"] { color: $secondary; padding: 1px 4px; border-radius: 4px; }
QToolButton[role="link"]:hover { color: $text; background: $raised; border-color: transparent; }
QToolButton::menu-indicator { image: none; }

QPushButton {
  background: $raised; color: $text; border: 1px solid $line; border-radius: 6px;
  padding: 5px 14px; min-height: 18px;
}
QPushButton:hover { border-color: $secondary; }
QPushButton:pressed { background: $selected; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $faint; }
QPushButton:default, QPushButton[role="primary"] {
  background: $accent; color: $on_accent; border-color: $accent; font-weight: 600;
}
QPushButton[role="primary"]:hover, QPushButton:default:hover { border-color: $text; }
QPushButton[role="primary"]:focus, QPushButton:default:focus { border-color: $text; }

QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QDialog#palette { background: $raised; border: 1px solid $line; }
QDialog#palette QListWidget { background: $raised; }
QTreeView::item { padding: 2px 0; }

QLineEdit, QAbstractSpinBox, QPlainTextEdit, QTextBrowser {
  background: $raised; color: $text; border: 1px solid $line; border-radius: 6px; padding: 3px 6px;
  selection-background-color: $accent; selection-color: $on_accent;
}
QTableView QLineEdit, QTableView QAbstractSpinBox { border-radius: 0; padding: 0 2px; }
QLineEdit:focus, QAbstractSpinBox:focus, QPlainTextEdit:focus, QTextBrowser:focus {
  border-color: $accent;
}
QLineEdit:disabled, QAbstractSpinBox:disabled { color: $faint; }
QAbstractSpinBox QLineEdit { border: none; background: transparent; padding: 0 4px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; }

QDockWidget { color: $secondary; }
QDockWidget > QWidget { background: $panel; }
QWidget[role="panel"], QScrollArea[role="panel"] { background: $panel; }
QWidget[role="dock-title"] { background: $panel; border-top: 1px solid $line; }
QLabel[role="head"] { color: $secondary; font-weight: 600; }
QLabel[role="secondary"] { color: $secondary; }
QLabel[role="title"] { color: $text; font-weight: 600; }
QTabBar::tab { background: $panel; color: $secondary; padding: 5px 10px; border: none; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar::tab:hover { color: $text; }

QAbstractItemView {
  background: $panel; color: $text; border: none; outline: none;
  selection-background-color: $selected; selection-color: $text;
}
QTableView { gridline-color: $line; alternate-background-color: $panel; }
QHeaderView { background: $panel; border: none; }
QHeaderView::section {
  background: $panel; color: $secondary; border: none; border-bottom: 1px solid $line;
  padding: 3px 6px;
}
QHeaderView::section:hover { color: $text; }
QAbstractItemView::item:selected { background: $selected; color: $text; }
QListWidget#steps::item { padding: 3px 8px; border-radius: 4px; }

QSlider { background: transparent; min-height: 18px; }
QSlider::groove:horizontal { height: 3px; border-radius: 1px; background: $line; }
QSlider::sub-page:horizontal { height: 3px; border-radius: 1px; background: $accent; }
QSlider::sub-page:horizontal:disabled { background: $line; }
QSlider::handle:horizontal {
  width: 8px; height: 8px; margin: -5px 0; border-radius: 6px; background: $panel;
  border: 2px solid $accent;
}
QSlider::handle:horizontal:hover { background: $accent; }
QSlider::handle:horizontal:focus { background: $accent; border-color: $text; }
QSlider::handle:horizontal:disabled { border-color: $faint; }

QScrollBar { background: transparent; border: none; }
QScrollBar:vertical { width: 10px; }
QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: $line; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 24px; }
QScrollBar::handle:horizontal { min-width: 24px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QScrollArea { border: none; background: transparent; }

QStatusBar { background: $panel; color: $secondary; border-top: 1px solid $line; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $secondary; padding: 0 6px; }
QStatusBar QLabel[state="good"] { color: $good_ink; }
QStatusBar QLabel[state="preview"] { color: $accent_ink; }
QStatusBar QLabel[state="recording"] { color: $error_ink; font-weight: 600; }
QStatusBar QLabel[state="dirty"] { color: $warning_ink; }

QFrame#notice { background: $raised; border: 1px solid $line; border-radius: 6px; }
QFrame#notice[level="info"] { border-left: 3px solid $accent; }
QFrame#notice[level="warning"] { border-left: 3px solid $warning; }
QFrame#notice[level="error"] { border-left: 3px solid $error; }
QFrame[role="card"] { background: $raised; border: 1px solid $line; border-radius: 8px; }
QPushButton[role="card"] { border-radius: 8px; padding: 8px; text-align: left; }
QFrame[role="line"] { background: $line; max-height: 1px; min-height: 1px; border: none; }
QFrame#drop-hint { border: 2px dashed $accent; border-radius: 8px; background: transparent; }
""")


def style_sheet(tokens: Tokens) -> str:
    """Return the style sheet of a theme."""
    return _SHEET.substitute(
        window=tokens.window,
        panel=tokens.panel,
        raised=tokens.raised,
        line=tokens.line,
        text=tokens.text,
        secondary=tokens.secondary,
        faint=tokens.faint,
        accent=tokens.accent,
        on_accent=tokens.on_accent,
        selected=tokens.selected,
        warning=tokens.warning,
        error=tokens.error,
        on_error=tokens.on_error,
        accent_ink=tokens.ink("accent"),
        warning_ink=tokens.ink("warning"),
        error_ink=tokens.ink("error"),
        good_ink=tokens.ink("good"),
    )
