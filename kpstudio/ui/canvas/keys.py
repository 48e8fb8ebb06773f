"""The keyboard twin of the mouse: everything on the canvas can be done with keys alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from kpstudio.session.edits import nudge

if TYPE_CHECKING:
    from kpstudio.session.session import Session

ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
PAUSE_S = 1.0
"""Nudges farther apart than this are separate steps of the history."""


class Nudger:
    """Moves the selection by keys; a run of nudges is one step of the history."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last = 0.0
        self._run = 0
        self._cursor = -1
        self._rows: tuple[int, ...] = ()

    def nudge(self, step: tuple[float, float]) -> None:
        """Move the selected particles and what hangs on them by `step` in unit coordinates."""
        session = self._session
        if session.latents is None or not session.view.selection or session.in_gesture:
            return
        rows = tuple(sorted(session.latents.topology.with_descendants(session.view.selection)))
        now = time.monotonic()
        same = rows == self._rows and session.history.cursor == self._cursor
        if not same or now - self._last > PAUSE_S:
            self._run += 1
        frame = session.view.frame
        session.commit(
            nudge(session.latents, frame, rows, step), gesture=f"nudge {id(self)} {self._run}"
        )
        self._last, self._rows, self._cursor = now, rows, session.history.cursor


def neighbour(session: Session, step: int, *, wrap: bool = True) -> int | None:
    """Return the row that comes `step` after the selected one, in the order of the numbers.

    Args:
        session: What is open.
        step: 1 for the next, -1 for the one before.
        wrap: Begin again past the last one; else None is returned there.
    """
    latents = session.latents
    if latents is None:
        return None
    numbers = session.scene.numbers(session.view.frame)
    rows = sorted(session.scene.offered(session.view.frame), key=lambda row: numbers[row])
    if not rows:
        return None
    chosen = [index for index, row in enumerate(rows) if row in session.view.selection]
    if not chosen:
        return rows[0] if step > 0 else rows[-1]
    index = (chosen[-1] if step > 0 else chosen[0]) + step
    if not wrap and not 0 <= index < len(rows):
        return None
    return rows[index % len(rows)]


class Board(Protocol):
    """What the keys need of a canvas."""

    @property
    def session(self) -> Session:
        """What is open."""
        ...

    @property
    def has_hand(self) -> bool:
        """Whether a gesture is under way."""
        ...

    def nudge(self, right: float, down: float) -> None:
        """Move the selected particles by so many pixels of the picture."""
        ...

    def select_neighbour(self, step: int) -> None:
        """Select the next particle by number, or the one before."""
        ...

    def begin_presence(self) -> None:
        """Change the presence of the selection until the next click."""
        ...

    def accept_gesture(self) -> bool:
        """Keep what a gesture did so far; return whether there was one."""
        ...

    def cancel_gesture(self) -> bool:
        """Take back what a gesture did; return whether there was one."""
        ...


class Keys:
    """Understands the keys of a canvas.

    Attributes:
        pan: The pan key is held.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.pan = False

    def claims(self, event: QKeyEvent) -> bool:
        """Return whether a key is the canvas's own now, before any shortcut of the window."""
        key, plain = event.key(), _plain(event)
        if key == Qt.Key.Key_Escape:
            return self._board.has_hand
        if key in ARROWS:
            return plain and bool(self._board.session.view.selection)
        return plain and key in (Qt.Key.Key_H, Qt.Key.Key_Backslash, Qt.Key.Key_N, Qt.Key.Key_T)

    def press(self, event: QKeyEvent) -> bool:
        """Do what a key asks for; return whether it was understood."""
        key, board = event.key(), self._board
        if key == Qt.Key.Key_Escape:
            return board.cancel_gesture() or self._clear_selection()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return board.accept_gesture()
        if not _plain(event):
            return False
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in ARROWS and board.session.view.selection:
            right, down = ARROWS[key]
            pixels = 10 if shift else 1
            board.nudge(right * pixels, down * pixels)
        elif key == Qt.Key.Key_N:
            board.select_neighbour(-1 if shift else 1)
        elif key == Qt.Key.Key_T:
            board.begin_presence()
        elif key == Qt.Key.Key_H:
            board.session.update_view(overlays_hidden=True)
        elif key == Qt.Key.Key_Backslash:
            board.session.update_view(show_original=True)
        elif key == Qt.Key.Key_Space:
            self.pan = True
        else:
            return False
        return True

    def release(self, event: QKeyEvent) -> bool:
        """Let go of a held key; return whether it was understood."""
        if event.isAutoRepeat():
            return True
        if event.key() == Qt.Key.Key_H:
            self._board.session.update_view(overlays_hidden=False)
        elif event.key() == Qt.Key.Key_Backslash:
            self._board.session.update_view(show_original=False)
        elif event.key() == Qt.Key.Key_Space:
            self.pan = False
        else:
            return False
        return True

    def let_go(self) -> None:
        """Let go of every held key."""
        self.pan = False
        self._board.session.update_view(overlays_hidden=False, show_original=False)

    def _clear_selection(self) -> bool:
        had = bool(self._board.session.view.selection)
        self._board.session.update_view(selection=frozenset())
        return had


def _plain(event: QKeyEvent) -> bool:
    """Return whether no modifier but Shift is held."""
    allowed = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
    return not event.modifiers() & ~allowed
