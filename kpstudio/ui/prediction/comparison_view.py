"""The centre of the window while futures are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QImage, QPainter, QRegion, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QWidget

from kpstudio.session.session import Session
from kpstudio.ui.action_set import keep_text
from kpstudio.ui.canvas.image_view import Canvas
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.prediction.future_canvas import FutureCanvas
from kpstudio.ui.prediction.futures import branch_of, name_of, short
from kpstudio.ui.prediction.trail_overlay import TrailOverlay
from kpstudio.ui.prediction.trails import TrailReader
from kpstudio.ui.theme import GRID, tabular

if TYPE_CHECKING:
    from kpstudio.services.prediction import Predictions
    from kpstudio.ui.action_tables.entry import Choice

HEAD_PX = 36
MODE_KEYS = ("compare-side", "compare-wipe", "compare-difference")


class Actions(Protocol):
    """QActions by the keys of the action table."""

    def __getitem__(self, key: str) -> QAction:
        """Return one."""
        ...


class ComparisonView(QWidget):
    """Shows two futures beside or over each other; at its start frames, the hand's own canvas."""

    hint_changed = Signal(str)
    """What the mouse would do now, for the status bar."""
    pointer_moved = Signal(object)
    """Unit coordinates (x, y) under the mouse, or None."""

    def __init__(
        self,
        session: Session,
        predictions: Predictions,
        links: LinkedViews,
        choices: Callable[[bool], list[Choice]],
        actions: Actions,
        parent: QWidget | None = None,
    ) -> None:
        """Build it.

        Args:
            session: What is open.
            predictions: What is known of its futures.
            links: Zoom and pan, shared with the usual canvases.
            choices: The futures that the left (False) or right (True) place may show.
            actions: Of the window.
            parent: Owner.
        """
        super().__init__(parent)
        self.setObjectName("comparison")
        self.setAccessibleName("Comparison of futures")
        self._session, self._predictions, self._links = session, predictions, links
        self._choices = choices
        trails = TrailReader(session)
        self.first = FutureCanvas(session, predictions, links, trails, self)
        self.first.set_place("first")
        self.second = FutureCanvas(session, predictions, links, trails, self)
        self.hand = Canvas(session, "edited", links, self)
        self.over = TrailOverlay(session, predictions, self.hand, trails)
        for canvas in (self.first, self.second, self.hand):
            canvas.hint_changed.connect(self.hint_changed)
            canvas.pointer_moved.connect(self.pointer_moved)
        self._make_head(actions)
        self.setMinimumSize(320, 240)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        session.view_changed.connect(self._on_change)
        session.document_changed.connect(self._on_change)
        predictions.changed.connect(self._on_progress)
        self._on_change()

    def _make_head(self, actions: Actions) -> None:
        self.head = QWidget(self)
        row = QHBoxLayout(self.head)
        row.setContentsMargins(0, 0, 0, GRID // 2)
        row.setSpacing(GRID // 2)
        self._pickers = [self._picker(second) for second in (False, True)]
        joined = QLabel("and", self.head)
        joined.setProperty("role", "secondary")
        row.addWidget(self._pickers[0])
        row.addWidget(joined)
        row.addWidget(self._pickers[1])
        row.addSpacing(GRID)
        for key in MODE_KEYS:
            row.addWidget(self._button(actions[key], "preset"))
        row.addStretch(1)
        self.progress = QLabel(self.head)
        self.progress.setAccessibleName("Progress of the prediction")
        self.progress.setProperty("role", "secondary")
        self.progress.setFont(tabular(self.progress.font()))
        row.addWidget(self.progress)
        self.stop = self._button(actions["stop-prediction"], "framed")
        keep_text(self.stop, "Stop", "Stop")
        row.addWidget(self.stop)
        close = self._button(actions["close-comparison"], "link")
        close.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        row.addWidget(close)

    def _button(self, action: QAction, role: str) -> QToolButton:
        button = QToolButton(self.head)
        button.setDefaultAction(action)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setProperty("role", role)
        button.setAccessibleName(action.text().replace("&", ""))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _picker(self, second: bool) -> QToolButton:
        button = QToolButton(self.head)
        button.setProperty("role", "chip")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setAccessibleName("Future at the right" if second else "Future at the left")
        button.setToolTip("Choose the future at the right" if second else
                          "Choose what it is compared with")  # fmt: skip
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(button)

        def fill() -> None:
            menu.clear()
            for choice in self._choices(second):
                made = menu.addAction(choice.text.replace("&", "&&"))
                made.setCheckable(True)
                made.setChecked(bool(choice.checked))
                made.triggered.connect(lambda *_, run=choice.run: run())

        menu.aboutToShow.connect(fill)
        button.setMenu(menu)
        return button

    # -- what the window's actions ask -----------------------------------------------------------
    @property
    def is_at_start(self) -> bool:
        """Whether the hand's canvas is shown: a start frame of a branch that follows edits."""
        session = self._session
        branch = branch_of(session.document, session.view.comparison.second)
        return branch is not None and branch.follows and session.view.frame in branch.frames

    @property
    def _working(self) -> Canvas | FutureCanvas:
        return self.hand if self.is_at_start else self.second

    def fit(self) -> None:
        """Show the whole picture."""
        self._links.fit()

    def actual_size(self) -> None:
        """Show one pixel of the picture on one point of the screen."""
        self._working.actual_size()

    def frame_selection(self) -> None:
        """Show the selected particles large."""
        self._working.frame_selection()

    def zoom(self, factor: float) -> None:
        """Zoom about the middle."""
        self._working.zoom(factor)

    def select_neighbour(self, step: int) -> None:
        """Select the next particle by number, or the one before."""
        self.hand.select_neighbour(step)

    def begin_presence(self) -> None:
        """Fade the selection by pointer or wheel, at the start frames."""
        if self.is_at_start:
            self.hand.begin_presence()

    def grab_frame(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return the pictures without the row of buttons, as `Canvas.grab_frame` does."""
        area = QRect(0, HEAD_PX, self.width(), max(1, self.height() - HEAD_PX))
        width, height = size or (area.width(), area.height())
        image = QImage(width, height, QImage.Format.Format_RGB32)
        image.fill(self.palette().window().color())
        painter = QPainter(image)
        painter.scale(width / area.width(), height / area.height())
        self.render(painter, QPointF(0, 0).toPoint(), QRegion(area))
        painter.end()
        return np.frombuffer(image.constBits(), np.uint8).reshape(height, width, 4).copy()

    def set_colours(self, colours: CanvasColours) -> None:
        """Paint with the tokens of another theme."""
        for canvas in (self.first, self.second, self.hand):
            canvas.set_colours(colours)

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or not."""
        for canvas in (self.first, self.second, self.hand):
            canvas.set_smooth(smooth)

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(848, 640)

    # -- arrangement -----------------------------------------------------------------------------
    def _on_change(self, *_: object) -> None:
        session = self._session
        shown, document = session.view.comparison, session.document
        if shown.mode == "off":
            return
        for button, key in zip(self._pickers, (shown.first, shown.second), strict=True):
            text = name_of(document, key)
            if button.text() != text:
                button.setText(text)
        branch = branch_of(document, shown.second)
        if branch is not None and self.is_at_start:
            frame = session.view.frame + 1
            self.hand.set_title(f"{branch.name} · start frame {frame} · drag the particles")
        self._on_progress()
        self._arrange()

    def _on_progress(self, *_: object) -> None:
        session = self._session
        document, shown = session.document, session.view.comparison
        branches = [branch_of(document, key) for key in (shown.second, shown.first)]
        going = [
            branch
            for branch in branches
            if branch is not None
            and (roll := self._predictions.roll(branch.key)) is not None
            and roll.state in ("waiting", "rolling")
        ]
        self.progress.setText(short(self._predictions, going[0]) if going else "")
        self.stop.setVisible(bool(going))
        self.over.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the canvases anew."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        shown = self._session.view.comparison
        width, height = self.width(), self.height() - HEAD_PX
        self.head.setGeometry(0, 0, width, HEAD_PX)
        model = self._session.document.model
        rows, columns = model.capabilities.image_size if model else (1, 1)
        both = shown.mode == "side"
        areas = halves((width, height), columns / rows) if both else (
            QRect(0, 0, width, height),) * 2  # fmt: skip
        self.second.set_place(
            "second" if both else "difference" if shown.mode == "difference" else "wipe"
        )
        for canvas, area in (
            (self.first, areas[0]), (self.second, areas[1]), (self.hand, areas[1]),
        ):  # fmt: skip
            canvas.setGeometry(area.translated(0, HEAD_PX))
        at_start = self.is_at_start
        focused = self.second.hasFocus() or self.hand.hasFocus()
        self.first.setVisible(both)
        self.second.setVisible(not at_start)
        self.hand.setVisible(at_start)
        self.setFocusProxy(self._working)
        if focused and not self._working.hasFocus():
            self._working.setFocus()


def halves(size: tuple[int, int], aspect: float) -> tuple[QRect, QRect]:
    """Return two equal areas, beside or over each other, whichever shows pictures larger.

    Args:
        size: (width, height) of the whole.
        aspect: Width over height of a picture.
    """
    width, height = size
    across, down = (width - GRID) // 2, (height - GRID) // 2
    if min(across / aspect, height) >= min(width / aspect, down):
        return QRect(0, 0, across, height), QRect(width - across, 0, across, height)
    return QRect(0, 0, width, down), QRect(0, height - down, width, down)
