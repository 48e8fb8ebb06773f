"""The open picture, folder or video and others at hand, as thumbnails."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from kpstudio.services.thumbnails import Pixels, Thumbnails
from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.ui.panels.panel import Panel, link_button
from kpstudio.ui.panels.pictures import covered, pixmap_of, placeholder
from kpstudio.ui.theme import GRID, Tokens

PATH = Qt.ItemDataRole.UserRole + 1
READ_PX = 192


class MediaPanel(Panel):
    """Click a thumbnail to open it; the first one is open."""

    key = "media"
    title = "Media"
    open_wanted = Signal(str)
    choose_wanted = Signal()

    def __init__(
        self,
        session: Session,
        tokens: Tokens,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, tokens, parent)
        self._thumbnails = thumbnails
        self._paths: tuple[str, ...] = ()
        self._pictures: dict[str, QPixmap] = {}
        self._add = link_button("Add…", "Open a picture or a video", self)
        self._add.clicked.connect(self.choose_wanted)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Pictures and videos")
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.itemActivated.connect(self._on_activated)
        self.list.itemClicked.connect(self._on_activated)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, 0, GRID, 4)
        column.addWidget(self.list)
        session.document_changed.connect(self._on_document)
        self._open_path = ""

    def corner(self) -> list[QWidget]:
        """Return the button that opens another."""
        return [self._add]

    def sizeHint(self) -> QSize:
        """Return room for two rows."""
        return QSize(232, 196)

    def set_paths(self, paths: tuple[str, ...]) -> None:
        """Tell which media are at hand, in the order to be shown."""
        if paths != self._paths:
            self._paths = paths
            self.refresh()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self._draw()

    def _on_document(self, document: Document) -> None:
        path = document.media.path if document.media else ""
        if path != self._open_path:
            self._open_path = path
            self.refresh()

    def refresh(self) -> None:
        """Show the thumbnails; those not read yet come later."""
        paths = list(self._paths)
        if self._open_path and self._open_path not in paths:
            paths.insert(0, self._open_path)
        self.list.clear()
        for path in paths:
            item = QListWidgetItem(Path(path).stem)
            item.setData(PATH, path)
            item.setToolTip(path)
            state = ", open" if path == self._open_path else ""
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{Path(path).name}{state}")
            self.list.addItem(item)
            if path == self._open_path:
                self.list.setCurrentItem(item)
        self._draw()
        for path in paths:
            if path not in self._pictures:
                self._thumbnails.ask(path, 0, READ_PX, self._on_thumbnail)

    def _on_thumbnail(self, path: str, frame: int, pixels: Pixels) -> None:
        self._pictures[path] = pixmap_of(pixels)
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit two or more columns."""
        super().resizeEvent(event)
        self._draw()

    def _draw(self) -> None:
        bar = self.list.verticalScrollBar().sizeHint().width()
        room = max(120, self.list.width() - bar - 2)
        columns = max(2, room // 136)
        width = room // columns
        picture = QSize(width - GRID, round((width - GRID) * 0.66))
        cell = QSize(width, picture.height() + self.fontMetrics().height() + GRID)
        ratio = self.devicePixelRatioF()
        self.list.setIconSize(picture)
        self.list.setGridSize(cell)
        for row in range(self.list.count()):
            item = self.list.item(row)
            known = self._pictures.get(item.data(PATH))
            drawn = (
                covered(known, picture, ratio)
                if known is not None
                else placeholder(picture, ratio, self.tokens.raised)
            )
            made = QIcon(drawn)
            made.addPixmap(drawn, QIcon.Mode.Selected)
            item.setIcon(made)

    def _on_activated(self, item: QListWidgetItem) -> None:
        path = item.data(PATH)
        if path != self._open_path:
            self.open_wanted.emit(path)
