"""A slider whose value is shown while it moves and becomes one step of the history at its end."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QSlider, QWidget

PAUSE_S = 1.0
"""Key presses farther apart are separate steps of the history."""


class LiveSlider(QSlider):
    """Maps its steps to numbers; tells moves by hand apart from values set by the program."""

    previewed = Signal(float)
    """The handle is held and moved."""
    settled = Signal(float, str)
    """The value is to stay; steps with one gesture key are one step of the history."""
    cancelled = Signal()
    """Esc while the handle is held."""

    def __init__(
        self, name: str, low: float, high: float, steps: int = 100, parent: QWidget | None = None
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._low, self._high = low, high
        self._run, self._last = 0, 0.0
        self._by_program = False
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setRange(0, steps)
        self.setPageStep(max(1, steps // 10))
        self.valueChanged.connect(self._on_value)
        self.sliderReleased.connect(self._on_release)

    @property
    def number(self) -> float:
        """The value in its own units."""
        span = self.maximum() - self.minimum()
        share = (self.value() - self.minimum()) / span if span else 0.0
        return self._low + share * (self._high - self._low)

    def set_bounds(self, low: float, high: float, steps: int) -> None:
        """Set other ends, without a signal."""
        self._by_program = True
        self._low, self._high = low, high
        self.setRange(0, steps)
        self._by_program = False

    def show_number(self, number: float) -> None:
        """Put the handle at a number, without a signal; ignored while the hand holds it."""
        if self.isSliderDown() or self._high <= self._low:
            return
        share = (number - self._low) / (self._high - self._low)
        self._by_program = True
        self.setValue(round(min(1.0, max(0.0, share)) * self.maximum()))
        self._by_program = False

    def _on_value(self, value: int) -> None:
        if self._by_program:
            return
        if self.isSliderDown():
            self.previewed.emit(self.number)
        else:
            now = time.monotonic()
            if now - self._last > PAUSE_S:
                self._run += 1
            self._last = now
            self.settled.emit(self.number, f"slider {id(self)} {self._run}")

    def _on_release(self) -> None:
        self._last = 0.0
        self.settled.emit(self.number, "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let Esc give the drag up."""
        if event.key() == Qt.Key.Key_Escape and self.isSliderDown():
            self.blockSignals(True)
            self.setSliderDown(False)
            self.blockSignals(False)
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turn only with the focus, so that scrolling a panel never edits."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
