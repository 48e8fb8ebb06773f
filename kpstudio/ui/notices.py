"""The bar over the foot of the centre: one sentence at a time, never taking the focus."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from kpstudio.session.document import Document
from kpstudio.session.notice import Notice
from kpstudio.session.session import Session
from kpstudio.ui.theme import GRID, Tokens, icon

WIDEST_PX = 720
STAYS_MS = {"info": 12_000, "warning": 30_000}
"""How long a notice lies over the canvas; an error stays until it is dismissed."""
_GLYPHS = {"info": "question", "warning": "warning", "error": "warning"}


class NoticeBar(QFrame):
    """Shows the session's notices; errors stay until dismissed, others go by themselves.

    It lies over the foot of its parent, so that nothing moves when it comes or goes. A notice that
    comes while the hand drags is held back until the drag ends.
    """

    details_wanted = Signal(object)
    """A `Notice` whose details are asked for."""

    def __init__(self, session: Session, tokens: Tokens, over: QWidget) -> None:
        super().__init__(over)
        self.setObjectName("notice")
        self.setAccessibleName("Notice")
        self._session, self._over = session, over
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
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.dismiss)
        self.hide()
        over.installEventFilter(self)
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
        self._place()
        self.show()
        self.raise_()
        self._timer.stop()
        if notice.level in STAYS_MS:
            self._timer.start(STAYS_MS[notice.level])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay at the foot of what it lies over."""
        if event.type() == QEvent.Type.Resize and self._notice is not None:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        """Lie in the middle of the foot, as wide as the sentence needs and as there is room for."""
        over = self._over.rect().adjusted(2 * GRID, 0, -2 * GRID, -2 * GRID)
        words = self._text.fontMetrics().horizontalAdvance(self._text.text())
        beside = self.sizeHint().width() - self._text.sizeHint().width()
        width = min(over.width(), WIDEST_PX, beside + words + GRID)
        height = max(self.heightForWidth(width), self.minimumSizeHint().height())
        left = over.center().x() - width // 2
        self.setGeometry(QRect(left, over.bottom() + 1 - height, width, height))

    def _draw_glyph(self, notice: Notice) -> None:
        tokens = self._tokens
        colour = tokens.accent if notice.level == "info" else getattr(tokens, notice.level)
        pixmap = icon(_GLYPHS[notice.level], tokens, colour).pixmap(18, 18)
        self._glyph.setPixmap(pixmap)

    def _show_details(self) -> None:
        if self._notice is not None:
            self.details_wanted.emit(self._notice)
