"""The row of buttons over the ruler: play, step, where it stands, speed and loops."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QToolButton, QWidget

from kpstudio.services.playback import Shown
from kpstudio.session.session import Session
from kpstudio.ui.theme import GRID, tabular
from kpstudio.ui.timeline.player import Player

BUTTONS = ("first-frame", "previous-frame", "play", "next-frame", "last-frame")
CHIPS = ("raw-numbers", "speed-normal", "loop-ab", "loop-all")


class Actions(Protocol):
    """QActions by the keys of the action table."""

    def __getitem__(self, key: str) -> QAction:
        """Return one."""
        ...


class Transport(QWidget):
    """Buttons of the one action table; `add_control` puts more at the right end."""

    def __init__(self, session: Session, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._player = session, player
        self._by_program = False
        self._chips: dict[str, QToolButton] = {}
        self.setAccessibleName("Transport")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(GRID + 2, 0, GRID + 2, 0)
        self._row.setSpacing(GRID // 2)
        self.time = self._label("Time")
        self.number = QSpinBox(self)
        self.number.setAccessibleName("Number of the frame")
        self.number.setToolTip("Type the number of a frame (Ctrl+G)")
        self.number.setKeyboardTracking(False)
        self.number.setFont(tabular(self.number.font()))
        self.number.valueChanged.connect(self._on_number)
        self.count = self._label("Number of frames")
        self.encoded = self._label("Encoded frames")
        self.encoded.setProperty("role", "secondary")
        self.pace = self._label("Playback")
        self.pace.setProperty("role", "secondary")
        self._gap = QWidget(self)
        self._gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        frame = QLabel("frame", self)
        frame.setProperty("role", "secondary")
        self.count.setProperty("role", "secondary")
        self._row.addSpacing(GRID)
        frame.setContentsMargins(GRID, 0, 0, 0)
        for widget in (self.time, frame, self.number, self.count, self.encoded, self._gap):
            self._row.addWidget(widget)
        self._row.addWidget(self.pace)
        session.view_changed.connect(self._on_view)
        player.changed.connect(self._on_player)
        player.told.connect(self._on_told)
        self._on_player()

    def _label(self, name: str) -> QLabel:
        label = QLabel(self)
        label.setAccessibleName(name)
        label.setFont(tabular(label.font()))
        return label

    def bind(self, actions: Actions) -> None:
        """Put the buttons of the actions `BUTTONS` and `CHIPS` in."""
        for place, key in enumerate(BUTTONS):
            button = self._button(actions[key], icon_only=True)
            button.setAutoRepeat(key in ("previous-frame", "next-frame"))
            self._row.insertWidget(place, button)
        for key in CHIPS:
            button = self._button(actions[key], icon_only=False)
            button.setProperty("role", "chip")
            self._chips[key] = button
            self._row.addWidget(button)
            actions[key].changed.connect(self._show_chips)
        self._show_chips()

    def add_control(self, widget: QWidget) -> None:
        """Put a button or chip at the right end."""
        self._row.addWidget(widget)

    def _button(self, action: QAction, *, icon_only: bool) -> QToolButton:
        button = QToolButton(self)
        button.setDefaultAction(action)
        style = Qt.ToolButtonStyle
        button.setToolButtonStyle(
            style.ToolButtonIconOnly if icon_only else style.ToolButtonTextOnly
        )
        button.setProperty("role", "framed")
        button.setAccessibleName(action.text().replace("&", ""))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def focus_number(self) -> None:
        """Put the keyboard on the frame's number."""
        self.number.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.number.selectAll()

    def set_encoded(self, text: str) -> None:
        """Say how far the encoding in the background is."""
        self.encoded.setText(text)
        self.encoded.setVisible(bool(text))

    # -- what it shows ---------------------------------------------------------------------------
    def _on_player(self) -> None:
        count = max(1, self._player.count)
        self._by_program = True
        self.number.setRange(1, count)
        self._by_program = False
        media = self._session.document.media
        beyond = 0 if media is None else count - media.count
        more = f" + {beyond} predicted" if beyond > 0 and media is not None else ""
        self.count.setText(f"of {media.count if media else 1}{more}")
        self._on_view()
        self._show_chips()

    def _show_chips(self) -> None:
        """Give the chips their short texts, whatever their actions are called in the menu."""
        playback, view = self._player.playback, self._session.view
        b_is_awaited = playback.mark_a is not None and playback.mark_b is None
        texts = {
            "raw-numbers": "By row" if view.raw_numbers else "Matched",
            "speed-normal": f"{playback.speed:.1f}×",  # noqa: RUF001 (times)
            "loop-ab": "A-…" if b_is_awaited else "A-B",
            "loop-all": "Loop",
        }
        for key, button in self._chips.items():
            if button.text() != texts[key]:
                button.setText(texts[key])
        matched = self._chips.get("raw-numbers")
        if matched is not None:
            frame = view.frame
            matched.setVisible(view.raw_numbers or self._session.scene.is_matched(frame))

    def _on_view(self, *_: object) -> None:
        self._show_chips()
        frame, playback = self._session.view.frame, self._player.playback
        if self.number.value() != frame + 1:
            self._by_program = True
            self.number.setValue(frame + 1)
            self._by_program = False
        media = self._session.document.media
        if media is None or not media.fps:
            self.time.setText("")
        else:
            end = clock(playback.time_of(playback.count))
            self.time.setText(f"{clock(playback.time_of(frame))} / {end}")
        self.time.setVisible(bool(self.time.text()))

    def _on_number(self, value: int) -> None:
        if not self._by_program:
            self._player.go(value - 1)

    def _on_told(self, shown: Shown) -> None:
        text = ""
        if shown.shown:
            text = f"{shown.frames_per_s:.0f} fps · {shown.dropped} dropped"
        self.pace.setText(text)


def clock(seconds: float) -> str:
    """Return a time as minutes, seconds and hundredths."""
    return f"{int(seconds) // 60:02d}:{seconds % 60:05.2f}"
