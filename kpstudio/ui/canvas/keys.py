"""The keyboard twin of the mouse: everything on the canvas can be done with keys alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from kpstudio.session.session import nudge

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
        """Move the selected particles by `step` in unit coordinates."""
        session = self._session
        rows = tuple(sorted(session.view.selection))
        if session.latents is None or not rows or session.in_gesture:
            return
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
    kept = session.document.kept(session.view.frame)
    rows = sorted(kept, key=lambda row: latents.topology.identity[row])
    if not rows:
        return None
    chosen = [index for index, row in enumerate(rows) if row in session.view.selection]
    if not chosen:
        return rows[0] if step > 0 else rows[-1]
    index = (chosen[-1] if step > 0 else chosen[0]) + step
    if not wrap and not 0 <= index < len(rows):
        return None
    return rows[index % len(rows)]
