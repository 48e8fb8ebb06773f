"""One canvas: a picture with its particles, and the mouse and keyboard over it."""

from __future__ import annotations

import math
import time

from PySide6.QtCore import QEvent, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from kpstudio.session.session import Session
from kpstudio.session.view import Role
from kpstudio.ui.canvas.frame import TITLE_HEIGHT
from kpstudio.ui.canvas.keys import Keys, Nudger, neighbour
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.picture_view import RELAXED_MS, PictureView
from kpstudio.ui.canvas.tools import ChangePresence, Gesture, Pan, Pointer, begin

FRAME_MS = 7.0
"""Moves of a fast mouse are taken together to one per this time."""

_KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class Canvas(PictureView):
    """Shows the picture of one role and lets its particles be picked, dragged and nudged."""

    hint_changed = Signal(str)
    """What the mouse would do now."""
    pointer_moved = Signal(object)
    """Unit coordinates (x, y) under the mouse, or None when it left."""
    swap_wanted = Signal()
    """A small canvas was double-clicked and wants the large place."""

    def __init__(
        self,
        session: Session,
        role: Role,
        links: LinkedViews | None = None,
        parent: QWidget | None = None,
    ) -> None:
        self._gesture: Gesture | None = None
        super().__init__(session, role, links, parent)
        self._nudger = Nudger(session)
        self._keys = Keys(self)
        self._by_keyboard = False
        self._button = Qt.MouseButton.NoButton
        self._last_pointer: Pointer | None = None
        self._waiting: Pointer | None = None
        self._followed = 0.0
        self._pace = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._pace.timeout.connect(self._follow)
        self._rest = QTimer(self, singleShot=True, interval=RELAXED_MS)
        self._rest.timeout.connect(self._look_again)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    @property
    def can_move(self) -> bool:
        """Whether particles can be dragged here: the input and reconstruction stay as they are."""
        model = self._session.document.model
        movable = model is not None and model.capabilities.movable
        return movable and self._role in ("edited", "difference")

    @property
    def has_hand(self) -> bool:
        """Whether a gesture is under way on it."""
        return self._gesture is not None

    @property
    def has_ring(self) -> bool:
        """Whether to paint the focus ring: the focus is here and the keyboard is in use."""
        return self.hasFocus() and self._by_keyboard

    @property
    def band(self) -> QRectF | None:
        """The rubber band, in points of the view."""
        return self._gesture.band() if self._gesture else None

    # -- keyboard twin ---------------------------------------------------------------------------
    def nudge(self, right: float, down: float) -> None:
        """Move the selected particles by so many pixels of the picture."""
        if self.can_move:
            x, y = self.viewport.pixel_step()
            self._nudger.nudge((right * x, down * y))

    def select_neighbour(self, step: int) -> None:
        """Select the next particle by number (step 1) or the one before (-1)."""
        self._by_keyboard = True
        row = neighbour(self._session, step)
        if row is not None:
            self._session.update_view(selection=frozenset({row}))

    def begin_presence(self) -> None:
        """Change the presence of the selection with the pointer or wheel until the next click."""
        model = self._session.document.model
        selection = self._session.view.selection
        if model is None or self._gesture is not None or not selection:
            return
        if model.capabilities.presence == "none":
            self._session.notify("The particles of this model are always present.", "info")
            return
        at = self._last_pointer.at if self._last_pointer else (self.width() / 2, 0.0)
        self._start(ChangePresence(self, at))

    def accept_gesture(self) -> bool:
        """Keep what a gesture did so far; return whether there was one."""
        if self._gesture is None or self._last_pointer is None:
            return False
        self._finish(self._last_pointer)
        return True

    def cancel_gesture(self) -> bool:
        """Take back the drag or selection under way; return whether there was one."""
        gesture, self._gesture = self._gesture, None
        self._waiting = None
        if gesture is None:
            return False
        gesture.cancel()
        self._show_hint()
        self.update()
        return True

    # -- mouse -----------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin what the press asks for, or finish what a key began."""
        pointer = Pointer.of(event.position(), event.modifiers())
        self._last_pointer, self._by_keyboard = pointer, False
        if self._session.view.playing:
            # what the hand takes hold of is what is on screen, and time must not carry it away
            self._session.update_view(playing=False, frame=self._renderer.frame)
        if isinstance(self._gesture, ChangePresence):
            self._finish(pointer)
            return
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        if self._gesture is None and self._session.picture(self._renderer.shown_role) is not None:
            self._button = event.button()
            self._start(begin(self, pointer, event.button(), pan=self._keys.pan))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer, but not more often than a screen can show."""
        pointer = Pointer.of(event.position(), event.modifiers())
        self._last_pointer = self._waiting = pointer
        if not self._pace.isActive():
            # even when due at once: behind the moves that are queued, so that the newest counts
            since = (time.monotonic() - self._followed) * 1000.0
            self._pace.start(max(0, math.ceil(FRAME_MS - since)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Make what was done stay."""
        pressed = self._gesture is not None and not isinstance(self._gesture, ChangePresence)
        if pressed and event.button() == self._button:
            self._finish(Pointer.of(event.position(), event.modifiers()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Swap a small canvas into the large place."""
        if self._small and event.button() == Qt.MouseButton.LeftButton:
            self.cancel_gesture()
            self.swap_wanted.emit()
        else:
            self.mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Leave the menu to the window."""
        event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the cursor, or change the presence that is being edited."""
        notches = event.angleDelta().y() / 120.0
        if isinstance(self._gesture, ChangePresence):
            self._gesture.turn(notches)
        elif not isinstance(self._gesture, Pan):
            self.zoom(1.2**notches, event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse any more."""
        self._leave()

    def hideEvent(self, event: QHideEvent) -> None:
        """Another page covers it: nothing is under the mouse here."""
        self._leave()
        super().hideEvent(event)

    def _leave(self) -> None:
        was_here, self._last_pointer = self._last_pointer is not None, None
        if was_here:
            self.pointer_moved.emit(None)
        if was_here and self._gesture is None:
            self._waiting = None
            self._session.update_view(hovered=None)
            self._show_hint()

    def _refresh(self) -> None:
        """Repaint, and look again at what lies under a mouse that rests."""
        super()._refresh()
        if self._last_pointer is not None and not self._rest.isActive():
            self._rest.start()

    def _look_again(self) -> None:
        if self._last_pointer is not None and self._gesture is None:
            self._hover(self._last_pointer)

    def _follow(self) -> None:
        pointer, self._waiting = self._waiting, None
        if pointer is None:
            return
        self._followed = time.monotonic()
        if self._gesture is not None:
            self._gesture.move(pointer)
            if self._is_due or self.band is not None:
                self._show_changes()
        else:
            self._hover(pointer)
        if self._session.picture(self._renderer.shown_role) is not None:
            self.pointer_moved.emit(self.viewport.to_unit(pointer.at))

    def _hover(self, pointer: Pointer) -> None:
        mark = self.mark_at(pointer.at)
        row = mark.row if mark else None
        self._session.update_view(hovered=row)
        self._show_hint()

    def _start(self, gesture: Gesture) -> None:
        self._gesture = gesture
        self._followed = 0.0
        self._show_hint()
        self.update()

    def _finish(self, pointer: Pointer) -> None:
        gesture, self._gesture, self._waiting = self._gesture, None, None
        if gesture is not None:
            gesture.release(pointer)
        self._hover(pointer)
        self._show_hint()
        self.update()

    def _show_hint(self) -> None:
        if self._gesture is not None:
            cursor, hint = self._gesture.cursor, self._gesture.hint
        elif self._last_pointer is None or self._session.picture(self._renderer.shown_role) is None:
            cursor, hint = Qt.CursorShape.ArrowCursor, ""
        elif self._session.view.hovered is None:
            cursor = Qt.CursorShape.ArrowCursor
            hint = "Drag around particles to select them · wheel: zoom · Ctrl+drag: pan"
        elif self.can_move:
            cursor = Qt.CursorShape.OpenHandCursor
            alone = " · Alt: alone" if self._carries() else ""
            hint = f"Drag to move{alone} · Shift: add to selection · Esc: cancel"
        else:
            cursor = Qt.CursorShape.PointingHandCursor
            hint = "Click to select · Shift: add to selection" + self._why_fixed()
        if self.cursor().shape() != cursor:
            self.setCursor(cursor)
        self.hint_changed.emit(hint)

    def _carries(self) -> bool:
        """Return whether the particle under the mouse takes others along as their parent."""
        row, latents = self._session.view.hovered, self._session.latents
        if row is None or latents is None or row >= latents.count:
            return False
        return len(latents.topology.with_descendants({row})) > 1

    def _why_fixed(self) -> str:
        model = self._session.document.model
        if model is not None and not model.capabilities.movable:
            return " · this model's particles cannot be moved"
        return " · drag on the edited picture to move"

    # -- keys ------------------------------------------------------------------------------------
    def event(self, event: QEvent) -> bool:
        """Claim the canvas's own keys before the window's shortcuts, and follow a pinch."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self._keys.claims(event):
                event.accept()
                return True
        elif event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._tell(event)
            return True
        elif (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom(1.0 + event.value(), event.position())
            return True
        return super().event(event)

    def _tell(self, event: QHelpEvent) -> None:
        """Show the numbers of the particle under the mouse, or the whole of a shortened title."""
        mark = self.mark_at((event.pos().x(), event.pos().y()))
        if mark is not None and self._gesture is None:
            QToolTip.showText(event.globalPos(), mark.words, self)
        elif event.pos().y() < TITLE_HEIGHT:
            QToolTip.showText(event.globalPos(), self._title, self)
        else:
            QToolTip.hideText()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Nudge, cycle, hide overlays, hold the original, cancel."""
        if not self._keys.press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let go of what is only held."""
        if not self._keys.release(event):
            super().keyReleaseEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Go through the particles with Tab, then on to the next control."""
        row = None
        if not self._small:
            row = neighbour(self._session, 1 if next else -1, wrap=False)
        if row is None:
            return super().focusNextPrevChild(next)
        self._session.update_view(selection=frozenset({row}))
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus ring when the focus came by keyboard."""
        self._by_keyboard = event.reason() in _KEYBOARD_REASONS
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Let go of held keys with the focus."""
        self._keys.let_go()
        self.update()
        super().focusOutEvent(event)
