"""Thumbnails along the axis: what is at each place, at whatever zoom."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QWidget

from kpstudio.services.thumbnails import Pixels, Thumbnails
from kpstudio.session.document import Document, MediaInfo
from kpstudio.session.session import Session
from kpstudio.ui.panels.pictures import pixmap_of
from kpstudio.ui.theme import Tokens
from kpstudio.ui.timeline.axis import FrameAxis
from kpstudio.ui.timeline.strip import Strip

HEIGHT = 48
GAP = 4
WIDEST = 3.0
"""Times its height that a thumbnail is wide at most."""
_KEPT = 600
_ASK_MS = 80


class Film(Strip):
    """As many thumbnails as fit, each of the frame under its middle; a press goes there."""

    def __init__(
        self,
        session: Session,
        axis: FrameAxis,
        tokens: Tokens,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, axis, tokens, HEIGHT, parent)
        self._thumbnails = thumbnails
        self._media: MediaInfo | None = None
        self._drawn = QPixmap()
        self._places: list[tuple[int, QRectF]] = []
        self._pictures: OrderedDict[int, QPixmap] = OrderedDict()
        self._soon = QTimer(self, singleShot=True, interval=_ASK_MS)
        self._soon.timeout.connect(self._ask)
        self.setAccessibleName("Thumbnails")
        self.setToolTip("Press and drag to scrub · wheel: zoom · Shift+wheel: move along")
        axis.changed.connect(self._soon.start)
        axis.changed.connect(self._redraw)
        session.document_changed.connect(self._on_document)
        self._on_document(session.document)

    def _on_document(self, document: Document) -> None:
        if document.media is not self._media:
            self._media = document.media
            self._pictures.clear()
            self._thumbnails.forget(self._on_thumbnail)
            self._soon.start()
            self._redraw()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self._redraw()

    def _redraw(self) -> None:
        self._drawn = QPixmap()
        self.update()

    def places(self) -> list[tuple[int, QRectF]]:
        """Return which frame is shown where."""
        if self._media is None:
            return []
        width, height = self._media.size
        aspect = min(WIDEST, max(0.5, width / height)) if width and height else 1.5
        area = self.area()
        tall = HEIGHT - GAP
        end = min(area.right(), self.axis.cell(self.axis.media_count - 1)[1])
        count = max(1, int((end - area.left() + GAP) // (tall * aspect + GAP)))
        if self.axis.px_per_frame > tall * aspect:
            return self._one_each(aspect)
        pitch = (end - area.left() + GAP) / count
        found: list[tuple[int, QRectF]] = []
        for place in range(count):
            box = QRectF(area.left() + place * pitch, GAP / 2, pitch - GAP, tall)
            frame = min(self.axis.media_count - 1, self.axis.frame_at(box.center().x()))
            found.append((frame, box))
        return found

    def _one_each(self, aspect: float) -> list[tuple[int, QRectF]]:
        """Return a place for every frame, when there is room."""
        tall = HEIGHT - GAP
        wide = min(self.axis.px_per_frame - GAP, tall * aspect)
        return [
            (frame, QRectF(self.axis.x_of(frame) - wide / 2, GAP / 2, wide, tall))
            for frame in self.axis.visible_frames
            if frame < self.axis.media_count
        ]

    def _ask(self) -> None:
        media = self._media
        if media is None:
            return
        self._thumbnails.forget(self._on_thumbnail)
        for frame, _ in self.places():
            if frame not in self._pictures:
                self._thumbnails.ask(media.path, frame, 128, self._on_thumbnail)

    def _on_thumbnail(self, path: str, frame: int, pixels: Pixels) -> None:
        if self._media is None or path != self._media.path:
            return
        self._pictures[frame] = pixmap_of(pixels)
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        self._redraw()

    def paint_frames(self, painter: QPainter) -> None:
        """Paint the thumbnails, drawn once; the shown frame's has a rim."""
        ratio = painter.device().devicePixelRatio()
        size = QSize(round(self.width() * ratio), round(self.height() * ratio))
        if self._drawn.size() != size:
            self._drawn = self._draw(size, ratio)
        painter.drawPixmap(0, 0, self._drawn)
        shown = self.session.view.frame
        nearest = min(self._places, key=lambda item: abs(item[0] - shown), default=None)
        if nearest is not None and shown < self.axis.media_count:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(self.tokens.accent))
            painter.drawRoundedRect(nearest[1].adjusted(-1, -1, 1, 1), 4, 4)

    def _draw(self, size: QSize, ratio: float) -> QPixmap:
        """Return all thumbnails on one picture."""
        drawn = QPixmap(size)
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        self._places = self.places()
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for frame, box in self._places:
            shape = QPainterPath()
            shape.addRoundedRect(box, 3, 3)
            picture = self._pictures.get(frame)
            painter.setClipPath(shape)
            if picture is None:
                painter.fillRect(box, QColor(self.tokens.raised))
            else:
                painter.drawPixmap(box, picture, middle(picture, box))
        painter.end()
        return drawn

    def _on_view(self, view: object) -> None:
        if self.session.view.frame != self._shown:
            self._shown = self.session.view.frame
            self.update()


def middle(picture: QPixmap, area: QRectF) -> QRectF:
    """Return the part of a picture that fills an area without being stretched."""
    width, height = picture.width(), picture.height()
    wanted = area.width() / area.height()
    if width / height > wanted:
        part = height * wanted
        return QRectF((width - part) / 2, 0, part, height)
    part = width / wanted
    return QRectF(0, (height - part) / 2, width, part)
