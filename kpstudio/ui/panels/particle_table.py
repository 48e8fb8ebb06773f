"""The particles as rows of a table: values, order and editing, apart from how they are painted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from kpcore.errors import KpError
from kpstudio.session.document import is_ranked
from kpstudio.session.edits import MoveParticles, SetPresence
from kpstudio.session.session import Session

if TYPE_CHECKING:
    from kpcore.latents import Latents

Index = QModelIndex | QPersistentModelIndex
Order = Literal["confidence", "number"]

NUMBER, X, Y, SIGMA, PRESENCE = range(5)
HEADS = ("#", "x", "y", "σ", "on")  # noqa: RUF001 (the letter for a standard deviation)
TIPS = (
    "Number of the particle; click to sort by number",
    "Place from left (-1) to right (1)",
    "Place from top (-1) to bottom (1)",
    "Standard deviation of the place; click to sort by confidence",
    "Presence, 0 to 1",
)
ROW = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Line:
    """One particle as it is shown.

    Attributes:
        row: Of the latents.
        identity: Its number, from 0.
        x: Left to right, -1..1.
        y: Top to bottom, -1..1.
        sigma: Mean standard deviation, or None.
        presence: 0..1, or None.
        kept: Whether the top-K filter leaves it.
        moved: Whether it was edited.
        hue: The number that its colour stands for.
    """

    row: int
    identity: int
    x: float
    y: float
    sigma: float | None
    presence: float | None
    kept: bool
    moved: bool
    hue: int


class ParticleTable(QAbstractTableModel):
    """Follows the session when told to; tells only of the rows that changed."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._lines: list[Line] = []
        self._order: Order = "confidence"

    @property
    def order(self) -> Order:
        """What the particles are sorted by: by number where none is surer than another."""
        model = self._session.document.model
        ranked = model is None or is_ranked(model.capabilities)
        return self._order if ranked else "number"

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown, in its order."""
        return self._lines

    def set_order(self, order: Order) -> None:
        """Sort by confidence or by number."""
        if order != self._order:
            self._order = order
            self.follow()

    def place_of(self, row: int) -> int | None:
        """Return where a row of the latents stands in the table."""
        return next((place for place, line in enumerate(self._lines) if line.row == row), None)

    def follow(self) -> bool:
        """Take the session's particles; return whether rows came, went or changed places."""
        fresh = self._read()
        if [line.row for line in fresh] != [line.row for line in self._lines]:
            self.beginResetModel()
            self._lines = fresh
            self.endResetModel()
            return True
        for place, (old, new) in enumerate(zip(self._lines, fresh, strict=True)):
            if old != new:
                self._lines[place] = new
                self.dataChanged.emit(self.index(place, 0), self.index(place, PRESENCE))
        return False

    def _read(self) -> list[Line]:
        session = self._session
        document, frame = session.document, session.view.frame
        latents, original = session.latents, document.original(frame)
        if latents is None or original is None or document.model is None:
            return []
        numbers = session.scene.numbers(frame)
        order = document.ranking(frame)[: document.found(latents.count)]
        if self.order == "number":
            order = sorted(order, key=lambda row: numbers[row])
        kept = document.kept(frame)
        if session.view.level is not None:
            level = latents.topology.level
            order = [row for row in order if level[row] == session.view.level]
        return lines_of(latents, original, order, kept, numbers)

    # -- what Qt asks ----------------------------------------------------------------------------
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        """Return the number of particles."""
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (as above)
        """Return the number of columns."""
        return 0 if parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Return a head."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TIPS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in (X, Y, SIGMA) else None
            return (side or Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        """Return what a cell shows, edits or says."""
        line, column = self._lines[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(line, column)
        if role == Qt.ItemDataRole.EditRole:
            return (line.identity + 1, line.x, line.y, line.sigma, line.presence)[column]
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (X, Y, SIGMA):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"Particle {line.identity + 1}, {HEADS[column]} {_text(line, column)}"
        if role == ROW:
            return line.row
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return whether a cell can be edited."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        model = self._session.document.model
        if model is None:
            return flags
        can = model.capabilities
        column = index.column()
        if (column in (X, Y) and can.movable) or (column == PRESENCE and can.presence != "none"):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: object, role: int = 0) -> bool:
        """Make a typed number an edit."""
        if role != Qt.ItemDataRole.EditRole or not isinstance(value, int | float):
            return False
        line, frame = self._lines[index.row()], self._session.view.frame
        old = self.data(index, role)
        if not math.isfinite(value) or (old is not None and abs(float(value) - old) < 5e-4):
            return False
        if index.column() == PRESENCE:
            edit = SetPresence(frame, (line.row,), (float(value),))
        else:
            x, y = (value, line.y) if index.column() == X else (line.x, value)
            edit = MoveParticles(frame, (line.row,), ((float(x), float(y)),))
        try:
            self._session.commit(edit)
        except KpError as error:
            self._session.notify(str(error), "error")
            return False
        self.follow()
        return True


def lines_of(
    latents: Latents,
    original: Latents,
    order: Sequence[int],
    kept: frozenset[int],
    numbers: Sequence[int],
) -> list[Line]:
    """Return the lines of a table in the given order of rows, each with its row's number."""
    position = latents.rows("position")
    home = original.rows("position")
    spread = latents.rows("position_log_var")
    presence, kinds = latents.rows("presence"), latents.rows("prototype")
    here, was = original.rows("presence"), original.rows("prototype")
    lines: list[Line] = []
    for row in order:
        sigma = None
        if spread is not None:
            sigma = math.exp(min(20.0, (spread[row][0] + spread[row][1]) / 2) / 2)
        moved = (
            position[row] != home[row]
            or (presence is not None and here is not None and presence[row] != here[row])
            or (kinds is not None and was is not None and kinds[row] != was[row])
        )
        lines.append(
            Line(
                row,
                numbers[row],
                position[row][0],
                position[row][1],
                sigma,
                None if presence is None else presence[row],
                row in kept,
                moved,
                numbers[row] if kinds is None else kinds[row],
            )
        )
    return lines


def _text(line: Line, column: int) -> str:
    if column == NUMBER:
        return str(line.identity + 1)
    value = (None, line.x, line.y, line.sigma, line.presence)[column]
    if value is None:
        return ""
    digits = {PRESENCE: 2, SIGMA: 4}.get(column, 3)
    return f"{value:.{digits}f}".replace("-", "−")  # noqa: RUF001 (a minus sign)
