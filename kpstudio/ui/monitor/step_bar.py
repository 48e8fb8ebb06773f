"""The one step slider of the Monitor: curves, pictures and weights follow it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

_PAGE = 10


class StepSlider(QSlider):
    """Steps of a run; the arrow keys go from snapshot to snapshot."""

    end_wanted = Signal()
    """The End key: go to the last step and stay there while the run goes on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setAccessibleName("Training step")
        self.setToolTip(
            "Training step (arrow keys: snapshot by snapshot, Page keys: ten, Home: first, "
            "End: follow the run)"
        )
        self.stops: Sequence[int] = ()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to another snapshot."""
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_PageDown: -_PAGE,
            Qt.Key.Key_PageUp: _PAGE,
        }
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_End:
            self.end_wanted.emit()
        elif key == Qt.Key.Key_Home:
            self.setValue(self.minimum())
        elif key in moves:
            self.setValue(self.stop_beside(moves[key]))
        else:
            super().keyPressEvent(event)

    def stop_beside(self, by: int) -> int:
        """Return the step of the snapshot so many places away."""
        if not self.stops:
            return self.value() + by
        here = self.value()
        place = bisect_right(self.stops, here) - 1 if by > 0 else bisect_left(self.stops, here)
        return self.stops[min(len(self.stops) - 1, max(0, place + by))]


class StepBar(QWidget):
    """The slider with its number and the switch that follows a running run."""

    step_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = StepSlider(self)
        self.slider.valueChanged.connect(self._on_value)
        self.slider.end_wanted.connect(lambda: self.follow.setChecked(True))
        self.follow = QToolButton(self)
        self.follow.setText("Follow live")
        self.follow.setCheckable(True)
        self.follow.setChecked(True)
        self.follow.setToolTip("Stay at the newest step while the run goes on (End)")
        self.follow.toggled.connect(self._on_follow)
        head = QLabel("STEP")
        head.setProperty("role", "head")
        self.number = QLabel("0")
        top = QHBoxLayout()
        top.addWidget(head)
        top.addStretch()
        top.addWidget(self.follow)
        bottom = QHBoxLayout()
        bottom.addWidget(self.slider, 1)
        bottom.addWidget(self.number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(bottom)
        self._is_growing = False

    @property
    def step(self) -> int:
        """The chosen step."""
        return self.slider.value()

    def set_range(self, last: int, stops: Sequence[int]) -> None:
        """Take a run's length so far; the chosen step stays unless the run is followed."""
        self.slider.stops = stops
        self._is_growing = True
        self.slider.setRange(0, last)
        if self.follow.isChecked():
            self.slider.setValue(last)
        self._is_growing = False

    def go_to(self, step: int) -> None:
        """Choose a step, as by hand."""
        self.slider.setValue(step)

    def _on_value(self, step: int) -> None:
        if not self._is_growing:
            self.follow.setChecked(step == self.slider.maximum() and self.follow.isChecked())
        self.number.setText(f"{step:,}")
        self.step_changed.emit(step)

    def _on_follow(self, follow: bool) -> None:
        if follow:
            self.slider.setValue(self.slider.maximum())
