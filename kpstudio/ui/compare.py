"""The centre of the window: one large canvas and small linked ones, or a grid of equals."""

from __future__ import annotations

import itertools

from PySide6.QtCore import QRect, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.services.pixels import psnr
from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.session.view import ROLES, Role, ViewState
from kpstudio.ui.canvas.image_view import Canvas
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.canvas.picture_view import TITLES

GAP = 8
SMALLEST = 0.2
"""Share of the width that the small canvases keep where the large one could use it all."""


class CompareView(QWidget):
    """Shows the canvases of all roles, linked in zoom and pan.

    Which one is large, and whether it is a grid, is kept in the session's view.
    """

    hint_changed = Signal(str)
    """What the mouse would do now, for the status bar."""
    pointer_moved = Signal(object)
    """Unit coordinates (x, y) under the mouse, or None."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare")
        self._session = session
        self._links = LinkedViews(self)
        self._arranged: tuple[Role, bool] | None = None
        self._media = session.document.media.key if session.document.media else 0
        self._canvases: dict[Role, Canvas] = {}
        main = session.view.main
        for role in sorted(ROLES, key=lambda role: role != main):
            canvas = Canvas(session, role, self._links, self)
            canvas.hint_changed.connect(self.hint_changed)
            canvas.pointer_moved.connect(self.pointer_moved)
            canvas.swap_wanted.connect(self._enlarge_sender)
            self._canvases[role] = canvas
        self._canvases["reconstruction"].set_title(reconstruction_title(session))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 240)
        session.view_changed.connect(self._on_view)
        session.document_changed.connect(self._on_document)
        session.picture_changed.connect(self._on_picture)
        self._arrange()

    @property
    def links(self) -> LinkedViews:
        """Zoom and pan of all canvases."""
        return self._links

    @property
    def main(self) -> Canvas:
        """The large canvas, or the one that was large before the grid."""
        return self._canvases[self._session.view.main]

    def canvas(self, role: Role) -> Canvas:
        """Return the canvas of a role."""
        return self._canvases[role]

    def set_colours(self, colours: CanvasColours) -> None:
        """Paint with the tokens of another theme."""
        for canvas in self._canvases.values():
            canvas.set_colours(colours)

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between the pictures' pixels, or show them as squares."""
        for canvas in self._canvases.values():
            canvas.set_smooth(smooth)

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(848, 640)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the canvases anew."""
        self._arrange()
        super().resizeEvent(event)

    def _enlarge_sender(self) -> None:
        canvas = self.sender()
        if isinstance(canvas, Canvas):
            self._session.update_view(main=canvas.role, grid=False)
            self.main.setFocus()

    def _on_view(self, view: ViewState) -> None:
        if (view.main, view.grid) != self._arranged:
            self._arrange()

    def _on_document(self, document: Document) -> None:
        media = document.media.key if document.media else 0
        if media != self._media:
            self._media = media
            self._links.fit()
        if not self._session.in_gesture:
            self._arrange()

    def _on_picture(self, role: str, picture: object) -> None:
        if role in ("input", "reconstruction"):
            self._canvases["reconstruction"].set_title(reconstruction_title(self._session))

    def _arrange(self) -> None:
        view = self._session.view
        self._arranged = (view.main, view.grid)
        model = self._session.document.model
        height, width = model.capabilities.image_size if model else (1, 1)
        places = arrange((self.width(), self.height()), width / height, view.main, grid=view.grid)
        for role, canvas in self._canvases.items():
            small = not view.grid and role != view.main
            if canvas.is_small is not small:
                canvas.set_small(small)
            canvas.setGeometry(places[role])
        self.setFocusProxy(self.main)
        order: list[Role] = [view.main, *(role for role in ROLES if role != view.main)]
        for before, after in itertools.pairwise(order):
            QWidget.setTabOrder(self._canvases[before], self._canvases[after])


def arrange(
    size: tuple[int, int], aspect: float, main: Role, *, grid: bool = False
) -> dict[Role, QRect]:
    """Return where each canvas goes.

    Args:
        size: (width, height) of the whole.
        aspect: Width over height of the pictures.
        main: The large one.
        grid: All alike, two by two.
    """
    width, height = size
    if grid:
        left, top = (width - GAP) // 2, (height - GAP) // 2
        columns = ((0, left), (left + GAP, width - left - GAP))
        rows = ((0, top), (top + GAP, height - top - GAP))
        return {
            role: QRect(columns[i % 2][0], rows[i // 2][0], columns[i % 2][1], rows[i // 2][1])
            for i, role in enumerate(ROLES)
        }
    others: list[Role] = [role for role in ROLES if role != main]
    beside = _along(width, height, aspect, len(others))
    below = _along(height, width, 1 / aspect, len(others))
    upright = min((width - beside[0]) / aspect, height) >= min(width / aspect, height - below[0])
    share, cell = beside if upright else below
    large = QRect(0, 0, width - share - GAP, height)
    places: dict[Role, QRect] = {
        main: large if upright else QRect(0, 0, width, height - share - GAP)
    }
    for index, role in enumerate(others):
        start, end = round(index * (cell + GAP)), round(index * (cell + GAP) + cell)
        if upright:
            places[role] = QRect(width - share, start, share, end - start)
        else:
            places[role] = QRect(start, height - share, end - start, share)
    return places


def _along(length: int, across: int, aspect: float, count: int) -> tuple[int, float]:
    """Return how a row of small canvases at the end of a side shares it with the large one.

    Args:
        length: Of the side that is shared.
        across: Of the other side, along which the small ones stand.
        aspect: Of the pictures, along the shared side over across it.
        count: Of small canvases.

    Returns:
        What the small ones take of the side, and the length of each across it.
    """
    whole = (across - GAP * (count - 1)) / count
    left_over = length - GAP - across * aspect
    share = min(whole * aspect, max(left_over, SMALLEST * length))
    return round(share), min(whole, share / aspect)


def reconstruction_title(session: Session) -> str:
    """Return the chip of the reconstruction, with how near it comes to the input."""
    title = TITLES["reconstruction"]
    made, given = session.picture("reconstruction"), session.picture("input")
    if made is None or given is None or made.frame != given.frame:
        return title
    if made.pixels.shape != given.pixels.shape:
        return title
    return f"{title} · {psnr(made.pixels, given.pixels):.1f} dB"
