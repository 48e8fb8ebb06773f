"""The probe picture at a step: as the run stored it, or live in the user's hand.

The weights of a snapshot open like any checkpoint, in the same session and engine as elsewhere.
While that cannot cost the user anything (nothing is open, or an unedited snapshot of this run) it
happens by itself a moment after the slider rests; otherwise a button offers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from kpstudio.services.engine import Engine
from kpstudio.session.session import Session
from kpstudio.ui.canvas.image_view import Canvas
from kpstudio.ui.monitor.probe_picture import ProbePicture

_REST_MS = 250


@dataclass(frozen=True, slots=True)
class Target:
    """What would be opened: the weights of a snapshot on a picture of the probe.

    Attributes:
        folder: Of the run.
        weights: None when they were thinned out.
        probe: File of the probe's pictures.
        index: Which of them.
        step: Of the snapshot.
    """

    folder: Path
    weights: Path | None
    probe: Path
    index: int
    step: int


class LiveProbe(QWidget):
    """Stored picture and live canvas in one place."""

    open_wanted = Signal(object)
    """The user pressed the button: the `Target` to open, which may cost what is open now."""

    def __init__(self, session: Session, engine: Engine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._engine = session, engine
        self._target: Target | None = None
        self._asked: Target | None = None
        self.stored = ProbePicture("Reconstruction", self)
        self.canvas = Canvas(session, "edited", parent=self)
        self.button = QPushButton("Open this step to drag", self)
        self.button.setToolTip("Open the weights of this step, so that particles can be dragged")
        self.button.clicked.connect(lambda: self.open_wanted.emit(self._target))
        holder = QWidget(self)
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.stored)
        self._stack.addWidget(self.canvas)
        below = QHBoxLayout()
        below.addWidget(self.button)
        below.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(holder, 1)
        layout.addLayout(below)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._open_quietly)
        session.document_changed.connect(self._show_state)
        session.view_changed.connect(self._show_state)
        session.picture_changed.connect(self._show_state)
        self._show_state()

    @property
    def is_live(self) -> bool:
        """Whether the open document is the wanted step on the wanted probe picture."""
        target, document = self._target, self._session.document
        shown = self._session.picture("edited")
        return (
            target is not None
            and shown is not None
            and shown.frame == target.index
            and document.model is not None
            and document.media is not None
            and Path(document.model.path) == target.weights
            and Path(document.media.path) == target.probe
            and self._session.view.frame == target.index
        )

    @property
    def costs_nothing(self) -> bool:
        """Whether opening the target loses nothing of the user's."""
        document = self._session.history.document
        if self._target is None or self._session.history.entries:
            return False
        if document.model is None or document.media is None:
            return document.model is None and document.media is None
        return Path(document.model.path).is_relative_to(self._target.folder)

    def set_target(self, target: Target | None) -> None:
        """Want another step, picture or run."""
        if target != self._target:
            self._target = target
            self._rest.start()
            self._show_state()

    def open(self, target: Target) -> None:
        """Open weights and probe; what is open now is left."""
        if target.weights is None:
            return
        self._asked = target
        document = self._session.document
        if (
            document.model is not None
            and document.media is not None
            and Path(document.model.path) == target.weights
            and Path(document.media.path) == target.probe
        ):
            self._session.update_view(frame=target.index)
            return
        self._engine.open_pair(
            str(target.weights),
            str(target.probe),
            frames=(target.index,),
            then=lambda: self._session.update_view(frame=target.index),
        )

    def showEvent(self, event: object) -> None:
        """Go live when the Monitor comes up."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._rest.start()

    def _open_quietly(self) -> None:
        target = self._target
        if target is None or not self.isVisible() or self.is_live or target == self._asked:
            return
        if self.costs_nothing:
            self.open(target)

    def _show_state(self, *_: object) -> None:
        live = self.is_live
        if live and self._target is not None:
            self.canvas.set_title(f"Probe {self._target.index + 1} at step {self._target.step:,}")
        self._stack.setCurrentWidget(self.canvas if live else self.stored)
        able = self._target is not None and self._target.weights is not None
        self.button.setVisible(able and not live and not self.costs_nothing)
