"""The selected particle: its glimpse, presence, place and appearance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from kpcore.errors import KpError
from kpstudio.session.document import Document
from kpstudio.session.edits import Edit, MoveParticles, SetFeatures, SetPresence
from kpstudio.session.scene import Scene
from kpstudio.session.session import Session
from kpstudio.ui.panels.checkerboard import GlimpseView
from kpstudio.ui.panels.live_slider import LiveSlider
from kpstudio.ui.panels.panel import Panel, link_button
from kpstudio.ui.prediction.way_back import why_not_edited
from kpstudio.ui.theme import GRID, Tokens, tabular

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities
    from kpcore.latents import Latents

REFRESH_MS = 50
PLAYING_MS = 200
APPEARANCE_PX = 208
"""Height of the panel where particles have an appearance to be changed."""
TOP_PX = 4
LEAST_REACH = 3.0
"""Features are normal in the prior, so sliders reach at least three standard deviations."""


class ParticlePanel(Panel):
    """Edits every selected particle; shows the one with the lowest row."""

    key = "particle"
    title = "Selected particle"

    def __init__(self, session: Session, tokens: Tokens, parent: QWidget | None = None) -> None:
        super().__init__(session, tokens, parent)
        self._features: list[tuple[QLabel, LiveSlider, QLabel]] = []
        self._shown: tuple[object, ...] = ()
        self._by_program = False
        self._can: Capabilities | None = None
        self._reset = link_button("Reset appearance", "Put the appearance back as encoded", self)
        self._reset.clicked.connect(self._reset_features)
        self.glimpse = GlimpseView(tokens, self)
        self.presence = LiveSlider("Presence", 0.0, 1.0, 100, self)
        self._presence_label = QLabel("Presence", self)
        self.presence.previewed.connect(lambda value: self._preview(self._presence_edit(value)))
        self.presence.settled.connect(lambda value, g: self._settle(self._presence_edit(value), g))
        self.presence.cancelled.connect(session.cancel)
        self.place_x, self.place_y = self._spin("x"), self._spin("y")
        self._empty = QLabel(self)
        self._empty.setProperty("role", "secondary")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._content = QWidget(self)
        self._lay_out()
        self._told: tuple[object, int] = (None, -1)
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._soon)
        session.picture_changed.connect(self._on_picture)
        self._on_document(session.document)
        self.refresh()

    def _spin(self, axis: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox(self)
        spin.setRange(-1.0, 1.0)
        spin.setDecimals(3)
        spin.setSingleStep(0.01)
        spin.setKeyboardTracking(False)
        spin.setFont(tabular(spin.font()))
        spin.setAccessibleName(f"Place of the particle along {axis}")
        spin.setToolTip("-1 to 1 from one edge of the picture to the other")
        spin.setMinimumWidth(56)
        spin.valueChanged.connect(self._on_place)
        return spin

    def _lay_out(self) -> None:
        form = QGridLayout()
        form.setHorizontalSpacing(GRID)
        form.setVerticalSpacing(GRID // 2)
        form.addWidget(self._presence_label, 0, 0)
        form.addWidget(self.presence, 0, 1)
        place = QHBoxLayout()
        place.setSpacing(GRID // 2)
        for axis, spin in (("x", self.place_x), ("y", self.place_y)):
            label = QLabel(axis, self)
            label.setProperty("role", "secondary")
            place.addWidget(label)
            place.addWidget(spin, 1)
        form.addLayout(place, 1, 0, 1, 2)
        form.setColumnStretch(1, 1)
        top = QHBoxLayout()
        top.setSpacing(GRID + GRID // 2)
        top.addWidget(self.glimpse, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(form, 1)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(GRID)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        inner = QWidget(self)
        inner.setProperty("role", "panel")
        inner.setLayout(self._grid)
        self._grid.setContentsMargins(0, 0, GRID, 0)
        self._scroll = QScrollArea(self)
        self._scroll.setProperty("role", "panel")
        self._scroll.setAccessibleName("Appearance features")
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(inner)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QVBoxLayout(self._content)
        content.setContentsMargins(0, 0, 0, 0)
        content.setSpacing(GRID)
        content.addLayout(top)
        content.addWidget(self._scroll, 1)
        content.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, TOP_PX, GRID, GRID)
        column.addWidget(self._empty)
        column.addWidget(self._content, 1)

    def is_needed(self, can: Capabilities | None) -> bool:
        """Every model has particles."""
        return can is not None

    def corner(self) -> list[QWidget]:
        """Return the button that resets the appearance."""
        return [self._reset]

    def sizeHint(self) -> QSize:
        """Return room for the glimpse and a few sliders, or for what the model has of them."""
        if not self._scroll.isHidden():
            return QSize(296, APPEARANCE_PX)
        needed = max(self._content.sizeHint().height(), 2 * self.fontMetrics().lineSpacing())
        return QSize(296, needed + TOP_PX + GRID)

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        self.glimpse.set_tokens(tokens)

    # -- from the session ------------------------------------------------------------------------
    def _on_document(self, document: Document) -> None:
        can = document.model.capabilities if document.model else None
        if can is not None and can is not self._can:
            self._offer(can)
        self._soon()

    def _offer(self, can: Capabilities) -> None:
        """Show the controls of what the model's particles have."""
        self._can = can
        for widget in (self.presence, self._presence_label):
            widget.setVisible(can.presence != "none")
        self.glimpse.setVisible(can.glimpse_px > 0 and can.layers)
        self._scroll.setVisible(can.features > 0)
        self.updateGeometry()

    def _soon(self, *_: object) -> None:
        if not self._timer.isActive():
            self._timer.start(PLAYING_MS if self.session.view.playing else REFRESH_MS)

    def _on_picture(self, role: str, picture: object) -> None:
        if role == "edited":
            self._soon()

    @property
    def _rows(self) -> tuple[int, ...]:
        latents = self.session.latents
        count = latents.count if latents is not None else 0
        return tuple(sorted(row for row in self.session.view.selection if row < count))

    def refresh(self) -> None:
        """Show the selected particle as it is now."""
        self._timer.stop()
        session, rows = self.session, self._rows
        model, latents = session.document.model, session.latents
        usable = bool(rows) and model is not None and latents is not None
        self._empty.setText(_what_to_do(session.scene))
        self._empty.setVisible(not usable)
        self._content.setVisible(usable)
        self._reset.setVisible(usable and model is not None and model.capabilities.features > 0)
        if not usable or model is None or latents is None:
            self.title_changed.emit(self.title)
            return
        can = model.capabilities
        first = rows[0]
        number = self.session.scene.numbers(self.session.view.frame)[first] + 1
        several = f"{len(rows)} particles"
        self.title_changed.emit(several if len(rows) > 1 else f"Particle {number}")
        for spin in (self.place_x, self.place_y):
            spin.setEnabled(can.movable and len(rows) == 1)
        self._show_values(latents, first)
        self._show_glimpse(latents, first)

    def _show_values(self, latents: Latents, row: int) -> None:
        position = latents.rows("position")
        self._by_program = True
        for spin, value in zip((self.place_x, self.place_y), position[row], strict=True):
            if not spin.hasFocus() or self.session.in_gesture:
                spin.setValue(value)
        self._by_program = False
        presence = latents.rows("presence")
        if presence is not None:
            self.presence.show_number(presence[row])
        told = latents.feature, row
        if self.session.in_gesture and told[0] is self._told[0] and row == self._told[1]:
            return
        self._told = told
        feature = latents.rows("feature")
        self._fit_features(0 if feature is None else len(feature[0]))
        if feature is None:
            return
        reach = max(LEAST_REACH, *(1.2 * abs(value) for line in feature for value in line))
        for (_, slider, label), value in zip(self._features, feature[row], strict=True):
            if not slider.isSliderDown():
                slider.set_bounds(-reach, reach, 200)
            slider.show_number(value)
            label.setText(f"{value:.2f}".replace("-", "−"))  # noqa: RUF001 (a minus sign)

    def _fit_features(self, count: int) -> None:
        while len(self._features) > count:
            for widget in self._features.pop():
                widget.deleteLater()
        while len(self._features) < count:
            index = len(self._features)
            name = QLabel(f"Feature {index + 1}", self)
            slider = LiveSlider(f"Appearance feature {index + 1}", -1.0, 1.0, 200, self)
            value = QLabel(self)
            value.setFont(tabular(value.font()))
            value.setMinimumWidth(self.fontMetrics().horizontalAdvance("−88.88"))  # noqa: RUF001
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setAccessibleName(f"Value of feature {index + 1}")
            slider.previewed.connect(partial(self._preview_feature, index))
            slider.settled.connect(partial(self._settle_feature, index))
            slider.cancelled.connect(self.session.cancel)
            for column, widget in enumerate((name, slider, value)):
                self._grid.addWidget(widget, index, column)
            self._features.append((name, slider, value))
        self._grid.setRowStretch(count, 1)

    def _show_glimpse(self, latents: Latents, row: int) -> None:
        picture = self.session.picture("edited")
        if picture is None or picture.extras is None:
            if picture is None:
                self.glimpse.show_pixels(None)
            return
        glimpses = picture.extras.get("glimpses")
        kept = self.session.document.kept(self.session.view.frame)
        if glimpses is not None and len(glimpses) < latents.count:
            places = sorted(kept)
            row = places.index(row) if row in kept else -1
        usable = glimpses is not None and 0 <= row < len(glimpses)
        shown = (id(glimpses), row)
        if shown != self._shown:
            self._shown = shown
            self.glimpse.show_pixels(glimpses[row] if usable and glimpses is not None else None)

    # -- from the user ---------------------------------------------------------------------------
    def _presence_edit(self, value: float) -> Edit:
        return SetPresence(self.session.view.frame, self._rows, (value,) * len(self._rows))

    def _feature_edit(self, index: int, value: float) -> Edit | None:
        frame, rows = self.session.view.frame, self._rows
        held = self.session.history.document.latents(frame)
        feature = held.rows("feature") if held is not None else None
        if feature is None or not rows:
            return None
        values = tuple(
            tuple(value if at == index else old for at, old in enumerate(feature[row]))
            for row in rows
        )
        return SetFeatures(frame, rows, values)

    def _preview_feature(self, index: int, value: float) -> None:
        self._preview(self._feature_edit(index, value))

    def _settle_feature(self, index: int, value: float, gesture: str) -> None:
        self._settle(self._feature_edit(index, value), gesture)

    def _on_place(self, *_: object) -> None:
        rows = self._rows
        if self._by_program or len(rows) != 1:
            return
        place = ((self.place_x.value(), self.place_y.value()),)
        self._settle(MoveParticles(self.session.view.frame, rows, place), "")

    def _reset_features(self) -> None:
        frame, rows = self.session.view.frame, self._rows
        original = self.session.document.original(frame)
        feature = original.rows("feature") if original is not None else None
        if feature is not None and rows:
            values = tuple(tuple(feature[row]) for row in rows)
            self._settle(SetFeatures(frame, rows, values), "")

    def _preview(self, edit: Edit | None) -> None:
        if edit is not None and self._rows:
            self._guard(lambda: self.session.preview(edit))

    def _settle(self, edit: Edit | None, gesture: str) -> None:
        if edit is not None and self._rows:
            self._guard(lambda: self.session.commit(edit, gesture))

    def _guard(self, change: Any) -> None:
        try:
            change()
        except KpError as error:
            self.session.notify(str(error), "error")


def _what_to_do(scene: Scene) -> str:
    why, branch = why_not_edited(scene), scene.compared
    if why:
        return f"{why}."
    if branch is not None and not branch.follows:
        return "Press W to drag particles here, in a what-if."
    return "Select a particle on the canvas or in the table."
