"""What is seen with nothing open: the demo, samples, what was open lately, and how to begin."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from kpstudio.services.library import Demo
from kpstudio.services.thumbnails import Pixels, Thumbnails
from kpstudio.ui.demo_card import DemoCard
from kpstudio.ui.panels.panel import head_font
from kpstudio.ui.panels.pictures import covered, pixmap_of, placeholder
from kpstudio.ui.theme import GRID, Tokens, app_icon, icon, scaled

TILE = QSize(152, 112)
DEMO_COLUMNS = 3
WIDTH_PX = 680
COLUMNS = 4
RECENT = 6


class WelcomePage(QWidget):
    """One click opens the demo; everything else is one click away too."""

    demo_wanted = Signal(str)
    """Name of a demo; empty for the first."""
    open_wanted = Signal(str)
    sample_wanted = Signal(str)
    choose_wanted = Signal(str)
    """"file", "folder" or "run"."""
    back_wanted = Signal()
    """To what is open behind the page."""

    def __init__(
        self, tokens: Tokens, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setAccessibleName("Welcome")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._tokens = tokens
        self._thumbnails = thumbnails
        self._tiles: dict[str, QToolButton] = {}
        self._pictures: dict[str, QPixmap] = {}
        self._body = QWidget()
        self._body.setObjectName("welcome")
        self._body.setFixedWidth(WIDTH_PX)
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(0, 4 * GRID, 0, 4 * GRID)
        self._column.setSpacing(GRID)
        self._add_title()
        self._demos: dict[str, DemoCard] = {}
        self._demos_head = self._head("Demos")
        self._demo_grid = QGridLayout()
        self._demo_grid.setSpacing(GRID)
        self._column.addLayout(self._demo_grid)
        self._samples_head = self._head("Try it on a sample")
        self._grid = QGridLayout()
        self._grid.setSpacing(GRID)
        self._column.addLayout(self._grid)
        self._recent_head = self._head("Open again")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(4)
        self._column.addLayout(self._recent)
        self._column.addSpacing(GRID)
        self._add_hint()
        self._column.addStretch(1)
        holder = QWidget()
        holder.setObjectName("welcome")
        row = QHBoxLayout(holder)
        row.addStretch(1)
        row.addWidget(self._body)
        row.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setObjectName("welcome-scroll")
        scroll.setAccessibleName("Welcome")
        scroll.setWidgetResizable(True)
        scroll.setWidget(holder)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(scroll)
        self.set_recent(())
        self.set_samples(())
        self.set_demos(())

    def _add_title(self) -> None:
        self._icon = QLabel(self)
        self._icon.setPixmap(app_icon().pixmap(56, 56))
        self._icon.setAccessibleName("Icon of Keypoint Studio")
        title = QLabel("Keypoint Studio", self)
        title.setFont(scaled(title.font(), 1.8))
        title.setProperty("role", "title")
        said = QLabel("Take the particles of a scene in your hand, and see the picture follow.")
        said.setProperty("role", "secondary")
        said.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(title)
        words.addWidget(said)
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        self.back = QPushButton(self)
        self.back.setProperty("role", "primary")
        self.back.clicked.connect(self.back_wanted)
        self.back.hide()
        row.addWidget(self.back)
        self._column.addLayout(row)
        self._column.addSpacing(GRID)
        self.demo = QPushButton("Open the demo", self)
        self.demo.setProperty("role", "primary")
        self.demo.setToolTip("Open the shipped model on a shipped picture")
        self.demo.clicked.connect(lambda: self.demo_wanted.emit(""))
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addWidget(self.demo)
        for text, what, tip in (
            ("Open…", "file", "Open a checkpoint, picture, video or session"),
            ("Open folder…", "folder", "Open a folder of pictures"),
            ("Watch a run…", "run", "Watch a training run, also one that is still going"),
        ):
            button = QPushButton(text, self)
            button.setToolTip(tip)
            button.clicked.connect(partial(self.choose_wanted.emit, what))
            buttons.addWidget(button)
        buttons.addStretch(1)
        self._column.addLayout(buttons)

    def _head(self, text: str) -> QLabel:
        self._column.addSpacing(GRID)
        label = QLabel(text.upper(), self)
        label.setAccessibleName(text)
        label.setProperty("role", "head")
        label.setFont(head_font(label.font()))
        self._column.addWidget(label)
        return label

    def _add_hint(self) -> None:
        hint = QFrame(self)
        hint.setProperty("role", "card")
        label = QLabel(
            "Drop a checkpoint, a picture, a video, a folder, a run or a session anywhere on "
            "this window to open it.",
            hint,
        )
        label.setProperty("role", "secondary")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setWordWrap(True)
        inner = QVBoxLayout(hint)
        inner.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        inner.addWidget(label)
        self._column.addWidget(hint)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self._tokens = tokens
        for card in self._demos.values():
            card.set_tokens(tokens)
        for path in self._tiles:
            self._draw(path)
        for row in range(self._recent.count()):
            item = self._recent.itemAt(row)
            button = item.widget() if item is not None else None
            if isinstance(button, QPushButton):
                button.setIcon(icon(str(button.property("icon-name")), tokens, tokens.secondary))

    def set_back(self, name: str) -> None:
        """Offer the way back to what is open, by its name; none when that is empty."""
        self.back.setVisible(bool(name))
        shown = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, 24 * GRID)
        self.back.setText(f"Back to {shown}".replace("&", "&&"))
        self.back.setAccessibleName(f"Back to {name}")
        self.back.setToolTip(f"Go on with {name}")

    def set_demos(self, demos: tuple[Demo, ...]) -> None:
        """Show what each of the shipped models can do, one card each."""
        for card in self._demos.values():
            card.deleteLater()
        self._demos.clear()
        self._demos_head.setVisible(bool(demos))
        for place, demo in enumerate(demos):
            card = DemoCard(demo, self._tokens, self)
            card.clicked.connect(partial(self.demo_wanted.emit, demo.name))
            self._demos[demo.name] = card
            self._demo_grid.addWidget(card, place // DEMO_COLUMNS, place % DEMO_COLUMNS)
            self._thumbnails.ask(str(demo.sample), demo.frame, 256, card.show_picture)
        for column in range(DEMO_COLUMNS):
            self._demo_grid.setColumnStretch(column, 1)

    def card(self, name: str) -> DemoCard:
        """Return the card of a demo."""
        return self._demos[name]

    def set_samples(self, paths: tuple[str, ...]) -> None:
        """Show the shipped pictures."""
        for tile in self._tiles.values():
            tile.deleteLater()
        self._tiles.clear()
        self._samples_head.setVisible(bool(paths))
        for place, path in enumerate(paths[: 2 * COLUMNS]):
            name = Path(path).stem.replace("-", " ").capitalize()
            tile = QToolButton(self)
            tile.setText(name)
            tile.setProperty("role", "framed")
            tile.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            tile.setIconSize(QSize(TILE.width(), TILE.height() - 3 * GRID))
            tile.setAccessibleName(f"Open the sample {name}")
            tile.setToolTip(f"Open the sample {name}")
            tile.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            tile.clicked.connect(partial(self.sample_wanted.emit, path))
            self._tiles[path] = tile
            self._grid.addWidget(tile, place // COLUMNS, place % COLUMNS)
            self._draw(path)
            self._thumbnails.ask(path, 0, 192, self._on_thumbnail)

    def set_recent(self, paths: tuple[str, ...]) -> None:
        """Show what was open lately."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self._recent_head.setVisible(bool(paths))
        for path in paths[:RECENT]:
            button = QPushButton(self)
            folder = str(Path(path).parent)
            metrics = button.fontMetrics()
            room = WIDTH_PX - metrics.horizontalAdvance(Path(path).name) - 8 * GRID
            shown = metrics.elidedText(folder, Qt.TextElideMode.ElideMiddle, max(80, room))
            button.setText(f"{Path(path).name}   {shown}".replace("&", "&&"))
            button.setProperty("role", "card")
            name = icon_of(path)
            button.setProperty("icon-name", name)
            button.setIcon(icon(name, self._tokens, self._tokens.secondary))
            button.setToolTip(path)
            button.setAccessibleName(f"Open {Path(path).name} again")
            button.clicked.connect(partial(self.open_wanted.emit, path))
            self._recent.addWidget(button)

    def _on_thumbnail(self, path: str, frame: int, pixels: Pixels) -> None:
        self._pictures[path] = pixmap_of(pixels)
        self._draw(path)

    def _draw(self, path: str) -> None:
        tile, known = self._tiles.get(path), self._pictures.get(path)
        if tile is None:
            return
        ratio, size = self.devicePixelRatioF(), tile.iconSize()
        drawn = (
            covered(known, size, ratio)
            if known is not None
            else placeholder(size, ratio, self._tokens.line)
        )
        tile.setIcon(QIcon(drawn))


def icon_of(path: str) -> str:
    """Return the icon that stands for a path, by its ending alone."""
    ending = Path(path).suffix.lower()
    if ending in (".safetensors", ".pth", ".pt", ".ckpt"):
        return "particles"
    if ending == ".kps":
        return "save"
    if ending in (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".gif"):
        return "video"
    return "image" if ending else "folder"
