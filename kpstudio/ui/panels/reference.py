"""Whose appearance the pictures are decoded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from kpstudio.session.document import Document
from kpstudio.session.reference_edits import Reference
from kpstudio.session.session import Session
from kpstudio.ui.panels.checkerboard import GlimpseView
from kpstudio.ui.panels.panel import Panel, link_button
from kpstudio.ui.theme import GRID, Tokens

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities


class ReferencePanel(Panel):
    """Shows the picture that lends its appearance, and lets another one be chosen."""

    key = "reference"
    title = "Reference"
    least_px = 11 * GRID
    frame_wanted = Signal()
    """The shown frame shall lend its appearance."""
    choose_wanted = Signal()
    """Another picture shall."""
    own_wanted = Signal()
    """Every frame shall have its own."""

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._shown: Reference | None = None
        self.picture = GlimpseView(tokens, self)
        self.picture.setAccessibleName("Picture that lends its appearance")
        self.name = QLabel(self)
        self.name.setWordWrap(True)
        self.name.setProperty("role", "secondary")
        self.name.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.frame = link_button(
            "Frame", "Decode every frame with the appearance of the shown one", self
        )
        self.choose = link_button("File…", "Decode with the appearance of another picture", self)
        self.own = link_button("Own", "Give every frame its own appearance back", self)
        self.frame.clicked.connect(self.frame_wanted)
        self.choose.clicked.connect(self.choose_wanted)
        self.own.clicked.connect(self.own_wanted)
        column = QHBoxLayout(self)
        column.setContentsMargins(12, 4, GRID, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        column.addWidget(self.name, 1)
        session.document_changed.connect(self._on_document)
        session.picture_changed.connect(self._on_picture)
        self._show(None)

    def is_needed(self, can: Capabilities | None) -> bool:
        """Only models that draw with an appearance beside the places have one to lend."""
        return can is not None and can.takes_appearance

    def corner(self) -> list[QWidget]:
        """Return the buttons that choose."""
        return [self.frame, self.choose, self.own]

    def sizeHint(self) -> QSize:
        """Return room for the picture and the buttons."""
        return QSize(296, self.least_px)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self.picture.set_tokens(tokens)

    def _on_document(self, document: Document) -> None:
        if document.reference != self._shown:
            self._show(document.reference)

    def _on_picture(self, role: str, picture: object) -> None:
        self.frame.setEnabled(self.session.picture("input") is not None)

    def _show(self, reference: Reference | None) -> None:
        self._shown = reference
        self.own.setEnabled(reference is not None)
        self.own.setVisible(reference is not None)
        self.frame.setEnabled(self.session.picture("input") is not None)
        if reference is None:
            self.picture.show_pixels(None)
            self.name.setText("Each frame's own appearance")
            return
        from kpcore.errors import DataError
        from kpstudio.services.reference import unpacked

        self.name.setText(f"Appearance of {reference.name}")
        try:
            pixels = unpacked(reference.picture)
        except DataError:
            self.picture.show_pixels(None)
            return
        opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
        self.picture.show_pixels(np.concatenate([pixels, opaque], axis=2))
