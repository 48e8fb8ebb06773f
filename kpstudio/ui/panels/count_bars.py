"""How many objects there are, and how probable each number is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from kpstudio.ui.theme import GRID, Tokens, scaled, tabular

HEIGHT_PX = 7 * GRID
_FOOT_PX = 14
_HEAD_PX = 16


class CountBars(QWidget):
    """A bar for each number of objects, p(n | x); the number that is on now is in the accent."""

    def __init__(self, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tokens = tokens
        self._chances: tuple[float, ...] = ()
        self._now = 0
        self.setAccessibleName("Number of objects")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """What is said in words: the number now, and what the encoder makes of it."""
        if not self._chances:
            return ""
        best = max(range(len(self._chances)), key=self._chances.__getitem__)
        now = "1 object" if self._now == 1 else f"{self._now} objects"
        share = f"p({best} | x) = {self._chances[best]:.3f}"
        return f"{now} · {share}"

    def show_count(self, now: int, chances: tuple[float, ...]) -> None:
        """Show the number of objects that are on, and the probability of 0, 1, 2, ... of them."""
        if (now, chances) != (self._now, self._chances):
            self._now, self._chances = now, chances
            self.setAccessibleDescription(self.text)
            self.update()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self._tokens = tokens
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for the bars and their numbers."""
        return QSize(200, HEIGHT_PX)

    def _bar(self, number: int) -> QRectF:
        width = (self.width() - 2 * GRID) / max(1, len(self._chances))
        full = self.height() - _FOOT_PX - _HEAD_PX
        high = max(1.0, full * self._chances[number])
        top = _HEAD_PX + full - high
        return QRectF(GRID + number * width + 1.5, top, max(1.0, width - 3.0), high)

    def event(self, event: QHelpEvent) -> bool:  # type: ignore[override]
        """Tell the probability under the mouse."""
        if event.type() == QHelpEvent.Type.ToolTip and self._chances:
            share = (event.pos().x() - GRID) / max(1, self.width() - 2 * GRID)
            number = min(len(self._chances) - 1, max(0, int(share * len(self._chances))))
            text = f"{number} objects: probability {self._chances[number]:.4f}"
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint words, bars and numbers."""
        tokens, painter = self._tokens, QPainter(self)
        painter.setFont(tabular(scaled(self.font(), 0.9)))
        painter.setPen(QColor(tokens.text))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        painter.drawText(QRectF(GRID, 0, self.width() - 2 * GRID, _HEAD_PX), left, self.text)
        middle = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
        for number in range(len(self._chances)):
            bar = self._bar(number)
            is_now = number == self._now
            painter.fillRect(bar, QColor(tokens.accent if is_now else tokens.faint))
            painter.setPen(QColor(tokens.text if is_now else tokens.secondary))
            foot = QRectF(bar.left() - 6, self.height() - _FOOT_PX, bar.width() + 12, _FOOT_PX)
            painter.drawText(foot, middle, str(number))
        painter.end()
