"""What every panel is: a widget over the session, with a title and what it needs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from kpstudio.session.session import Session
from kpstudio.ui.theme import GRID, Tokens, icon, scaled

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities


class Panel(QWidget):
    """Base of the panels.

    Attributes:
        key: Stable name, also of its dock.
        title: Shown as its head.
        scrolls: Whether it scrolls where it is given less height than it needs.
        least_px: Height that one that scrolls is given at least, if it needs as much.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    scrolls: ClassVar[bool] = True
    least_px: ClassVar[int] = 7 * GRID
    title_changed = Signal(str)

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.tokens = tokens
        self.setObjectName(f"panel-{self.key}")
        self.setAccessibleName(self.title)
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def is_needed(self, can: Capabilities | None) -> bool:
        """Return whether it has anything to show for a model (None: no model is open)."""
        return True

    def corner(self) -> list[QWidget]:
        """Return what stands at the right end of its head."""
        return []

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self.tokens = tokens
        self.update()


class _Scroll(QScrollArea):
    """Holds a panel, so that what the panel shows never makes the window grow."""

    def __init__(self, panel: Panel, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel = panel
        self.setProperty("role", "panel")
        self.setAccessibleName(panel.title)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setWidget(panel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def sizeHint(self) -> QSize:
        """Return what the panel would like."""
        return self._panel.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return the panel's least width, and a height that is always to be had."""
        width = self._panel.minimumSizeHint().width()
        return QSize(width, min(self._panel.least_px, self._panel.sizeHint().height()))


class DockTitle(QWidget):
    """The head of a dock: small, grey, upper case; drag it to move the dock."""

    def __init__(self, panel: Panel, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self.setProperty("role", "dock-title")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._label = QLabel(self)
        self._label.setProperty("role", "head")
        self._label.setFont(head_font(self._label.font()))
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._float = self._button(f"Float the panel {panel.title}", "Float or dock this panel")
        self._float.clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        self._close = self._button(f"Close the panel {panel.title}", "Close this panel")
        self._close.clicked.connect(dock.toggleViewAction().trigger)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 4)
        row.setSpacing(2)
        row.addWidget(self._label, 1)
        for widget in (*panel.corner(), self._float, self._close):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        self.set_text(panel.title)
        panel.title_changed.connect(self.set_text)
        self.set_tokens(panel.tokens)

    def _button(self, name: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("role", "link")
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAutoRaise(True)
        return button

    def set_text(self, text: str) -> None:
        """Set the head."""
        self._label.setText(text.upper())
        self._label.setAccessibleName(text)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw the buttons in the colours of a theme."""
        for button, name in ((self._float, "move"), (self._close, "close")):
            button.setIcon(icon(name, tokens, tokens.faint))
            button.setIconSize(button.iconSize().scaled(12, 12, Qt.AspectRatioMode.KeepAspectRatio))


def head_font(font: QFont) -> QFont:
    """Return the font of section heads."""
    head = scaled(font, 0.85)
    head.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 0.8)
    return head


def link_button(text: str, name: str, parent: QWidget) -> QToolButton:
    """Return a small grey button for the head of a panel."""
    button = QToolButton(parent)
    button.setText(text)
    button.setProperty("role", "link")
    button.setAccessibleName(name)
    button.setToolTip(name)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setFont(scaled(button.font(), 0.9))
    return button


def make_dock(panel: Panel, parent: QWidget) -> QDockWidget:
    """Return a dock around a panel."""
    dock = QDockWidget(panel.title, parent)
    dock.setObjectName(f"dock-{panel.key}")
    dock.setAccessibleName(f"{panel.title} panel")
    dock.setWidget(_Scroll(panel, dock) if panel.scrolls else panel)
    dock.setTitleBarWidget(DockTitle(panel, dock))
    return dock
