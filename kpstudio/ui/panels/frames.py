"""Frames of the open folder or video: step, go to a number, or pick a thumbnail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from kpstudio.services.thumbnails import Pixels, Thumbnails
from kpstudio.session.document import Document, MediaInfo
from kpstudio.session.session import Session
from kpstudio.session.view import ViewState
from kpstudio.ui.panels.panel import Panel
from kpstudio.ui.panels.pictures import pixmap_of
from kpstudio.ui.theme import GRID, Tokens, icon, tabular

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities

THUMB = QSize(64, 44)


class FramesPanel(Panel):
    """Buttons, a slider over all frames, a number, and a strip of thumbnails."""

    key = "frames"
    title = "Frames"

    def __init__(
        self,
        session: Session,
        tokens: Tokens,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, tokens, parent)
        self._media: MediaInfo | None = None
        self._by_program = False
        self._back = self._button("step-back", "Previous frame (,)", -1)
        self._ahead = self._button("step", "Next frame (.)", 1)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setAccessibleName("Frame")
        self.slider.valueChanged.connect(self._on_value)
        self.number = QSpinBox(self)
        self.number.setAccessibleName("Number of the frame")
        self.number.setToolTip("Type the number of a frame")
        self.number.setKeyboardTracking(False)
        self.number.setFont(tabular(self.number.font()))
        self.number.valueChanged.connect(lambda value: self._on_value(value - 1))
        self._count = QLabel(self)
        self._count.setFont(tabular(self._count.font()))
        self._count.setProperty("role", "secondary")
        self.strip = FrameStrip(session, tokens, thumbnails, self)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        for widget in (self._back, self._ahead, self.number, self._count):
            row.addWidget(widget)
        row.addWidget(self.slider, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, GRID)
        column.setSpacing(GRID // 2)
        column.addLayout(row)
        column.addWidget(self.strip)
        column.addStretch(1)
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._on_view)

    def _button(self, name: str, tip: str, step: int) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("role", "framed")
        button.setProperty("icon-name", name)
        button.setIcon(icon(name, self.tokens))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setAutoRepeat(True)
        button.clicked.connect(lambda: self._on_value(self.session.view.frame + step))
        return button

    def is_needed(self, can: Capabilities | None) -> bool:
        """Only for media of more than one frame."""
        media = self.session.document.media
        return media is not None and media.count > 1

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self.strip.set_tokens(tokens)
        for button in (self._back, self._ahead):
            button.setIcon(icon(str(button.property("icon-name")), tokens))

    def sizeHint(self) -> QSize:
        """Return one row of buttons and one of thumbnails."""
        return QSize(640, THUMB.height() + 4 * GRID + self.number.sizeHint().height())

    def focus_number(self) -> None:
        """Put the keyboard on the frame's number."""
        self.number.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.number.selectAll()

    def _on_document(self, document: Document) -> None:
        if document.media is not self._media:
            self._media = document.media
            self.strip.set_media(document.media)
            self._on_view(self.session.view)

    def _on_view(self, view: ViewState) -> None:
        count = self._media.count if self._media else 1
        self._by_program = True
        self.slider.setRange(0, count - 1)
        self.number.setRange(1, count)
        self.slider.setValue(view.frame)
        self.number.setValue(view.frame + 1)
        self._by_program = False
        time = ""
        if self._media is not None and self._media.fps:
            time = f"  ·  {clock(view.frame / self._media.fps)} / {clock(count / self._media.fps)}"
        self._count.setText(f"of {count}{time}")
        self.strip.show_frame(view.frame)

    def _on_value(self, frame: int) -> None:
        if not self._by_program and self._media is not None:
            held = min(self._media.count - 1, max(0, frame))
            self.session.update_view(frame=held)


class FrameStrip(QWidget):
    """As many frames as fit, evenly spread; a click goes there."""

    def __init__(
        self,
        session: Session,
        tokens: Tokens,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._tokens = tokens
        self._thumbnails = thumbnails
        self._media: MediaInfo | None = None
        self._frame = 0
        self._pictures: dict[int, QPixmap] = {}
        self.setFixedHeight(THUMB.height() + 4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Strip of frames")
        self.setToolTip("Click to go to a frame; Left and Right step through the strip")

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        self._tokens = tokens
        self.update()

    def set_media(self, media: MediaInfo | None) -> None:
        """Show other media."""
        self._media = media
        self._pictures.clear()
        self._thumbnails.forget(self._on_thumbnail)
        self._ask()
        self.update()

    def show_frame(self, frame: int) -> None:
        """Mark the shown frame."""
        if frame != self._frame:
            self._frame = frame
            self.update()

    def frames(self) -> list[int]:
        """Return which frames have a place in the strip."""
        if self._media is None or self._media.count < 2:
            return []
        places = max(1, min(self._media.count, (self.width() + 4) // (THUMB.width() + 4)))
        last = self._media.count - 1
        return [round(place * last / max(1, places - 1)) for place in range(places)]

    def _ask(self) -> None:
        if self._media is None:
            return
        for frame in self.frames():
            if frame not in self._pictures:
                self._thumbnails.ask(self._media.path, frame, 128, self._on_thumbnail)

    def _on_thumbnail(self, path: str, frame: int, pixels: Pixels) -> None:
        if self._media is not None and path == self._media.path:
            self._pictures[frame] = pixmap_of(pixels)
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for what now fits."""
        super().resizeEvent(event)
        self._thumbnails.forget(self._on_thumbnail)
        self._ask()

    def _places(self) -> list[tuple[int, QRectF]]:
        frames = self.frames()
        if not frames:
            return []
        pitch = (self.width() + 4) / len(frames)
        return [
            (frame, QRectF(place * pitch + 1, 2, pitch - 6, THUMB.height()))
            for place, frame in enumerate(frames)
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the thumbnails and the mark."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        places = self._places()
        shown = min(places, key=lambda item: abs(item[0] - self._frame), default=None)
        for frame, area in places:
            picture = self._pictures.get(frame)
            if picture is None:
                painter.fillRect(area, QColor(self._tokens.raised))
            else:
                painter.drawPixmap(area, picture, _middle(picture, area))
            mark = shown is not None and frame == shown[0]
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(self._tokens.accent if mark else self._tokens.line))
            painter.drawRoundedRect(area.adjusted(-0.5, -0.5, 0.5, 0.5), 3, 3)
            if mark:
                painter.drawRoundedRect(area.adjusted(-1.5, -1.5, 1.5, 1.5), 3, 3)
        if self.hasFocus():
            painter.setPen(QColor(self._tokens.text))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame under the pointer."""
        places = self._places()
        if places:
            x = event.position().x()
            frame = min(places, key=lambda item: abs(item[1].center().x() - x))[0]
            self._session.update_view(frame=frame)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step through the strip."""
        frames, key = self.frames(), event.key()
        if frames and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            at = min(range(len(frames)), key=lambda place: abs(frames[place] - self._frame))
            at += 1 if key == Qt.Key.Key_Right else -1
            self._session.update_view(frame=frames[min(len(frames) - 1, max(0, at))])
        else:
            super().keyPressEvent(event)


def _middle(picture: QPixmap, area: QRectF) -> QRectF:
    """Return the part of a picture that fills an area without being stretched."""
    width, height = picture.width(), picture.height()
    wanted = area.width() / area.height()
    if width / height > wanted:
        part = height * wanted
        return QRectF((width - part) / 2, 0, part, height)
    part = width / wanted
    return QRectF(0, (height - part) / 2, width, part)


def clock(seconds: float) -> str:
    """Return a time as minutes, seconds and hundredths."""
    return f"{int(seconds) // 60:02d}:{seconds % 60:05.2f}"
