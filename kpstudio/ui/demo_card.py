"""A demo on the welcome page: its picture, what it is called and what to do with it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from kpstudio.services.library import Demo
from kpstudio.services.thumbnails import Pixels
from kpstudio.ui.panels.pictures import covered, pixmap_of, placeholder
from kpstudio.ui.theme import GRID, Tokens, scaled

SIZE = QSize(218, 184)
WORDS_PX = 64
"""Height of the title and the sentence."""


class DemoCard(QPushButton):
    """A click opens the demo."""

    def __init__(self, demo: Demo, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._demo, self._tokens = demo, tokens
        self._picture: QPixmap | None = None
        self.setProperty("role", "card")
        self.setAccessibleName(f"Demo: {demo.title}")
        self.setAccessibleDescription(demo.text)
        self.setToolTip(demo.text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Return its size, whatever the style asks of buttons."""
        return SIZE

    def minimumSizeHint(self) -> QSize:
        """Return its size."""
        return SIZE

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self._tokens = tokens
        self.update()

    def show_picture(self, path: str, frame: int, pixels: Pixels) -> None:
        """Take the sample's picture once it is read."""
        self._picture = pixmap_of(pixels)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the card, its picture, title and sentence."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        inner = self.rect().adjusted(GRID, GRID, -GRID, -GRID)
        size = QSize(inner.width(), inner.height() - WORDS_PX)
        ratio = self.devicePixelRatioF()
        drawn = (
            covered(self._picture, size, ratio)
            if self._picture is not None
            else placeholder(size, ratio, self._tokens.line)
        )
        painter.drawPixmap(inner.topLeft(), drawn)
        title = self.font()
        title.setBold(True)
        painter.setFont(title)
        painter.setPen(QColor(self._tokens.text))
        below = inner.adjusted(2, size.height() + 6, -2, 0)
        painter.drawText(below, Qt.AlignmentFlag.AlignTop, self._demo.title)
        painter.setFont(scaled(self.font(), 0.9))
        painter.setPen(QColor(self._tokens.secondary))
        words = below.adjusted(0, QFontMetrics(title).height() + 1, 0, 0)
        flags = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(words, flags, self._demo.text)
        painter.end()
