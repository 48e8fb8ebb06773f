"""A picture with its particles, painted: what a canvas is before there is a hand on it.

Plain widget painting: measured as fast as any scene graph here, and there is nothing that leaks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.session.view import Role, ViewState
from kpstudio.ui.canvas.damage import Content, damage
from kpstudio.ui.canvas.frame import paint_band, paint_chip, paint_frame, paint_sentence
from kpstudio.ui.canvas.linked import LinkedViews
from kpstudio.ui.canvas.mapping import Framing, Point, Viewport, fit_scale, zoomed
from kpstudio.ui.canvas.marks import SEEN, Mark, MarkReader
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.canvas.particle_items import ParticleOverlay
from kpstudio.ui.canvas.rendering import Look, Renderer, background_of, empty_sentence

TITLES: dict[Role, str] = {
    "input": "Input",
    "reconstruction": "Reconstruction",
    "edited": "Edited",
    "difference": "Edited − reconstruction",  # noqa: RUF001 (a minus sign is meant)
}

_CHANGES = QEvent.Type(QEvent.registerEventType())
"""Sent by a view to itself: something is due."""

RELAXED_MS = 33
"""How often at most a view repaints that the hand is not on."""


class PictureView(QWidget):
    """Shows the picture of one role with its layers and particles, zoomed with all others."""

    painted = Signal(object)
    """At the end of a paint: the `Picture` that is on screen now, or None."""

    def __init__(
        self,
        session: Session,
        role: Role,
        links: LinkedViews | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(f"canvas-{role}")
        self._session = session
        self._role: Role = role
        self._links = links or LinkedViews(self)
        self._colours = CanvasColours()
        self._renderer = Renderer(session, role)
        self._reader = MarkReader(session)
        self._small = False
        self._smooth = True
        self._title = TITLES[role]
        self._marks: tuple[Mark, ...] | None = None
        self._is_due = False
        self._is_expected = False
        self._shown: Content | None = None
        self._looks: tuple[object, ...] = ()
        self._frame_image = QImage()
        self._calm = QTimer(self, singleShot=True, interval=RELAXED_MS)
        self._calm.timeout.connect(self._show_changes)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(80, 80)
        self._links.changed.connect(self.update)
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._on_view)
        session.picture_changed.connect(self._on_picture)
        session.evidence_changed.connect(self._refresh)
        self._describe()

    # -- values ----------------------------------------------------------------------------------
    @property
    def session(self) -> Session:
        """What is open."""
        return self._session

    @property
    def role(self) -> Role:
        """Which picture it shows."""
        return self._role

    @property
    def links(self) -> LinkedViews:
        """Zoom and pan of all canvases."""
        return self._links

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies on the widget."""
        return self._renderer.viewport(self._links.framing, (self.width(), self.height()))

    @property
    def overlay(self) -> ParticleOverlay:
        """The particles as they are painted now."""
        return ParticleOverlay(self._current_marks(), self.viewport, small=self._small)

    def mark_at(self, at: Point) -> Mark | None:
        """Return the particle under a place of the view: its dot, or else its object.

        An object goes before the dot of a particle that is off.
        """
        overlay = self.overlay
        dot = overlay.hit(at)
        if dot is not None and dot.prominence == SEEN:
            return dot
        row = self._renderer.row_at(self.viewport.to_unit(at))
        return next((mark for mark in overlay.marks if mark.row == row and mark.kept), dot)

    @property
    def is_small(self) -> bool:
        """Whether it stands in the column of small canvases."""
        return self._small

    def set_small(self, small: bool) -> None:
        """Show only the picture and small dots, and repaint at leisure; a double click swaps."""
        self._small = small
        self._forget_marks()

    def set_title(self, title: str) -> None:
        """Set the text of the chip in the corner."""
        if title != self._title:
            self._title = title
            self._describe()
            self._refresh()

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
        return QSize(160, 160) if self._small else QSize(640, 640)

    # -- zoom ------------------------------------------------------------------------------------
    def fit(self) -> None:
        """Show the whole picture."""
        self._links.fit()

    def actual_size(self) -> None:
        """Show one pixel of the picture on one point of the screen."""
        scale = fit_scale(self.viewport.image, (self.width(), self.height()))
        self._links.show(Framing(self._links.framing.centre, 1.0 / scale))

    def frame_selection(self) -> None:
        """Show the selected particles large, or the whole picture when none is selected."""
        model = self._session.document.model
        glimpse = model.capabilities.glimpse_px if model else 0
        margin = self.viewport.pixel_step(max(8, glimpse))
        self._links.frame([mark.at for mark in self._current_marks() if mark.selected], margin)

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by `factor` about a place of the widget (its middle when None)."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        framing = zoomed(self.viewport, self._links.framing, (at.x(), at.y()), factor)
        self._links.show(framing)

    # -- what a hand adds ------------------------------------------------------------------------
    @property
    def has_hand(self) -> bool:
        """Whether a gesture is under way on it."""
        return False

    @property
    def has_ring(self) -> bool:
        """Whether to paint the focus ring."""
        return False

    @property
    def band(self) -> QRectF | None:
        """The rubber band, in points of the view."""
        return None

    # -- recording -------------------------------------------------------------------------------
    def grab_frame(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return the canvas with everything over it, without border, as pixels for a recorder.

        Args:
            size: (width, height) of the frame in pixels; None for the widget's own.

        Returns:
            (height, width, 4) bytes in the order blue, green, red, 255. They stay valid until the
            next call, so a recorder that keeps them copies them.
        """
        width, height = size or (self.width(), self.height())
        if self._frame_image.size() != QSize(width, height):
            self._frame_image = QImage(width, height, QImage.Format.Format_RGB32)
        with QPainter(self._frame_image) as painter:
            viewport = self._renderer.viewport(self._links.framing, (width, height))
            marks = self._current_marks()
            self._renderer.paint(painter, (width, height), viewport, marks, self._look())
        return np.frombuffer(self._frame_image.constBits(), np.uint8).reshape(height, width, 4)

    # -- what the session says -------------------------------------------------------------------
    def _on_document(self, document: Document) -> None:
        self._forget_marks()

    def _on_view(self, view: ViewState) -> None:
        self._describe()
        self._forget_marks()
        looks = (view.layers, view.overlays_hidden, view.show_original, view.main, view.solo)
        if looks != self._looks:
            self._looks = looks
            self._refresh()

    def _on_picture(self, role: str, picture: object) -> None:
        if role == self._role or role in ("input", "reconstruction"):
            if self._session.view.playing:
                self._marks = None
            self._refresh()

    def _forget_marks(self) -> None:
        """Look at the particles again; repaint when anything of them is different."""
        before, self._marks = self._marks, None
        if before is None or self._current_marks() != before:
            self._refresh()

    def _refresh(self) -> None:
        """Repaint: at once where the hand is, else soon."""
        if not self._small and (self._role == self._session.view.main or self.has_hand):
            if not self._is_due:
                QCoreApplication.postEvent(self, QEvent(_CHANGES))
            self._is_due = True
        elif not self._calm.isActive():
            self._calm.start()

    def _current_marks(self) -> tuple[Mark, ...]:
        if self._marks is None:
            if self._small and self._role in ("reconstruction", "difference"):
                self._marks = ()
            else:
                self._marks = self._reader.read(self._renderer.place, self._renderer.frame)
        return self._marks

    def _look(self) -> Look:
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 1.15 if font.pointSizeF() > 0 else 11.0)
        empty = self._session.picture(self._role) is None
        background = background_of("edited" if empty else self._role, self._colours.canvas)
        return Look(background, font, self._small, self._smooth)

    def _describe(self) -> None:
        """Say in words what is shown, for screen readers."""
        self.setAccessibleName(self._title)
        chosen = sorted(self._session.view.selection)
        latents = self._session.latents
        total = self._session.document.found(latents.count) if latents is not None else 0
        if latents is None:
            text = empty_sentence(self._session, self._role) or "No picture yet"
        elif chosen:
            known = self._session.scene.numbers(self._session.view.frame)
            numbers = ", ".join(str(known[r] + 1) for r in chosen if r < len(known))
            text = f"{len(chosen)} of {total} particles selected: {numbers}"
        else:
            text = f"{total} particles, none selected; N selects the next one"
        if text != self.accessibleDescription():
            self.setAccessibleDescription(text)

    # -- painting --------------------------------------------------------------------------------
    def _show_changes(self) -> None:
        """Paint what differs from what is on screen, now."""
        self._is_due = False
        content = self._content()
        region = damage(self._shown, content)
        self._shown = content
        if region is not None and region.isEmpty():
            self.painted.emit(self._session.picture(self._renderer.shown_role))
            return
        self._is_expected = True
        if region is None:
            self.repaint()
        else:
            self.repaint(region)
        if self._is_expected:  # hidden: nothing was painted
            self._is_expected, self._shown = False, None

    def customEvent(self, event: QEvent) -> None:
        """Paint what was found to be due, unless it was painted meanwhile."""
        if event.type() == _CHANGES and self._is_due:
            self._show_changes()

    def _content(self) -> Content:
        """Return what the next paint will show."""
        marks, look, viewport = self._current_marks(), self._look(), self.viewport
        title = TITLES["input"] if self._session.view.show_original else self._title
        frame = (title, self._colours, self.has_ring, self.size(), self.devicePixelRatioF())
        ground = self._renderer.ground(viewport, look, *frame) if self.band is None else None
        picture = self._session.picture(self._renderer.shown_role)
        overlay = ParticleOverlay(marks, viewport, small=self._small)
        labels = overlay.label_areas(look.font, self.devicePixelRatioF())
        return Content(ground, None if picture is None else picture.pixels, marks, labels)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, its particles, and the frame around them."""
        if not self._is_expected:  # part of it, or into a picture that somebody takes of it
            self._shown = None
        self._is_expected = False
        with QPainter(self) as painter:
            view = (float(self.width()), float(self.height()))
            viewport = self.viewport
            part = QRectF(event.region().boundingRect())
            self._renderer.paint(painter, view, viewport, self._current_marks(), self._look(), part)
            picture = self._session.picture(self._renderer.shown_role)
            if picture is None:
                sentence = empty_sentence(self._session, self._role)
                paint_sentence(painter, view, sentence, self._colours, small=self._small)
            band = self.band
            if band is not None:
                paint_band(painter, band, self._colours)
            title = TITLES["input"] if self._session.view.show_original else self._title
            paint_chip(painter, title, self.font(), view[0])
            paint_frame(painter, view, self._colours, focused=self.has_ring)
        self.painted.emit(picture)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Repaint all: the picture is placed anew."""
        self.update()
        super().resizeEvent(event)
