"""The mouse over one future or two: the divider, panning, zooming, choosing particles.

It shows; particles are dragged on the canvas that stands in its place at the start frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from kpstudio.session.session import Session
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.marks import Mark
from kpstudio.ui.canvas.particle_items import ParticleOverlay
from kpstudio.ui.canvas.tools import Pan, Pointer
from kpstudio.ui.prediction.future_view import FutureView
from kpstudio.ui.prediction.trails import TrailReader

if TYPE_CHECKING:
    from kpstudio.services.prediction import Predictions

GRIP = 10.0
"""How near to the divider, in points, a press takes hold of it."""


class FutureCanvas(FutureView):
    """Shows the shown frame of the compared futures and lets their particles be chosen."""

    hint_changed = Signal(str)
    """What the mouse would do now."""
    pointer_moved = Signal(object)
    """Unit coordinates (x, y) under the mouse, or None."""

    def __init__(
        self,
        session: Session,
        predictions: Predictions,
        links: LinkedViews,
        trails: TrailReader,
        parent: QWidget | None = None,
    ) -> None:
        self._pan: Pan | None = None
        self._holds_divider = False
        self._hovered: int | None = None
        self._hovered_key = ""
        super().__init__(session, predictions, links, trails, parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    # -- mouse -----------------------------------------------------------------------------------
    def hovered(self, key: str) -> int | None:
        """Return the row of a future's particle under the mouse."""
        return self._hovered if self._hovered_key == key else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the divider, pan, or select a particle."""
        pointer = Pointer.of(event.position(), event.modifiers())
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() == Qt.MouseButton.MiddleButton or pointer.control:
            self._pan = Pan(self, pointer)
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        mark = self._overlay_at(pointer.at[0]).hit(pointer.at)
        near = abs(pointer.at[0] - self._divider(self.viewport)) < GRIP
        if self._place == "wipe" and (near or mark is None):
            self._holds_divider = True
            self._move_divider(pointer.at[0])
        elif mark is None:
            self._session.update_view(selection=frozenset())
        else:
            row = self._row_of(mark)
            chosen = self._session.view.selection
            rows = chosen ^ {row} if pointer.shift else frozenset({row})
            self._session.update_view(selection=rows)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Carry on what the press began, or say what it would do."""
        pointer = Pointer.of(event.position(), event.modifiers())
        if self._pan is not None:
            self._pan.move(pointer)
        elif self._holds_divider:
            self._move_divider(pointer.at[0])
        else:
            self._hover(pointer)
        self.pointer_moved.emit(self.viewport.to_unit(pointer.at))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._pan = None
        self._holds_divider = False
        self._hover(Pointer.of(event.position(), event.modifiers()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Put the divider into the middle."""
        if self._place == "wipe":
            shown = self._session.view.comparison
            self._session.update_view(comparison=shown.with_divider(0.5))
        else:
            self.mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse any more."""
        self.pointer_moved.emit(None)
        self._hovered = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the cursor."""
        self.zoom(1.2 ** (event.angleDelta().y() / 120.0), event.position())
        event.accept()

    def _row_of(self, mark: Mark) -> int:
        """Return the row that the session knows a predicted particle by at the shown frame."""
        numbers = self._session.scene.numbers(self._session.view.frame)
        return numbers.index(mark.identity) if mark.identity in numbers else mark.row

    def _key_at(self, x: float) -> str:
        keys = self.keys
        left = self._place == "wipe" and x < self._divider(self.viewport)
        return keys[0] if left else keys[-1]

    def _overlay_at(self, x: float) -> ParticleOverlay:
        return ParticleOverlay(self._marks(self._key_at(x)), self.viewport)

    def _move_divider(self, x: float) -> None:
        viewport = self.viewport
        share = (x - viewport.left) / max(1.0, viewport.width)
        shown = self._session.view.comparison
        self._session.update_view(comparison=shown.with_divider(share))

    def _where_to_drag(self) -> str:
        session = self._session
        branch, frame = session.scene.compared, session.view.frame
        if branch is None or frame in branch.frames:
            return "Particles are dragged in a what-if (W)"
        what = "Predicted frame · particles" if frame > branch.frame else "Particles"
        return f"{what} are dragged at the start (Ctrl+Home) or in a what-if (W)"

    def _hover(self, pointer: Pointer) -> None:
        mark = self._overlay_at(pointer.at[0]).hit(pointer.at)
        row, key = mark.row if mark else None, self._key_at(pointer.at[0])
        if (row, key) != (self._hovered, self._hovered_key):
            self._hovered, self._hovered_key = row, key
            self.update()
        near = abs(pointer.at[0] - self._divider(self.viewport)) < GRIP
        if self._place == "wipe" and (near or mark is None):
            cursor, hint = Qt.CursorShape.SplitHCursor, "Drag to wipe · double click: middle"
        elif mark is not None:
            cursor = Qt.CursorShape.PointingHandCursor
            hint = f"Click to select · {self._where_to_drag()}"
        else:
            cursor = Qt.CursorShape.ArrowCursor
            hint = f"{self._where_to_drag()} · Wheel: zoom · Ctrl+drag: pan"
        self.setCursor(cursor)
        self.hint_changed.emit(hint)
