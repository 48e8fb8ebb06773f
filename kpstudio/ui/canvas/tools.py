"""What a press on the canvas begins: one small class per gesture.

A gesture hears where the pointer went until the button is released, and can be cancelled at any
time; nothing it did stays then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPointF, QRectF, Qt

from kpstudio.session.edits import MoveParticles, SetPresence
from kpstudio.ui.canvas.mapping import Framing, Point, Viewport

if TYPE_CHECKING:
    from kpstudio.session.session import Session
    from kpstudio.ui.canvas.linked import LinkedViews
    from kpstudio.ui.canvas.marks import Mark
    from kpstudio.ui.canvas.particle_items import ParticleOverlay

STILL = 2.5
"""A press that moves less than this many points is a click."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the mouse is, in points of the view, and which keys are held."""

    at: Point
    shift: bool = False
    control: bool = False
    alt: bool = False

    @classmethod
    def of(cls, at: QPointF, modifiers: Qt.KeyboardModifier) -> Pointer:
        """Return the pointer of a mouse event."""
        return cls(
            (at.x(), at.y()),
            bool(modifiers & Qt.KeyboardModifier.ShiftModifier),
            bool(modifiers & Qt.KeyboardModifier.ControlModifier),
            bool(modifiers & Qt.KeyboardModifier.AltModifier),
        )


class View(Protocol):
    """What panning needs of a view."""

    @property
    def links(self) -> LinkedViews:
        """Zoom and pan of all canvases."""
        ...

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies."""
        ...


class Surface(View, Protocol):
    """What gestures need of a canvas."""

    @property
    def session(self) -> Session:
        """What is open."""
        ...

    @property
    def overlay(self) -> ParticleOverlay:
        """The particles as they are painted now."""
        ...

    def mark_at(self, at: Point) -> Mark | None:
        """Return the particle whose dot or object is under a place of the view."""
        ...

    @property
    def can_move(self) -> bool:
        """Whether particles can be dragged here."""
        ...


class Gesture(Protocol):
    """Something that goes on between a press and its release."""

    cursor: Qt.CursorShape
    hint: str

    def move(self, pointer: Pointer) -> None:
        """Follow the pointer."""
        ...

    def release(self, pointer: Pointer) -> None:
        """Make what was done stay."""
        ...

    def cancel(self) -> None:
        """Take back what was done."""
        ...

    def band(self) -> QRectF | None:
        """Return the rectangle to paint, in points of the view."""
        ...


class _Ground:
    """What a gesture began on; nothing may be edited once another model or frame is shown."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frame = session.view.frame
        self._model, self._media = session.document.model, session.document.media

    @property
    def is_there(self) -> bool:
        """Whether the same model, media and frame are still shown."""
        document = self._session.document
        same = document.model is self._model and document.media is self._media
        return same and self._session.view.frame == self._frame


class Pan:
    """Drags the scene under the view."""

    cursor = Qt.CursorShape.ClosedHandCursor
    hint = "Move to pan · release to stop"

    def __init__(self, view: View, pointer: Pointer) -> None:
        self._links = view.links
        self._viewport = view.viewport
        self._before = view.links.framing
        self._grip = view.viewport.to_unit(pointer.at)

    def move(self, pointer: Pointer) -> None:
        """Keep what was gripped under the pointer."""
        now = self._viewport.to_unit(pointer.at)
        x, y = self._before.centre
        centre = (x + self._grip[0] - now[0], y + self._grip[1] - now[1])
        self._links.show(Framing(centre, self._before.zoom))

    def release(self, pointer: Pointer) -> None:
        """Stay where the pointer is."""
        self.move(pointer)

    def cancel(self) -> None:
        """Go back to what was shown."""
        self._links.show(self._before)

    def band(self) -> QRectF | None:
        """Return None."""
        return None


class RubberBand:
    """Selects the particles inside a rectangle; a click on nothing clears the selection."""

    cursor = Qt.CursorShape.CrossCursor
    hint = "Drag around particles to select them · Shift: add · Esc: cancel"

    def __init__(self, surface: Surface, pointer: Pointer) -> None:
        self._surface = surface
        self._before = surface.session.view.selection
        self._kept = self._before if pointer.shift else frozenset[int]()
        self._start = self._now = pointer.at

    def move(self, pointer: Pointer) -> None:
        """Select what the rectangle holds."""
        self._now = pointer.at
        band = self.band()
        inside = self._surface.overlay.inside(band) if band is not None else frozenset[int]()
        self._surface.session.update_view(selection=self._kept | inside)

    def release(self, pointer: Pointer) -> None:
        """Keep the selection."""
        self.move(pointer)

    def cancel(self) -> None:
        """Go back to the selection before."""
        self._surface.session.update_view(selection=self._before)

    def band(self) -> QRectF | None:
        """Return the rectangle, or None while it is only a click."""
        dx, dy = self._now[0] - self._start[0], self._now[1] - self._start[1]
        if max(abs(dx), abs(dy)) < STILL:
            return None
        return QRectF(QPointF(*self._start), QPointF(*self._now)).normalized()


class DragParticles:
    """Moves the selected particles and what hangs on them, by as much as the pointer moves."""

    cursor = Qt.CursorShape.ClosedHandCursor
    hint = "Drag to move · Esc: cancel"

    def __init__(self, surface: Surface, pointer: Pointer, row: int) -> None:
        """Take hold of a particle.

        Args:
            surface: The canvas.
            pointer: Where it was pressed; with Alt only the pressed particle moves,
                without the children of a parent.
            row: The pressed particle.
        """
        session = surface.session
        self._session = session
        self._ground = _Ground(session)
        self._viewport = surface.viewport
        self._start = pointer.at
        self._before = session.view.selection
        self._row = row
        self._moved = False
        if row not in self._before:
            session.update_view(selection=frozenset({row}))
        latents = session.latents
        rows = frozenset({row}) if pointer.alt else session.view.selection
        if latents is not None and not pointer.alt:
            rows = latents.topology.with_descendants(rows)
        if latents is None or not surface.can_move:
            rows = frozenset[int]()
        self._rows = tuple(sorted(rows))
        self._frame = session.view.frame
        positions = latents.rows("position") if latents is not None else []
        self._from = [(float(positions[r][0]), float(positions[r][1])) for r in self._rows]

    def move(self, pointer: Pointer) -> None:
        """Show the particles where the pointer carried them."""
        if not self._rows or not self._ground.is_there:
            return
        if self._moved and not self._session.in_gesture:
            return
        dx, dy = pointer.at[0] - self._start[0], pointer.at[1] - self._start[1]
        if not self._moved and max(abs(dx), abs(dy)) < STILL:
            return
        self._moved = True
        self._session.preview(MoveParticles(self._frame, self._rows, self._carried(dx, dy)))

    def release(self, pointer: Pointer) -> None:
        """Put the move into the history, or take a click as choosing this one particle."""
        self.move(pointer)
        if self._moved:
            if self._session.in_gesture:
                self._session.commit()
        elif self._ground.is_there:
            self._session.update_view(selection=frozenset({self._row}))

    def cancel(self) -> None:
        """Put the particles back."""
        self._session.cancel()
        self._session.update_view(selection=self._before)

    def band(self) -> QRectF | None:
        """Return None."""
        return None

    def _carried(self, dx: float, dy: float) -> tuple[Point, ...]:
        """Return the new positions; the group stops whole at the picture's edges."""
        step = self._viewport.unit_lengths((dx, dy))
        held: list[float] = []
        for axis in (0, 1):
            before = max(0.0, 1.0 + min(point[axis] for point in self._from))
            behind = max(0.0, 1.0 - max(point[axis] for point in self._from))
            held.append(min(behind, max(-before, step[axis])))
        return tuple((x + held[0], y + held[1]) for x, y in self._from)


class Toggle:
    """Adds a particle to the selection or takes it out."""

    cursor = Qt.CursorShape.PointingHandCursor
    hint = "Release to change the selection"

    def __init__(self, surface: Surface, row: int) -> None:
        self._session = surface.session
        self._before = surface.session.view.selection
        self._session.update_view(selection=self._before ^ {row})

    def move(self, pointer: Pointer) -> None:
        """Do nothing."""

    def release(self, pointer: Pointer) -> None:
        """Keep the selection."""

    def cancel(self) -> None:
        """Go back to the selection before."""
        self._session.update_view(selection=self._before)

    def band(self) -> QRectF | None:
        """Return None."""
        return None


class ChangePresence:
    """Begun by a key, not a press: the pointer or wheel makes the selection more or less present.

    Two hundred points to the right are from absent to present.
    """

    cursor = Qt.CursorShape.SizeHorCursor
    hint = "Move left or right, or turn the wheel: presence · click: keep · Esc: cancel"
    _FULL = 200.0

    def __init__(self, surface: Surface, at: Point) -> None:
        session = surface.session
        self._session = session
        self._ground = _Ground(session)
        self._start = at[0]
        self._turned = 0.0
        self._now = at[0]
        self._frame = session.view.frame
        self._rows = tuple(sorted(session.view.selection))
        latents = session.latents
        presence = latents.rows("presence") if latents is not None else None
        self._from = [float(presence[row]) for row in self._rows] if presence is not None else []

    def move(self, pointer: Pointer) -> None:
        """Follow the pointer."""
        self._now = pointer.at[0]
        self._show()

    def turn(self, notches: float) -> None:
        """Follow the wheel."""
        self._turned += notches * 0.05
        self._show()

    def release(self, pointer: Pointer) -> None:
        """Put the change into the history."""
        self.move(pointer)
        if self._session.in_gesture:
            self._session.commit()

    def cancel(self) -> None:
        """Go back to the presence before."""
        self._session.cancel()

    def band(self) -> QRectF | None:
        """Return None."""
        return None

    def _show(self) -> None:
        if not self._from or not self._ground.is_there:
            return
        change = (self._now - self._start) / self._FULL + self._turned
        values = tuple(min(1.0, max(0.0, value + change)) for value in self._from)
        self._session.preview(SetPresence(self._frame, self._rows, values))


def begin(surface: Surface, pointer: Pointer, button: Qt.MouseButton, *, pan: bool) -> Gesture:
    """Return the gesture that a press begins.

    Args:
        surface: The canvas.
        pointer: Where and with which keys it was pressed.
        button: The mouse button.
        pan: The pan key is held.
    """
    if pan or pointer.control or button == Qt.MouseButton.MiddleButton:
        return Pan(surface, pointer)
    mark = surface.mark_at(pointer.at)
    if mark is None:
        return RubberBand(surface, pointer)
    if pointer.shift:
        return Toggle(surface, mark.row)
    return DragParticles(surface, pointer, mark.row)
