"""Paints one canvas, on screen or into a recording: picture, layers, particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter

from kpstudio.session.view import LayerView, Role
from kpstudio.ui.canvas.damage import Ground
from kpstudio.ui.canvas.ellipses import EllipseLayer
from kpstudio.ui.canvas.landmark_items import paint_landmarks
from kpstudio.ui.canvas.mapping import Framing, Point, Viewport
from kpstudio.ui.canvas.marks import Mark, Place
from kpstudio.ui.canvas.overlays import Bytes, Extras, picture_image, tinted
from kpstudio.ui.canvas.particle_items import ParticleOverlay
from kpstudio.ui.canvas.springs import paint_springs
from kpstudio.ui.canvas.trails import TrailLayer

if TYPE_CHECKING:
    from kpstudio.session.pictures import Picture
    from kpstudio.session.session import Session

_LOCAL = frozenset({"picture", "particles", "ellipses", "labels"})
"""Layers that paint the picture, or nothing far from a particle."""

_SHARED_HUE = 3
"""Of a map that shows all particles at once."""

SHARP = 14.0
"""From this many screen pixels per pixel of the picture on, its pixels are shown as squares."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a canvas paints.

    Attributes:
        background: Around the picture.
        font: Of the particles' numbers.
        small: Only the picture and small dots.
        smooth: Interpolate between the picture's pixels until they are very large.
    """

    background: QColor
    font: QFont
    small: bool = False
    smooth: bool = True


class Renderer:
    """Holds the images of one canvas's pictures and paints them with everything over them."""

    def __init__(self, session: Session, role: Role) -> None:
        self._session = session
        self._role: Role = role
        self._images: dict[Role, tuple[Bytes, QImage]] = {}
        self._extras: dict[Role, tuple[Picture, Extras]] = {}
        self._confidence: tuple[object, QImage] | None = None
        self._ellipses = EllipseLayer()
        self._trails = TrailLayer(session)

    @property
    def shown_role(self) -> Role:
        """Whose picture is shown: the input's while the original is held up."""
        return "input" if self._session.view.show_original else self._role

    @property
    def frame(self) -> int:
        """Of the picture: while frames play it may be a little behind the session's."""
        view = self._session.view
        picture = self._session.picture(self.shown_role) if view.playing else None
        return picture.frame if picture is not None else view.frame

    @property
    def place(self) -> Place:
        """Where the particles of what is shown are: after edits, or as encoded."""
        return "encoded" if self.shown_role in ("input", "reconstruction") else "edited"

    def image_size(self) -> tuple[int, int]:
        """Return (width, height) of the picture, or of the model's pictures while there is none."""
        picture = self._session.picture(self.shown_role)
        model = self._session.document.model
        if model is not None:
            height, width = model.capabilities.image_size
        elif picture is not None:
            height, width = picture.pixels.shape[:2]
        else:
            height, width = 1, 1
        return width, height

    def viewport(self, framing: Framing, view: tuple[float, float]) -> Viewport:
        """Return where the picture lies on a view of `view` points."""
        return Viewport.of(framing, self.image_size(), view)

    def paint(
        self,
        painter: QPainter,
        view: tuple[float, float],
        viewport: Viewport,
        marks: tuple[Mark, ...],
        look: Look,
        part: QRectF | None = None,
    ) -> None:
        """Paint the canvas's content, without chip, border or rubber band.

        Args:
            painter: On a surface of `view` points.
            view: (width, height) in points.
            viewport: Where the picture lies.
            marks: The particles, in painting order.
            look: Colours and font.
            part: Of the view, to be painted; None for all of it.
        """
        target = _target(viewport)
        everything = QRectF(0, 0, *view)
        empty = self._session.picture(self.shown_role) is None
        if empty or not target.contains(everything):
            painter.fillRect(everything, look.background)
        if empty:
            return
        ratio = painter.device().devicePixelRatio()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(
            QPainter.RenderHint.SmoothPixmapTransform,
            look.smooth and viewport.scale * ratio < SHARP,
        )
        overlay = ParticleOverlay(marks, viewport, small=look.small, part=part)
        for layer in self._layers():
            self._paint_layer(painter, layer, view, viewport, overlay, look)

    def ground(self, viewport: Viewport, look: Look, *more: object) -> Ground | None:
        """Return what else the painting depends on; None when that cannot be compared.

        Args:
            viewport: Where the picture lies.
            look: How it is painted.
            more: What the canvas paints besides.
        """
        rest: list[object] = [*more, look, self.shown_role]
        ellipses, parents = False, ()
        for layer in self._layers():
            rest.append(layer)
            if layer.name in ("input", "reconstruction"):
                rest.append(self._session.picture(layer.name))
            elif layer.name == "springs":
                parents = () if look.small else self._parents()
            elif layer.name not in _LOCAL and self._is_painted(layer, look):
                return None
            ellipses = ellipses or layer.name == "ellipses"
        glimpse = 0.0 if look.small else self._glimpse_px() * viewport.scale
        return Ground(viewport, glimpse, ellipses and not look.small, parents, tuple(rest))

    def _parents(self) -> tuple[int, ...]:
        """Return the row of each row's parent; nothing when no particle hangs on another."""
        latents = self._session.document.latents(self.frame)
        if latents is None or max(latents.topology.level, default=0) == 0:
            return ()
        return latents.topology.parent

    def _layers(self) -> list[LayerView]:
        """Return the layers that are shown, the lowest first."""
        view = self._session.view
        return [
            layer
            for layer in reversed(view.layers)
            if layer.visible
            and layer.opacity > 0
            and not (view.overlays_hidden and layer.name != "picture")
        ]

    def _is_painted(self, layer: LayerView, look: Look) -> bool:
        """Return whether a layer that is shown paints anything of this document."""
        if look.small:
            return False
        if layer.name == "landmarks":
            return self._session.regressor is not None
        if layer.name == "trails":
            return bool(self._session.document.encoded.tracks.links_before(self.frame))
        return True

    def _paint_layer(
        self,
        painter: QPainter,
        layer: LayerView,
        view: tuple[float, float],
        viewport: Viewport,
        overlay: ParticleOverlay,
        look: Look,
    ) -> None:
        name, opacity = layer.name, layer.opacity
        target = _target(viewport)
        if name == "picture":
            self._paint_picture(painter, self.shown_role, target, opacity)
        elif name == "particles":
            overlay.paint_particles(painter, opacity, self._glimpse_px())
        elif name == "ellipses":
            if not look.small:
                live = self._session.view.playing
                self._ellipses.paint(painter, overlay.marks, viewport, view, opacity, live=live)
        elif name == "springs":
            if not look.small and (parents := self._parents()):
                paint_springs(painter, overlay.marks, parents, viewport, opacity, overlay.part)
        elif name == "trails":
            if not look.small:
                self._trails.paint(painter, overlay.marks, self.frame, viewport, opacity)
        elif name == "labels":
            overlay.paint_labels(painter, opacity, look.font)
        elif look.small or self._role == "difference":
            return
        elif name == "input" or name == "reconstruction":
            self._paint_picture(painter, name, target, opacity)
        elif name == "landmarks":
            self._paint_landmarks(painter, viewport, opacity)
        elif name == "confidence":
            self._paint_confidence(painter, target, opacity)
        elif (extras := self._current_extras()) is None:
            return
        elif name == "glimpses":
            extras.paint_glimpses(painter, overlay.marks, viewport, self._glimpse_px(), opacity)
        else:
            extras.paint_map(painter, name, target, opacity, self._only())

    def _only(self) -> frozenset[int] | None:
        """Return the rows whose maps are drawn; None for all."""
        view = self._session.view
        return view.selection if view.solo and view.selection else None

    def _paint_landmarks(self, painter: QPainter, viewport: Viewport, opacity: float) -> None:
        regressor, document, frame = self._session.regressor, self._session.document, self.frame
        edited = self.place == "edited"
        latents = document.latents(frame) if edited else document.original(frame)
        if regressor is None or latents is None:
            return
        told, truth = regressor.told(latents), regressor.truth.get(frame, ())
        errors = regressor.errors(told, frame)
        paint_landmarks(painter, truth, told, errors, viewport, opacity)

    def _paint_confidence(self, painter: QPainter, target: QRectF, opacity: float) -> None:
        evidence, only = self._session.evidence, self._only()
        if evidence is None or evidence.confidence is None or evidence.frame != self.frame:
            return
        maps, hues = evidence.confidence, self._session.scene.hues(self.frame)
        if len(maps) == 1 or len(maps) > len(hues):
            only, hues = None, (_SHARED_HUE,) * len(maps)
        key = (evidence, only, hues)
        if self._confidence is None or self._confidence[0] != key:
            self._confidence = key, tinted(maps, hues[: len(maps)], only=only)
        painter.setOpacity(opacity)
        painter.drawImage(target, self._confidence[1])
        painter.setOpacity(1.0)

    def _paint_picture(self, painter: QPainter, role: Role, target: QRectF, opacity: float) -> None:
        picture = self._session.picture(role)
        if picture is None:
            return
        held = self._images.get(role)
        if held is None or held[0] is not picture.pixels:
            held = (picture.pixels, picture_image(picture.pixels))
            self._images[role] = held
        painter.setOpacity(opacity)
        painter.drawImage(target, held[1])
        painter.setOpacity(1.0)

    def row_at(self, unit: Point) -> int | None:
        """Return the row of the object that is seen at a place of the picture.

        None where there is none, where the model gives no masks, and of a difference.
        """
        model = self._session.document.model
        if model is None or not model.capabilities.masks or self.shown_role == "difference":
            return None
        extras = self._current_extras()
        return extras.row_at(unit) if extras is not None else None

    def _glimpse_px(self) -> int:
        model = self._session.document.model
        return model.capabilities.glimpse_px if model else 0

    def _current_extras(self) -> Extras | None:
        """Return the overlays of the last exact picture of what is shown."""
        role: Role = "edited" if self.shown_role == "edited" else "reconstruction"
        picture = self._session.picture(role)
        document, frame = self._session.document, self.frame
        latents = document.latents(frame)
        if picture is None or latents is None:
            self._extras.pop(role, None)
            return None
        held = self._extras.get(role)
        if picture.extras is not None and (held is None or held[0] is not picture):
            arrays = picture.extras
            count = len(next(iter(arrays.values()), ()))  # as many in each
            rows = range(latents.count)
            if count < latents.count:
                rows = sorted(document.kept(frame))
            numbers = self._session.scene.hues(frame)
            identities = [numbers[row] for row in rows]
            held = (picture, Extras(arrays, rows, identities))
            self._extras[role] = held
        return held[1] if held and held[0].frame == frame else None


def _target(viewport: Viewport) -> QRectF:
    return QRectF(viewport.left, viewport.top, viewport.width, viewport.height)


def empty_sentence(session: Session, role: Role) -> str:
    """Return what an empty canvas says: what to drop or open, or what is awaited."""
    document = session.document
    if document.model is None and document.media is None:
        return "Drop a checkpoint and a picture or video here, or open them from the File menu"
    if document.model is None:
        return "" if role == "input" else "Drop a checkpoint here to find this picture's particles"
    if document.media is None:
        return "Drop a picture, a folder or a video here to find its particles"
    return ""


def background_of(role: Role, canvas: str) -> QColor:
    """Return what surrounds the picture: differences are dark in every theme."""
    return QColor(Qt.GlobalColor.black) if role == "difference" else QColor(canvas)
