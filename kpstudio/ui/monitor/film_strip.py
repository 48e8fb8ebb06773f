"""One probe picture through the whole training, as a film strip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.ui.monitor.probe_picture import image_of

_SIDE = 64
_GAP = 8
_LABEL = 20


class FilmStrip(QWidget):
    """Pictures of as many snapshots as fit, evenly spread; the last is always there."""

    step_wanted = Signal(int)
    pictures_wanted = Signal(tuple)
    """Steps whose pictures are shown now."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._all: Sequence[int] = ()
        self.steps: tuple[int, ...] = ()
        self._images: dict[int, QImage] = {}
        self._step = 0
        self.setFixedHeight(_SIDE + _LABEL + 6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Probe picture through training")

    @property
    def images(self) -> dict[int, QImage]:
        """The pictures that have come, by step."""
        return self._images

    def set_snapshots(self, steps: Sequence[int]) -> None:
        """Take the steps of all snapshots, in order."""
        self._all = tuple(steps)
        self._choose()

    def forget_pictures(self) -> None:
        """Ask for all pictures anew: another probe or run is shown."""
        self._images.clear()
        self.pictures_wanted.emit(self.steps)
        self.update()

    def set_picture(self, step: int, pixels: NDArray[np.uint8]) -> None:
        """Take the picture of a snapshot."""
        if step in self.steps:
            self._images[step] = image_of(pixels).scaled(
                2 * _SIDE, 2 * _SIDE, Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )  # fmt: skip
            self.update()

    def set_step(self, step: int) -> None:
        """Mark the picture in force at a step."""
        self._step = step
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(12 * (_SIDE + _GAP), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many as fit."""
        super().resizeEvent(event)
        self._choose()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the step of a picture."""
        index = int(event.position().x()) // (_SIDE + _GAP)
        if 0 <= index < len(self.steps):
            self.step_wanted.emit(self.steps[index])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the picture beside."""
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if by is None or not self.steps:
            super().keyPressEvent(event)
            return
        index = min(len(self.steps) - 1, max(0, self._marked() + by))
        self.step_wanted.emit(self.steps[index])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint pictures and their steps."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            palette = self.palette()
            marked = self._marked()
            for index, step in enumerate(self.steps):
                box = QRect(index * (_SIDE + _GAP) + 2, 2, _SIDE, _SIDE)
                painter.fillRect(box, palette.color(QPalette.ColorRole.Base))
                image = self._images.get(step)
                if image is not None:
                    painter.drawImage(box, image)
                if index == marked:
                    ring = QPen(palette.color(QPalette.ColorRole.Accent), 2)
                    painter.setPen(ring)
                    painter.drawRect(box)
                role = (
                    QPalette.ColorRole.Text
                    if index == marked
                    else QPalette.ColorRole.PlaceholderText
                )
                painter.setPen(palette.color(role))
                label = QRect(box.left() - _GAP // 2, box.bottom() + 2, _SIDE + _GAP, _LABEL)
                painter.drawText(label, Qt.AlignmentFlag.AlignCenter, f"{step:,}")

    def _marked(self) -> int:
        """Place of the last shown snapshot not after the step."""
        places = [index for index, step in enumerate(self.steps) if step <= self._step]
        return places[-1] if places else 0

    def _choose(self) -> None:
        room = max(1, (self.width() + _GAP) // (_SIDE + _GAP))
        chosen = spread(self._all, room)
        if chosen != self.steps:
            self.steps = chosen
            self._images = {step: self._images[step] for step in chosen if step in self._images}
            missing = tuple(step for step in chosen if step not in self._images)
            if missing:
                self.pictures_wanted.emit(missing)
            self.update()


def spread(steps: Sequence[int], count: int) -> tuple[int, ...]:
    """Return up to `count` of the steps, evenly spread, with the first and the last."""
    if len(steps) <= count:
        return tuple(steps)
    if count == 1:
        return (steps[-1],)
    last = len(steps) - 1
    return tuple(steps[round(index * last / (count - 1))] for index in range(count))
