"""A picture of one future or of two: beside the other, over it with a divider, or their difference.

What the mouse does over it is in `future_canvas`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.services.pixels import difference
from kpstudio.session.branches import TRUTH
from kpstudio.session.session import Session
from kpstudio.ui.canvas.frame import paint_chip, paint_frame, paint_sentence
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.mapping import Framing, Viewport, fit_scale, zoomed
from kpstudio.ui.canvas.marks import FAINTEST, Mark
from kpstudio.ui.canvas.overlays import Bytes, picture_image
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.canvas.particle_items import ParticleOverlay
from kpstudio.ui.canvas.rendering import SHARP
from kpstudio.ui.prediction.futures import branch_of, colour_of_branch, name_of, title_of
from kpstudio.ui.prediction.trails import TrailReader

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.services.prediction import Predictions

Place = Literal["first", "second", "wipe", "difference"]

OUTSIDE = 1.02
"""Particles farther out than this, in unit coordinates, have left the picture."""


class FutureView(QWidget):
    """Paints the shown frame of the compared futures."""

    def __init__(
        self,
        session: Session,
        predictions: Predictions,
        links: LinkedViews,
        trails: TrailReader,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._predictions, self._links = session, predictions, links
        self._trails = trails
        self._place: Place = "second"
        self._colours = CanvasColours()
        self._smooth = True
        self._images: dict[str, tuple[Bytes, QImage]] = {}
        self._changed: tuple[Bytes, Bytes, QImage] | None = None
        self.setObjectName("future-canvas")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(80, 80)
        links.changed.connect(self.update)
        session.view_changed.connect(self._on_view)
        session.document_changed.connect(self._on_document)
        predictions.pictured.connect(self._on_picture)
        predictions.changed.connect(self._on_document)

    # -- values ----------------------------------------------------------------------------------
    @property
    def session(self) -> Session:
        """What is open."""
        return self._session

    @property
    def links(self) -> LinkedViews:
        """Zoom and pan of all canvases."""
        return self._links

    @property
    def place(self) -> Place:
        """Which of the futures it shows."""
        return self._place

    def set_place(self, place: Place) -> None:
        """Show one future, or both."""
        if place != self._place:
            self._place = place
            self.update()

    @property
    def keys(self) -> tuple[str, ...]:
        """The futures it shows."""
        shown = self._session.view.comparison
        if self._place == "first":
            return (shown.first,)
        return (shown.second,) if self._place == "second" else (shown.first, shown.second)

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies on the widget."""
        return self._viewport_of((self.width(), self.height()))

    def set_colours(self, colours: CanvasColours) -> None:
        """Paint with the tokens of another theme."""
        self._colours = colours
        self.update()

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between the picture's pixels, or show them as squares."""
        self._smooth = smooth
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(480, 480)

    # -- zoom ------------------------------------------------------------------------------------
    def actual_size(self) -> None:
        """Show one pixel of the picture on one point of the screen."""
        scale = fit_scale(self.viewport.image, (self.width(), self.height()))
        self._links.show(Framing(self._links.framing.centre, 1.0 / scale))

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by `factor` about a place of the widget (its middle when None)."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        framing = zoomed(self.viewport, self._links.framing, (at.x(), at.y()), factor)
        self._links.show(framing)

    def frame_selection(self) -> None:
        """Show the selected particles large, or the whole picture when none is selected."""
        margin = self.viewport.pixel_step(16)
        self._links.frame([mark.at for mark in self._marks(self.keys[-1]) if mark.selected], margin)

    # -- what others say -------------------------------------------------------------------------
    def _on_view(self, *_: object) -> None:
        if self.isVisible():
            self._describe()
            self.update()

    def _on_document(self, *_: object) -> None:
        if self.isVisible():
            self.update()

    def _on_picture(self, frame: int) -> None:
        if frame == self._session.view.frame and self.isVisible():
            self.update()

    def _describe(self) -> None:
        document, frame = self._session.document, self._session.view.frame
        names = " and ".join(name_of(document, key) for key in self.keys)
        words = {"wipe": "Wipe between ", "difference": "Difference of "}.get(self._place, "")
        self.setAccessibleName(f"{words}{names}")
        self.setAccessibleDescription(f"Frame {frame + 1}")

    # -- painting --------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the futures, and the frame around them."""
        painter = QPainter(self)
        view = (float(self.width()), float(self.height()))
        self.paint(painter, view)
        paint_frame(painter, view, self._colours, focused=False)
        painter.end()

    def paint(self, painter: QPainter, view: tuple[float, float]) -> None:
        """Paint the content without its border.

        Args:
            painter: On a surface of `view` points.
            view: (width, height) in points.
        """
        viewport = self._viewport_of(view)
        dark = self._place == "difference"
        painter.fillRect(QRectF(0, 0, *view), QColor("#000000" if dark else self._colours.canvas))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = painter.device().devicePixelRatio()
        smooth = self._smooth and viewport.scale * ratio < SHARP
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        first, second = self.keys[0], self.keys[-1]
        if self._place == "wipe":
            x = self._divider(viewport)
            self._paint_part(painter, viewport, first, QRectF(0, 0, x, view[1]), view)
            self._paint_part(painter, viewport, second, QRectF(x, 0, view[0] - x, view[1]), view)
            self._paint_divider(painter, x, view[1])
            self._paint_title(painter, second, view, right=True)
        elif dark:
            self._paint_difference(painter, viewport, view)
        else:
            self._paint_part(painter, viewport, second, QRectF(0, 0, *view), view)
        self._paint_title(painter, first, view)

    def _viewport_of(self, view: tuple[float, float]) -> Viewport:
        model = self._session.document.model
        height, width = model.capabilities.image_size if model else (1, 1)
        return Viewport.of(self._links.framing, (width, height), view)

    def _paint_part(
        self,
        painter: QPainter,
        viewport: Viewport,
        key: str,
        part: QRectF,
        view: tuple[float, float],
    ) -> None:
        painter.save()
        painter.setClipRect(part)
        image = self._image(key)
        if image is None:
            self._paint_nothing(painter, key, part)
        else:
            target = QRectF(viewport.left, viewport.top, viewport.width, viewport.height)
            painter.drawImage(target, image)
            self._paint_overlays(painter, viewport, key)
        painter.restore()

    def _paint_overlays(self, painter: QPainter, viewport: Viewport, key: str) -> None:
        view = self._session.view
        if view.overlays_hidden:
            return
        trails = view.layer("trails")
        roll = self._predictions.trailing(key)
        if trails.visible and roll is not None and view.frame >= roll.frame:
            selected = self._session.scene.selection_at(roll.frame)
            lines = self._trails.read(roll)
            lines.paint(painter, viewport, view.frame, selected, trails.opacity)
        overlay = ParticleOverlay(self._marks(key), viewport)
        particles, labels = view.layer("particles"), view.layer("labels")
        if particles.visible:
            overlay.paint_particles(painter, particles.opacity, 0)
        if labels.visible:
            overlay.paint_labels(painter, labels.opacity, self._label_font())

    def _label_font(self) -> QFont:
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 1.15 if font.pointSizeF() > 0 else 11.0)
        return font

    def _paint_nothing(self, painter: QPainter, key: str, part: QRectF) -> None:
        document, frame = self._session.document, self._session.view.frame
        branch, roll = branch_of(document, key), self._predictions.roll(key)
        media = document.media
        if branch is None and media is not None and frame >= media.count:
            text = f"The video ends at frame {media.count}"
        elif branch is not None and frame > branch.end:
            text = f"'{branch.name}' ends at frame {branch.end + 1}; Shift+P predicts more"
        elif roll is not None and roll.failure:
            text = roll.failure[:1].upper() + roll.failure[1:]
        elif roll is not None and roll.stopped:
            text = "Not predicted: it was stopped before this frame"
        else:
            text = ""
        if text and part.width() > 160:
            painter.translate(part.topLeft())
            paint_sentence(painter, (part.width(), part.height()), text, self._colours, small=False)
            painter.translate(-part.topLeft())

    def _paint_difference(
        self, painter: QPainter, viewport: Viewport, view: tuple[float, float]
    ) -> None:
        frame = self._session.view.frame
        first, second = (self._predictions.picture(key, frame) for key in self.keys)
        if first is None or second is None or first.shape != second.shape:
            for key in self.keys:
                if self._predictions.picture(key, frame) is None:
                    self._paint_nothing(painter, key, QRectF(0, 0, *view))
                    break
            return
        kept = self._changed
        if kept is None or kept[0] is not first or kept[1] is not second:
            kept = first, second, picture_image(difference(second, first))
            self._changed = kept
        target = QRectF(viewport.left, viewport.top, viewport.width, viewport.height)
        painter.drawImage(target, kept[2])
        self._paint_overlays(painter, viewport, self.keys[1])

    def _paint_divider(self, painter: QPainter, x: float, height: float) -> None:
        painter.setOpacity(1.0)
        painter.fillRect(QRectF(x - 2.0, 0, 4.0, height), QColor(0, 0, 0, 110))
        painter.fillRect(QRectF(x - 1.0, 0, 2.0, height), QColor(255, 255, 255))
        middle = QPointF(x, height / 2)
        painter.setPen(QPen(QColor(255, 255, 255), 2.0))
        painter.setBrush(QColor(10, 11, 14, 210))
        painter.drawEllipse(middle, 13.0, 13.0)
        for side in (-1, 1):
            tip = QPointF(x + side * 8.0, height / 2)
            for turn in (-1, 1):
                painter.drawLine(tip, QPointF(x + side * 4.0, height / 2 + turn * 4.0))

    def _paint_title(
        self, painter: QPainter, key: str, view: tuple[float, float], *, right: bool = False
    ) -> None:
        document, frame = self._session.document, self._session.view.frame
        if self._place == "difference":
            names = [name_of(document, key) for key in reversed(self.keys)]
            text = " − ".join(names)  # noqa: RUF001 (a minus sign is meant)
        else:
            text = title_of(document, self._predictions, key, frame)
        painter.setOpacity(1.0)
        painter.save()
        if right:
            room = view[0] / 2
            width = min(room, painter.fontMetrics().horizontalAdvance(text) + 40.0)
            painter.translate(view[0] - width - 4.0, 0.0)
            paint_chip(painter, text, self.font(), width + 8.0)
        else:
            room = view[0] / 2 if self._place == "wipe" else view[0]
            paint_chip(painter, text, self.font(), room)
        branch = branch_of(document, key)
        if branch is not None and self._place != "difference":
            painter.fillRect(QRectF(8.0, 8.0, 3.0, 20.0), QColor(colour_of_branch(branch)))
        painter.restore()

    def _image(self, key: str) -> QImage | None:
        """Return a future's picture; while the next one is made, the last one stays."""
        pixels = self._predictions.picture(key, self._session.view.frame)
        held = self._images.get(key)
        if pixels is None:
            roll = self._predictions.roll(key)
            coming = self._is_coming(key) and (roll is None or not roll.failure)
            return held[1] if held is not None and coming else None
        if held is None or held[0] is not pixels:
            held = pixels, picture_image(pixels)
            self._images[key] = held
        return held[1]

    def _is_coming(self, key: str) -> bool:
        document, frame = self._session.document, self._session.view.frame
        branch, roll = branch_of(document, key), self._predictions.roll(key)
        if branch is None:
            return document.media is not None and frame < document.media.count
        return frame <= branch.end and (roll is None or not roll.stopped)

    def _marks(self, key: str) -> tuple[Mark, ...]:
        session, frame = self._session, self._session.view.frame
        roll = self._predictions.roll(key)
        latents = self._predictions.latents(key, frame)
        if latents is None:
            return ()
        at = roll.frame if roll is not None and roll.latents(frame) is latents else frame
        chosen = session.scene.selection_at(at) if key != TRUTH else frozenset[int]()
        return marks_of(latents, session.scene.numbers(at), chosen, self.hovered(key))

    # -- what a hand adds ------------------------------------------------------------------------
    def hovered(self, key: str) -> int | None:
        """Return the row of a future's particle under the mouse."""
        return None

    def _divider(self, viewport: Viewport) -> float:
        """Return where the divider is, in points from the view's left edge."""
        return viewport.left + viewport.width * self._session.view.comparison.divider


def marks_of(
    latents: Latents, numbers: tuple[int, ...], selected: frozenset[int], hovered: int | None
) -> tuple[Mark, ...]:
    """Return the marks of particles that no edit moved, in painting order."""
    presence = latents.rows("presence")
    marks: list[Mark] = []
    for row, (x, y) in enumerate(latents.rows("position")):
        here = None if presence is None else presence[row]
        certainty = 1.0 if here is None else max(FAINTEST, min(1.0, here))
        identity = numbers[row] if row < len(numbers) else row
        if max(abs(x), abs(y)) > OUTSIDE:
            continue
        marks.append(
            Mark(
                row, identity, (x, y), certainty=certainty, selected=row in selected,
                hovered=row == hovered, presence=here,
            )
        )  # fmt: skip
    return tuple(sorted(marks, key=lambda mark: (mark.selected, mark.certainty)))
