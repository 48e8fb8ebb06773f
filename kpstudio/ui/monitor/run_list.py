"""The runs beside the open one, with how each of them stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from kpstudio.services.run_reader import RunSummary, Status
from kpstudio.ui.canvas.palette import COLOURS

_WORDS: dict[Status, str] = {
    "empty": "nothing written yet",
    "running": "running",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "stale": "silent, perhaps killed",
}


def status_line(summary: RunSummary) -> str:
    """Return how a run stands, in a few words."""
    parts = [_WORDS[summary.status]]
    if summary.status == "running" and summary.images_per_s:
        parts.append(f"{summary.images_per_s:.0f} images/s")
    elif summary.message:
        parts.append(summary.message)
    else:
        parts.append(f"{summary.step:,} steps")
    return " · ".join(parts)


class RunList(QListWidget):
    """Click or Enter opens a run."""

    run_wanted = Signal(object)
    """Path of the run to open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Training runs")
        self.setIconSize(QSize(10, 10))
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSpacing(2)
        self._summaries: tuple[RunSummary, ...] = ()
        self._open: Path | None = None
        self.itemActivated.connect(self._on_chosen)
        self.itemClicked.connect(self._on_chosen)

    def show_runs(self, summaries: Sequence[RunSummary]) -> None:
        """Show the runs, the last written first."""
        self._summaries = tuple(summaries)
        self._fill()

    def mark(self, path: Path) -> None:
        """Mark the open run."""
        self._open = path
        self._fill()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_summaries"):
            self._fill()

    def _fill(self) -> None:
        self.blockSignals(True)
        self.clear()
        for summary in self._summaries:
            line = status_line(summary)
            item = QListWidgetItem(f"{summary.name}\n{line}")
            item.setIcon(_dot(self._colour(summary.status)))
            item.setToolTip(f"{summary.path}\n{line}")
            item.setData(Qt.ItemDataRole.UserRole, summary.path)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{summary.name}, {line}")
            self.addItem(item)
            if self._open is not None and summary.path == self._open:
                self.setCurrentItem(item)
        self.blockSignals(False)

    def _colour(self, status: Status) -> QColor:
        if status == "running":
            return QColor("#5cc48d")
        if status == "failed":
            return QColor("#ef6f6c")
        if status in ("stale", "stopped"):
            return QColor(COLOURS[3])
        return self.palette().color(QPalette.ColorRole.PlaceholderText)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.run_wanted.emit(item.data(Qt.ItemDataRole.UserRole))


def _dot(colour: QColor) -> QIcon:
    pixmap = QPixmap(20, 20)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(2, 2, 16, 16)
    painter.end()
    return QIcon(pixmap)
