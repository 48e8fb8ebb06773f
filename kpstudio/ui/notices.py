"""The bar under the tool bar: one sentence at a time, never in the way, never taking the focus."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from kpstudio.session.document import Document
from kpstudio.session.notice import Notice
from kpstudio.session.session import Session
from kpstudio.ui.theme import Tokens, icon

INFO_MS = 12_000
_GLYPHS = {"info": "question", "warning": "warning", "error": "warning"}


class NoticeBar(QFrame):
    """Shows the session's notices; errors stay until dismissed, hints go by themselves.

    A notice that comes while the hand drags is held back until the drag ends, so that the canvas
    does not move under the hand.
    """

    details_wanted = Signal(object)
    """A `Notice` whose details are asked for."""

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setAccessibleName("Notice")
        self._session = session
        self._tokens = tokens
        self._queue: deque[Notice] = deque(maxlen=20)
        self._notice: Notice | None = None
        self._opened: tuple[object, object] = (None, None)
        self._glyph = QLabel(self)
        self._text = QLabel(self)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._details = self._button("Details", "Show what lies behind this notice")
        self._details.clicked.connect(self._show_details)
        self._dismiss = self._button("Dismiss", "Put this notice away (Esc)")
        self._dismiss.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(8)
        for widget in (self._glyph, self._text, self._details, self._dismiss):
            row.addWidget(widget)
        self._timer = QTimer(self, singleShot=True, interval=INFO_MS)
        self._timer.timeout.connect(self.dismiss)
        self.hide()
        session.noticed.connect(self.put)
        session.document_changed.connect(self._on_document)

    def _button(self, text: str, name: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setProperty("role", "framed")
        button.setAccessibleName(f"{text} of the notice" if text == "Details" else name)
        button.setToolTip(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    @property
    def notice(self) -> Notice | None:
        """What is shown."""
        return self._notice

    def put(self, notice: Notice) -> None:
        """Show a notice, now or after the drag under way."""
        self._queue.append(notice)
        if not self._session.in_gesture:
            self._show_next()

    def dismiss(self) -> None:
        """Put the notice away."""
        self._notice = None
        self._timer.stop()
        self.hide()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self._tokens = tokens
        if self._notice is not None:
            self._draw_glyph(self._notice)

    def _on_document(self, document: Document) -> None:
        opened = (document.model, document.media)
        if opened[0] is not self._opened[0] or opened[1] is not self._opened[1]:
            self._opened = opened
            if self._notice is not None and self._notice.level == "info":
                self.dismiss()
        if self._queue and not self._session.in_gesture:
            self._show_next()

    def _show_next(self) -> None:
        notice = self._queue.pop()
        self._queue.clear()
        self._notice = notice
        self._text.setText(notice.text)
        self._details.setVisible(bool(notice.details))
        self.setProperty("level", notice.level)
        self.setAccessibleDescription(notice.text)
        self.style().unpolish(self)
        self.style().polish(self)
        self._draw_glyph(notice)
        self.show()
        if notice.level == "info":
            self._timer.start()
        else:
            self._timer.stop()

    def _draw_glyph(self, notice: Notice) -> None:
        tokens = self._tokens
        colour = tokens.accent if notice.level == "info" else getattr(tokens, notice.level)
        pixmap = icon(_GLYPHS[notice.level], tokens, colour).pixmap(18, 18)
        self._glyph.setPixmap(pixmap)

    def _show_details(self) -> None:
        if self._notice is not None:
            self.details_wanted.emit(self._notice)
