"""One canvas: a picture with its particles, and the mouse and keyboard over it.

Plain widget painting: measured as fast as any scene graph here, and there is nothing that leaks.
"""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.session.view import Role, ViewState
from kpstudio.ui.canvas.frame import paint_band, paint_chip, paint_frame, paint_sentence
from kpstudio.ui.canvas.keys import ARROWS, Nudger, neighbour
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.mapping import Framing, Viewport, fit_scale, zoomed
from kpstudio.ui.canvas.marks import Mark, MarkReader
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.canvas.particle_items import ParticleOverlay
from kpstudio.ui.canvas.rendering import Look, Renderer, background_of, empty_sentence
from kpstudio.ui.canvas.tools import ChangePresence, Gesture, Pan, Pointer, begin

TITLES: dict[Role, str] = {
    "input": "Input",
    "reconstruction": "Reconstruction",
    "edited": "Edited",
    "difference": "Edited − reconstruction",  # noqa: RUF001 (a minus sign is meant)
}

RELAXED_MS = 33
"""How often at most a canvas repaints that the hand is not on."""

FRAME_MS = 7.0
"""Moves of a fast mouse are taken together to one per this time."""

_KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class Canvas(QWidget):
    """Shows the picture of one role and lets its particles be picked, dragged and nudged."""

    hint_changed = Signal(str)
    """What the mouse would do now."""
    pointer_moved = Signal(object)
    """Unit coordinates (x, y) under the mouse, or None when it left."""
    swap_wanted = Signal()
    """A small canvas was double-clicked and wants the large place."""
    painted = Signal(object)
    """At the end of a paint: the `Picture` that is on screen now, or None."""

    def __init__(
        self,
        session: Session,
        role: Role,
        links: LinkedViews | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(f"canvas-{role}")
        self._session = session
        self._role: Role = role
        self._links = links or LinkedViews(self)
        self._colours = CanvasColours()
        self._renderer = Renderer(session, role)
        self._reader = MarkReader(session)
        self._nudger = Nudger(session)
        self._small = False
        self._smooth = True
        self._title = TITLES[role]
        self._gesture: Gesture | None = None
        self._pan_key = False
        self._by_keyboard = False
        self._last_pointer: Pointer | None = None
        self._waiting: Pointer | None = None
        self._followed = 0.0
        self._marks: tuple[Mark, ...] | None = None
        self._is_due = False
        self._looks: tuple[object, ...] = ()
        self._frame_image = QImage()
        self._pace = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._pace.timeout.connect(self._follow)
        self._calm = QTimer(self, singleShot=True, interval=RELAXED_MS)
        self._calm.timeout.connect(self.update)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(80, 80)
        self._links.changed.connect(self.update)
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._on_view)
        session.picture_changed.connect(self._on_picture)
        self._describe()

    # -- values ----------------------------------------------------------------------------------
    @property
    def session(self) -> Session:
        """What is open."""
        return self._session

    @property
    def role(self) -> Role:
        """Which picture it shows."""
        return self._role

    @property
    def links(self) -> LinkedViews:
        """Zoom and pan of all canvases."""
        return self._links

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies on the widget."""
        return self._renderer.viewport(self._links.framing, (self.width(), self.height()))

    @property
    def overlay(self) -> ParticleOverlay:
        """The particles as they are painted now."""
        return ParticleOverlay(self._current_marks(), self.viewport, small=self._small)

    @property
    def can_move(self) -> bool:
        """Whether particles can be dragged here: the input and reconstruction stay as they are."""
        model = self._session.document.model
        movable = model is not None and model.capabilities.movable
        return movable and self._role in ("edited", "difference")

    @property
    def is_small(self) -> bool:
        """Whether it stands in the column of small canvases."""
        return self._small

    def set_small(self, small: bool) -> None:
        """Show only the picture and small dots, and repaint at leisure; a double click swaps."""
        self._small = small
        self._forget_marks()

    def set_title(self, title: str) -> None:
        """Set the text of the chip in the corner."""
        if title != self._title:
            self._title = title
            self._describe()
            self._refresh()

    def set_colours(self, colours: CanvasColours) -> None:
        """Paint with the tokens of another theme."""
        self._colours = colours
        self.update()

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between the picture's pixels, or show them as squares."""
        self._smooth = smooth
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(160, 160) if self._small else QSize(640, 640)

    # -- zoom ------------------------------------------------------------------------------------
    def fit(self) -> None:
        """Show the whole picture."""
        self._links.fit()

    def actual_size(self) -> None:
        """Show one pixel of the picture on one point of the screen."""
        scale = fit_scale(self.viewport.image, (self.width(), self.height()))
        self._links.show(Framing(self._links.framing.centre, 1.0 / scale))

    def frame_selection(self) -> None:
        """Show the selected particles large, or the whole picture when none is selected."""
        model = self._session.document.model
        glimpse = model.capabilities.glimpse_px if model else 0
        margin = self.viewport.pixel_step(max(8, glimpse))
        self._links.frame([mark.at for mark in self._current_marks() if mark.selected], margin)

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by `factor` about a place of the widget (its middle when None)."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        framing = zoomed(self.viewport, self._links.framing, (at.x(), at.y()), factor)
        self._links.show(framing)

    # -- keyboard twin ---------------------------------------------------------------------------
    def nudge(self, right: float, down: float) -> None:
        """Move the selected particles by so many pixels of the picture."""
        if self.can_move:
            x, y = self.viewport.pixel_step()
            self._nudger.nudge((right * x, down * y))

    def select_neighbour(self, step: int) -> None:
        """Select the next particle by number (step 1) or the one before (-1)."""
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

    # -- recording -------------------------------------------------------------------------------
    def grab_frame(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return the canvas with everything over it, without border, as pixels for a recorder.

        Args:
            size: (width, height) of the frame in pixels; None for the widget's own.

        Returns:
            (height, width, 4) bytes in the order blue, green, red, 255. They stay valid until the
            next call, so a recorder that keeps them copies them.
        """
        width, height = size or (self.width(), self.height())
        if self._frame_image.size() != QSize(width, height):
            self._frame_image = QImage(width, height, QImage.Format.Format_RGB32)
        painter = QPainter(self._frame_image)
        viewport = self._renderer.viewport(self._links.framing, (width, height))
        marks = self._current_marks()
        self._renderer.paint(painter, (width, height), viewport, marks, self._look())
        painter.end()
        return np.frombuffer(self._frame_image.constBits(), np.uint8).reshape(height, width, 4)

    # -- what the session says -------------------------------------------------------------------
    def _on_document(self, document: Document) -> None:
        self._forget_marks()

    def _on_view(self, view: ViewState) -> None:
        self._describe()
        self._forget_marks()
        looks = (view.layers, view.overlays_hidden, view.show_original, view.main)
        if looks != self._looks:
            self._looks = looks
            self._refresh()

    def _on_picture(self, role: str, picture: object) -> None:
        if role == self._role or role in ("input", "reconstruction"):
            self._refresh()

    def _forget_marks(self) -> None:
        """Look at the particles again; repaint when anything of them is different."""
        before, self._marks = self._marks, None
        if before is None or self._current_marks() != before:
            self._refresh()

    def _refresh(self) -> None:
        """Repaint: at once where the hand is, else soon."""
        if not self._small and (self._role == self._session.view.main or self._gesture):
            self._is_due = True
            self.update()
        elif not self._calm.isActive():
            self._calm.start()

    def _current_marks(self) -> tuple[Mark, ...]:
        if self._marks is None:
            if self._small and self._role in ("reconstruction", "difference"):
                self._marks = ()
            else:
                encoded = self._renderer.shown_role in ("input", "reconstruction")
                self._marks = self._reader.read("encoded" if encoded else "edited")
        return self._marks

    def _look(self) -> Look:
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 1.15 if font.pointSizeF() > 0 else 11.0)
        empty = self._session.picture(self._role) is None
        background = background_of("edited" if empty else self._role, self._colours.canvas)
        return Look(background, font, self._small, self._smooth)

    def _describe(self) -> None:
        """Say in words what is shown, for screen readers."""
        self.setAccessibleName(self._title)
        chosen = sorted(self._session.view.selection)
        latents = self._session.latents
        if latents is None:
            text = empty_sentence(self._session, self._role) or "No picture yet"
        elif chosen:
            numbers = ", ".join(
                str(latents.topology.identity[r] + 1) for r in chosen if r < latents.count
            )
            text = f"{len(chosen)} of {latents.count} particles selected: {numbers}"
        else:
            text = f"{latents.count} particles, none selected; N selects the next one"
        if text != self.accessibleDescription():
            self.setAccessibleDescription(text)

    # -- painting --------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, its particles, and the frame around them."""
        self._is_due = False
        painter = QPainter(self)
        view = (float(self.width()), float(self.height()))
        viewport = self.viewport
        self._renderer.paint(painter, view, viewport, self._current_marks(), self._look())
        picture = self._session.picture(self._renderer.shown_role)
        if picture is None:
            sentence = empty_sentence(self._session, self._role)
            paint_sentence(painter, view, sentence, self._colours, small=self._small)
        band = self._gesture.band() if self._gesture else None
        if band is not None:
            paint_band(painter, band, self._colours)
        title = TITLES["input"] if self._session.view.show_original else self._title
        paint_chip(painter, title, self.font())
        paint_frame(painter, view, self._colours, focused=self.hasFocus() and self._by_keyboard)
        painter.end()
        self.painted.emit(picture)

    # -- mouse -----------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin what the press asks for, or finish what a key began."""
        pointer = Pointer.of(event.position(), event.modifiers())
        self._last_pointer, self._by_keyboard = pointer, False
        if isinstance(self._gesture, ChangePresence):
            self._finish(pointer)
            return
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        if self._gesture is None and self._session.picture(self._renderer.shown_role) is not None:
            self._start(begin(self, pointer, event.button(), pan=self._pan_key))

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
        if self._gesture is not None and not isinstance(self._gesture, ChangePresence):
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
        self._last_pointer = None
        self.pointer_moved.emit(None)
        if self._gesture is None:
            self._waiting = None
            self._session.update_view(hovered=None)

    def _follow(self) -> None:
        pointer, self._waiting = self._waiting, None
        if pointer is None:
            return
        self._followed = time.monotonic()
        if self._gesture is not None:
            self._gesture.move(pointer)
            if self._is_due or (self._gesture is not None and self._gesture.band() is not None):
                self.repaint()
        else:
            self._hover(pointer)
        if self._session.picture(self._renderer.shown_role) is not None:
            self.pointer_moved.emit(self.viewport.to_unit(pointer.at))

    def _hover(self, pointer: Pointer) -> None:
        mark = self.overlay.hit(pointer.at)
        row = mark.row if mark else None
        if row != self._session.view.hovered:
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
        elif self._session.view.hovered is None:
            cursor = Qt.CursorShape.ArrowCursor
            hint = "Drag around particles to select them · wheel: zoom · Ctrl+drag: pan"
        elif self.can_move:
            cursor = Qt.CursorShape.OpenHandCursor
            hint = "Drag to move · Alt: alone · Shift: add to selection · Esc: cancel"
        else:
            cursor = Qt.CursorShape.PointingHandCursor
            hint = "Click to select · Shift: add to selection"
        self.setCursor(cursor)
        self.hint_changed.emit(hint)

    # -- keys ------------------------------------------------------------------------------------
    def event(self, event: QEvent) -> bool:
        """Claim the canvas's own keys before the window's shortcuts, and follow a pinch."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self._claims(event):
                event.accept()
                return True
        elif (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom(1.0 + event.value(), event.position())
            return True
        return super().event(event)

    def _claims(self, event: QKeyEvent) -> bool:
        key, plain = event.key(), _plain(event)
        if key == Qt.Key.Key_Escape:
            return self._gesture is not None
        if key in ARROWS:
            return plain and bool(self._session.view.selection)
        return plain and key in (Qt.Key.Key_H, Qt.Key.Key_Backslash, Qt.Key.Key_N, Qt.Key.Key_T)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Nudge, cycle, hide overlays, hold the original, cancel."""
        if not self._handle_key(event):
            super().keyPressEvent(event)

    def _handle_key(self, event: QKeyEvent) -> bool:
        key, session = event.key(), self._session
        if key == Qt.Key.Key_Escape:
            if self.cancel_gesture():
                return True
            had, _ = session.view.selection, session.update_view(selection=frozenset())
            return bool(had)
        if not _plain(event):
            return False
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in ARROWS and session.view.selection:
            right, down = ARROWS[key]
            pixels = 10 if shift else 1
            self.nudge(right * pixels, down * pixels)
        elif key == Qt.Key.Key_N:
            self._by_keyboard = True
            self.select_neighbour(-1 if shift else 1)
        elif key == Qt.Key.Key_T:
            self.begin_presence()
        elif key == Qt.Key.Key_H:
            session.update_view(overlays_hidden=True)
        elif key == Qt.Key.Key_Backslash:
            session.update_view(show_original=True)
        elif key == Qt.Key.Key_Space:
            self._pan_key = True
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._gesture and self._last_pointer:
            self._finish(self._last_pointer)
        else:
            return False
        return True

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let go of what is only held."""
        if event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_H:
            self._session.update_view(overlays_hidden=False)
        elif event.key() == Qt.Key.Key_Backslash:
            self._session.update_view(show_original=False)
        elif event.key() == Qt.Key.Key_Space:
            self._pan_key = False
        else:
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
        self._pan_key = False
        self._session.update_view(overlays_hidden=False, show_original=False)
        self.update()
        super().focusOutEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Repaint all: the picture is placed anew."""
        self.update()
        super().resizeEvent(event)


def _plain(event: QKeyEvent) -> bool:
    """Return whether no modifier but Shift is held."""
    allowed = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
    return not event.modifiers() & ~allowed
