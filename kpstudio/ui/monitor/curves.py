"""Loss terms as small multiples under one step line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from kpstudio.services.run_reader import Curve, RunState
from kpstudio.ui.canvas.palette import COLOURS

HELD_OUT = "held-out "
HELD_OUT_COLOUR = COLOURS[6]
_WIDE = 360
_HEIGHT = 148
_CLIPPED = (1.0, 99.0)
"""Percentiles that the clipped range shows, with a little room."""


def title_of(name: str) -> str:
    """Return a figure's name as people write it: "chamfer_kl" is "Chamfer KL"."""
    words = name.replace("_db", ", dB").split("_")
    shown = " ".join(word.upper() if word in ("kl", "psnr", "mse") else word for word in words)
    shown = shown.replace("psnr", "PSNR")
    return shown[:1].upper() + shown[1:]


def y_range(values: NDArray[np.float64], *, log: bool, clip: bool) -> tuple[float, float] | None:
    """Return the lowest and highest value to show, in log10 where asked; None when there is none.

    Args:
        values: All figures of a plot.
        log: Values that are not positive cannot be shown.
        clip: Leave out the outermost percent at each end.
    """
    shown = values[np.isfinite(values)]
    if log:
        shown = np.log10(shown[shown > 0])
    if not len(shown):
        return None
    low, high = np.percentile(shown, _CLIPPED) if clip else (shown.min(), shown.max())
    room = 0.06 * (high - low) or max(1e-3, abs(high) * 0.05)
    return float(low - room), float(high + room)


class CurvePlot(QFrame):
    """One figure: in training, and over held-out pictures where that is measured."""

    step_wanted = Signal(int)
    """The user clicked at a step, or dragged the step line."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setMinimumHeight(_HEIGHT)
        self.name = name
        self._curves: dict[str, Curve] = {}
        self._log = False
        self._clip = True
        title = QLabel(title_of(name))
        title.setProperty("role", "title")
        self.value = QLabel()
        self.value.setProperty("role", "secondary")
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight)
        head = QHBoxLayout()
        head.addWidget(title)
        head.addStretch()
        head.addWidget(self.value)
        self.plot: Any = pg.GraphicsView()
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setAccessibleName(f"Curve of {title_of(name)}")
        self._box: Any = pg.ViewBox(enableMenu=False, enableMouse=False)
        self._axes: Any = (pg.AxisItem("left"), pg.AxisItem("bottom"))
        self._axes[0].setWidth(46)
        panes = pg.GraphicsLayout()
        panes.setContentsMargins(0, 0, 0, 0)
        panes.setSpacing(0)
        panes.addItem(self._axes[0], row=0, col=0)
        panes.addItem(self._box, row=0, col=1)
        panes.addItem(self._axes[1], row=1, col=1)
        for axis in self._axes:
            axis.linkToView(self._box)
        self.plot.setCentralItem(panes)
        self._lines: dict[str, Any] = {}
        self._step_line: Any = pg.InfiniteLine(angle=90, movable=True)
        self._step_line.setZValue(10)
        self._step_line.sigDragged.connect(
            lambda line: self.step_wanted.emit(max(0, round(line.value())))
        )
        self._box.addItem(self._step_line, ignoreBounds=True)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 4)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.plot)
        self._recolour()

    def show_curves(self, training: Curve | None, held_out: Curve | None, last: int) -> None:
        """Show what is known now, up to step `last`."""
        self._curves = {
            key: curve
            for key, curve in (("training", training), ("held-out", held_out))
            if curve is not None
        }
        self._box.setXRange(0, max(1, last), padding=0.01)
        self._draw()

    def set_scale(self, *, log: bool, clip: bool) -> None:
        """Show the values on a log scale; leave out outliers."""
        self._log, self._clip = log, clip
        self._draw()

    def set_step(self, step: int) -> None:
        """Put the step line, and the value there beside the title."""
        self._step_line.setValue(step)
        values = [
            f"{value:.4g}"
            for curve in self._curves.values()
            if (value := curve.at(step)) is not None
        ]
        self.value.setText("  ·  ".join(values))
        self.setAccessibleDescription(f"At step {step}: {', '.join(values) or 'nothing yet'}")

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_lines"):
            self._recolour()
        super().changeEvent(event)

    def _draw(self) -> None:
        self._axes[0].setLogMode(y=self._log)
        for key, curve in self._curves.items():
            values = curve.values
            if self._log:
                values = np.log10(np.where(values > 0, values, np.nan))
            if key not in self._lines:
                line = pg.PlotDataItem(connect="finite")
                line.setDownsampling(auto=True, method="peak")
                line.setClipToView(True)
                self._box.addItem(line)
                self._lines[key] = line
                self._recolour()
            self._lines[key].setData(curve.steps.astype(np.float64), values)
        every = [curve.values for curve in self._curves.values()]
        found = y_range(np.concatenate(every), log=self._log, clip=self._clip) if every else None
        if found is not None:
            self._box.setYRange(*found, padding=0)

    def _on_click(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            at = self._box.mapSceneToView(event.scenePos())
            self.step_wanted.emit(max(0, round(at.x())))

    def _recolour(self) -> None:
        palette = self.palette()
        self.plot.setBackground(palette.color(QPalette.ColorRole.Base))
        faint = palette.color(QPalette.ColorRole.PlaceholderText)
        line = palette.color(QPalette.ColorRole.Mid)
        for axis in self._axes:
            axis.setPen(line)
            axis.setTextPen(faint)
        accent = palette.color(QPalette.ColorRole.Accent)
        for key, item in self._lines.items():
            item.setPen(pg.mkPen(accent if key == "training" else HELD_OUT_COLOUR, width=1.6))
        dash = pg.mkPen(palette.color(QPalette.ColorRole.Text), style=Qt.PenStyle.DashLine)
        self._step_line.setPen(dash)
        self._step_line.setHoverPen(pg.mkPen(accent, width=2))


class CurveGrid(QWidget):
    """Every figure of a run, two beside each other where there is room."""

    step_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plots: dict[str, CurvePlot] = {}
        self._log = False
        self._clip = True
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self._columns = 0

    @property
    def plots(self) -> tuple[CurvePlot, ...]:
        """The plots, in the order in which they are shown."""
        return tuple(self._plots.values())

    def show_run(self, state: RunState) -> None:
        """Show the figures of a run; plots that it has already are kept."""
        names = list(dict.fromkeys(name.removeprefix(HELD_OUT) for name in state.curves))
        if names != list(self._plots):
            self._keep_only(names)
        for name, plot in self._plots.items():
            held_out = state.curves.get(HELD_OUT + name)
            plot.show_curves(state.curves.get(name), held_out, state.summary.step)

    def set_step(self, step: int) -> None:
        """Put the step line in every plot."""
        for plot in self._plots.values():
            plot.set_step(step)

    def set_scale(self, *, log: bool, clip: bool) -> None:
        """Change the value axis of every plot."""
        self._log, self._clip = log, clip
        for plot in self._plots.values():
            plot.set_scale(log=log, clip=clip)

    def resizeEvent(self, event: Any) -> None:
        """Use as many columns as fit."""
        super().resizeEvent(event)
        self._arrange()

    def _keep_only(self, names: list[str]) -> None:
        old, self._plots = self._plots, {}
        for name in names:
            plot = old.pop(name, None)
            if plot is None:
                plot = CurvePlot(name, self)
                plot.set_scale(log=self._log, clip=self._clip)
                plot.step_wanted.connect(self.step_wanted)
            self._plots[name] = plot
        for plot in old.values():
            self._grid.removeWidget(plot)
            plot.deleteLater()
        self._columns = 0
        self._arrange()

    def _arrange(self) -> None:
        columns = max(1, min(3, self.width() // _WIDE))
        if columns == self._columns:
            return
        self._columns = columns
        for index, plot in enumerate(self._plots.values()):
            self._grid.addWidget(plot, index // columns, index % columns)
            plot.show()
