"""The Monitor: runs at the left, curves and pictures in the middle, the film of training below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QScrollArea,
    QSpinBox,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from kpstudio.services.engine import Engine
from kpstudio.services.run_reader import RunState, RunSummary
from kpstudio.services.runs import ProbePictures, RunFollower
from kpstudio.session.session import Session
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.monitor.curves import HELD_OUT_COLOUR, CurveGrid
from kpstudio.ui.monitor.film_strip import FilmStrip
from kpstudio.ui.monitor.live_probe import LiveProbe, Target
from kpstudio.ui.monitor.probe_picture import ProbePicture
from kpstudio.ui.monitor.run_list import RunList, status_line
from kpstudio.ui.monitor.step_bar import StepBar

_EMPTY = (
    "Open a training run, a folder written by 'kp train', to watch it here: also while it runs."
)


class MonitorView(QWidget):
    """Watches one run; everything follows the one step slider.

    `open_run` is the only call from outside. The session and the engine are those of the whole
    window, so that the snapshot at a step can be dragged, recorded, saved and exported like any
    checkpoint.
    """

    def __init__(
        self,
        session: Session,
        engine: Engine,
        runs: RunFollower,
        may_leave: Callable[[], bool] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """Make the view.

        Args:
            session: Of the window.
            engine: Of the window.
            runs: Reads run directories.
            may_leave: Asked before edits that are not saved are left; None asks in a dialog.
            parent: Of the widget.
        """
        super().__init__(parent)
        self.setObjectName("monitor")
        self._session, self._runs = session, runs
        self._may_leave = may_leave or self._ask_to_leave
        self._state: RunState | None = None
        self._pictures: tuple[int, ProbePictures] | None = None
        self.run_list = RunList()
        self.curves = CurveGrid()
        self.step_bar = StepBar()
        self.film = FilmStrip()
        self.live = LiveProbe(session, engine)
        self.original = ProbePicture("Probe")
        self.facts = QLabel(_EMPTY)
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.log_scale = QCheckBox("Log scale")
        self.clip = QCheckBox("Clip outliers")
        self.clip.setChecked(True)
        self.probe = QSpinBox()
        self.probe.setRange(1, 1)
        self.probe.setPrefix("Probe ")
        self.probe.setAccessibleName("Probe picture")
        self._legend = QLabel()
        self._lay_out()
        self._connect(runs)
        self._show_titles()
        self._show_legend()

    def open_run(self, path: str | Path) -> None:
        """Follow the run in a folder."""
        self._runs.open(path)

    def set_colours(self, colours: CanvasColours) -> None:
        """Paint the pictures with the tokens of another theme; the rest follows the palette."""
        self.live.stored.set_colours(colours)
        self.live.canvas.set_colours(colours)
        self.original.set_colours(colours)

    @property
    def state(self) -> RunState | None:
        """What is known of the open run."""
        return self._state

    # -- making ----------------------------------------------------------------------------------
    def _lay_out(self) -> None:
        opener = QToolButton()
        opener.setText("Open…")
        opener.setToolTip("Open a training run (a folder)")
        opener.setProperty("role", "link")
        opener.clicked.connect(self._choose_run)
        left = _column(_head("RUNS", opener), (self.run_list, 1), self.step_bar, self.facts)
        left.setMinimumWidth(220)
        scale = QHBoxLayout()
        scale.addWidget(self.log_scale)
        scale.addWidget(self.clip)
        scale.addSpacing(16)
        scale.addWidget(self._legend)
        scale.addStretch()
        scale.addWidget(self.probe)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(self.curves)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        pictures = QWidget()
        row = QHBoxLayout(pictures)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.live, 1)
        row.addWidget(self.original, 1)
        middle = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        middle.addWidget(scroll)
        middle.addWidget(pictures)
        middle.setSizes([420, 320])
        self._film_title = QLabel()
        self._film_title.setProperty("role", "title")
        self._film_note = QLabel()
        self._film_note.setProperty("role", "secondary")
        film_head = QHBoxLayout()
        film_head.addWidget(self._film_title)
        film_head.addStretch()
        film_head.addWidget(self._film_note)
        centre = _column(scale, (middle, 1), film_head, self.film)
        splitter = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        splitter.addWidget(left)
        splitter.addWidget(centre)
        splitter.setSizes([240, 900])
        splitter.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    def _connect(self, runs: RunFollower) -> None:
        runs.run_changed.connect(self._on_run)
        runs.runs_changed.connect(self._on_runs)
        runs.pictures_read.connect(self._on_pictures)
        runs.failed.connect(self._on_failed)
        self.run_list.run_wanted.connect(self.open_run)
        self.step_bar.step_changed.connect(self._on_step)
        self.curves.step_wanted.connect(self._go_to)
        self.film.step_wanted.connect(self._go_to)
        self.film.pictures_wanted.connect(runs.want_film)
        self.probe.valueChanged.connect(self._on_probe)
        self.log_scale.toggled.connect(self._on_scale)
        self.clip.toggled.connect(self._on_scale)
        self.live.open_wanted.connect(self._open_target)

    # -- what the run says -------------------------------------------------------------------------
    def _on_run(self, state: RunState) -> None:
        is_other = self._state is None or self._state.path != state.path
        self._state = state
        if is_other:
            self._pictures = None
            self.step_bar.follow.setChecked(True)
            self.run_list.mark(state.path)
        self.curves.show_run(state)
        steps = [snapshot.step for snapshot in state.snapshots]
        self.step_bar.set_range(state.summary.step, steps)
        self.film.set_snapshots(steps)
        if is_other:
            self.film.forget_pictures()
        self._show_facts(state)
        self._on_step(self.step_bar.step)

    def _on_runs(self, summaries: tuple[RunSummary, ...]) -> None:
        self.run_list.show_runs(summaries)

    def _on_failed(self, sentence: str) -> None:
        self._session.notify(sentence, "error")

    def _on_pictures(self, step: int, pictures: ProbePictures) -> None:
        self.probe.setMaximum(len(pictures.originals))
        index = self._index(pictures)
        self.film.set_picture(step, pictures.reconstructions[index])
        snapshot = self._state.snapshot_at(self.step_bar.step) if self._state else None
        if snapshot is not None and snapshot.step == step:
            self._pictures = (step, pictures)
            self._show_pictures()

    # -- what the user wants -----------------------------------------------------------------------
    def _on_step(self, step: int) -> None:
        self.curves.set_step(step)
        self.film.set_step(step)
        snapshot = self._state.snapshot_at(step) if self._state else None
        if snapshot is None or self._state is None:
            self.live.set_target(None)
            return
        if self._pictures is None or self._pictures[0] != snapshot.step:
            self._runs.want_pictures(snapshot.step)
        weights = self._state.weights(snapshot)
        index = self.probe.value() - 1
        self.live.set_target(
            Target(self._state.path, weights, self._state.probe, index, snapshot.step)
        )

    def _go_to(self, step: int) -> None:
        self.step_bar.go_to(step)

    def _on_probe(self, _: int) -> None:
        self._show_titles()
        self.film.forget_pictures()
        self._show_pictures()
        self._on_step(self.step_bar.step)

    def _on_scale(self, _: bool) -> None:
        self.curves.set_scale(log=self.log_scale.isChecked(), clip=self.clip.isChecked())

    def _choose_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a training run")
        if folder:
            self.open_run(folder)

    def _open_target(self, target: Target) -> None:
        if self._session.is_saved or self._may_leave():
            self.live.open(target)

    def _ask_to_leave(self) -> bool:
        answer = QMessageBox.question(
            self,
            "Edits are not saved",
            "Opening this step leaves the edits that are open now. Leave them?",
            QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel,
        )
        return answer == QMessageBox.StandardButton.Discard

    # -- showing ---------------------------------------------------------------------------------
    def _index(self, pictures: ProbePictures) -> int:
        return min(self.probe.value(), len(pictures.originals)) - 1

    def _show_pictures(self) -> None:
        if self._pictures is None:
            return
        step, pictures = self._pictures
        index = self._index(pictures)
        positions = pictures.latents.get("position")
        presence = pictures.latents.get("presence")
        here = (
            None if positions is None else positions[index],
            None if presence is None else presence[index],
        )
        self.live.stored.show_picture(
            f"Reconstruction at step {step:,}", pictures.reconstructions[index], *here
        )
        self.original.show_picture(f"Probe {index + 1}", pictures.originals[index], *here)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_legend"):
            self._show_legend()

    def _show_legend(self) -> None:
        accent = self.palette().color(QPalette.ColorRole.Accent).name()
        self._legend.setText(
            f'<span style="color:{accent}">━</span> training &nbsp; '
            f'<span style="color:{HELD_OUT_COLOUR}">━</span> held-out pictures'
        )

    def _show_titles(self) -> None:
        self._film_title.setText(f"Probe {self.probe.value()} through training")

    def _show_facts(self, state: RunState) -> None:
        summary = state.summary
        lines = [
            f"{summary.name}: {status_line(summary)}",
            f"{state.family}, preset {state.preset}, on {state.device or 'cpu'}",
            f"step {summary.step:,} of {state.steps:,}",
        ]
        if state.images_per_s:
            lines.append(f"{state.images_per_s:.0f} images/s")
        if state.seconds_left is not None:
            lines.append(f"left {duration(state.seconds_left)}")
        self.facts.setText("\n".join(lines))
        count = len(state.snapshots)
        kept = sum(1 for snapshot in state.snapshots if snapshot.weights)
        self._film_note.setText(f"{count} snapshots, {kept} with weights")


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    minutes = max(0, round(seconds / 60))
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _head(text: str, button: QToolButton) -> QHBoxLayout:
    label = QLabel(text)
    label.setProperty("role", "head")
    row = QHBoxLayout()
    row.addWidget(label)
    row.addStretch()
    row.addWidget(button)
    return row


def _column(*parts: QWidget | QHBoxLayout | tuple[QWidget, int]) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(8, 8, 8, 8)
    layout.setSpacing(8)
    for part in parts:
        if isinstance(part, tuple):
            layout.addWidget(*part)
        elif isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    return column
