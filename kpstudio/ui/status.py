"""The status bar: what the mouse would do, where it is, what is selected, how fast it goes."""

from __future__ import annotations

import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from kpstudio.services.engine import Engine, Timings
from kpstudio.services.playback import Shown
from kpstudio.session.landmarks import mean_error
from kpstudio.session.session import Session
from kpstudio.ui.theme import tabular

REFRESH_MS = 100


class StatusBar(QStatusBar):
    """Reads the session and the engine at most ten times a second."""

    def __init__(self, session: Session, engine: Engine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._engine = session, engine
        self._pointer: tuple[float, float] | None = None
        self._busy = ""
        self._is_covered = False
        self._played = Shown()
        self._recording_since: float | None = None
        self.setSizeGripEnabled(False)
        self.setAccessibleName("Status")
        self._hint = self._label("What the mouse would do")
        self._hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.addWidget(self._hint, 1)
        self._where = self._label("Position of the pointer")
        self._selected = self._label("Selection")
        self._landmarks = self._label("Error of the landmarks")
        self._speed = self._label("Speed")
        self._device = self._label("Model and device")
        self._record = self._label("Recording")
        self._record.setProperty("state", "recording")
        self._dirty = self._label("Unsaved edits")
        self._dirty.setProperty("state", "dirty")
        for label in (
            self._where, self._landmarks, self._selected, self._speed, self._device, self._record,
            self._dirty,
        ):  # fmt: skip
            self.addPermanentWidget(label)
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._clock = QTimer(self, interval=500)
        self._clock.timeout.connect(self.refresh)
        for signal in (session.document_changed, session.view_changed, session.saved_changed):
            signal.connect(self._soon)
        session.evidence_changed.connect(self._soon)
        engine.timings_changed.connect(self._soon)
        engine.busy_changed.connect(self._on_busy)
        self.refresh()

    def _label(self, name: str) -> QLabel:
        label = QLabel(self)
        label.setAccessibleName(name)
        label.setFont(tabular(label.font()))
        return label

    # -- told by the window ----------------------------------------------------------------------
    def set_hint(self, text: str) -> None:
        """Say what the mouse would do now."""
        self._hint.setText(text)
        self._hint.setToolTip(text)

    def set_pointer(self, place: object) -> None:
        """Tell the unit coordinates under the pointer, or None."""
        self._pointer = place if isinstance(place, tuple) else None
        self._soon()

    def set_covered(self, covered: bool) -> None:
        """Tell whether the welcome page covers what is open; then nothing is said of it."""
        if covered is not self._is_covered:
            self._is_covered = covered
            self.refresh()

    def set_recording(self, since: float | None) -> None:
        """Tell when the recording began (`time.monotonic`), or None."""
        self._recording_since = since
        if since is None:
            self._clock.stop()
        else:
            self._clock.start()
        self.refresh()

    def set_played(self, shown: Shown) -> None:
        """Tell how playback goes."""
        self._played = shown
        self._soon()

    def _on_busy(self, text: str) -> None:
        self._busy = text
        self.refresh()

    def _soon(self, *_: object) -> None:
        if not self._timer.isActive():
            self._timer.start()

    # -- read-outs -------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Write everything anew; labels without anything to say take no room."""
        timings = self._engine.timings
        covered = self._is_covered
        self._put(self._where, "" if covered else self._position())
        self._put(self._selected, "" if covered else self._selection())
        self._put(self._landmarks, "" if covered else self._landmark_error())
        self._put(self._speed, self._busy or ("" if covered else self._speed_of(timings)))
        state = "preview" if self._busy or timings.tier == "preview" else "good"
        if self._speed.property("state") != state:
            self._speed.setProperty("state", state)
            self._speed.style().unpolish(self._speed)
            self._speed.style().polish(self._speed)
        model = None if covered else self._session.document.model
        self._put(self._device, f"{model.title} · {device_name(timings.device)}" if model else "")
        self._device.setToolTip(f"{timings.cache_mb:.0f} MB of encoded frames are kept")
        self._put(self._record, self._recorded())
        self._put(self._dirty, "" if self._session.is_saved else "● unsaved")

    @staticmethod
    def _put(label: QLabel, text: str) -> None:
        if label.text() != text:
            label.setText(text)
        label.setVisible(bool(text))

    def _position(self) -> str:
        if self._pointer is None:
            return ""
        x, y = self._pointer
        model, shown = self._session.document.model, self._session.picture("input")
        if model is not None:
            height, width = model.capabilities.image_size
        elif shown is not None:
            height, width = shown.pixels.shape[:2]
        else:
            return ""
        column = min(width - 1, max(0, int((x + 1) * width / 2)))
        row = min(height - 1, max(0, int((y + 1) * height / 2)))
        return f"x {x:+.3f}  y {y:+.3f} · px {column:3d}, {row:3d}"

    def _selection(self) -> str:
        latents = self._session.latents
        if latents is None:
            return ""
        total = self._session.document.found(latents.count)
        text = f"{len(self._session.view.selection)} of {total} selected"
        model = self._session.document.model
        if model is not None and model.capabilities.presence == "count":
            number = self._session.scene.present()
            text = f"{number} {'object' if number == 1 else 'objects'} · {text}"
        return text

    def _landmark_error(self) -> str:
        session = self._session
        regressor, latents = session.regressor, session.latents
        if regressor is None or latents is None:
            return ""
        told = regressor.told(latents)
        errors = regressor.errors(told, session.view.frame)
        mean = mean_error(errors)
        lines = [f"{regressor.title}: fitted to {regressor.fitted} pictures"]
        lines += [
            f"{name}: {error:.1f} %" for name, error in zip(regressor.names, errors, strict=False)
        ]
        self._landmarks.setToolTip("\n".join(lines))
        if mean is None:
            return "landmarks told, not annotated here" if told else ""
        return f"landmarks {mean:.1f} % of the {regressor.unit}"

    def _speed_of(self, timings: Timings) -> str:
        if self._session.view.playing:
            played = self._played
            return f"playing · {played.frames_per_s:.0f} fps · {played.dropped} dropped"
        if self._session.picture("edited") is None:
            return ""
        took = timings.preview_ms if timings.tier == "preview" else timings.decode_ms
        text = f"{timings.tier} · {took:.{1 if took < 10 else 0}f} ms"
        if self._session.in_gesture and timings.frames_per_s >= 2:
            text += f" · {timings.frames_per_s:.0f} fps"
        return text

    def _recorded(self) -> str:
        if self._recording_since is None:
            return ""
        seconds = int(time.monotonic() - self._recording_since)
        return f"● REC {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def device_name(device: str) -> str:
    """Return how a torch device is called in the window."""
    kind, _, index = device.partition(":")
    name = {"cpu": "CPU", "cuda": "CUDA", "mps": "MPS", "auto": "Automatic"}.get(kind, kind)
    return f"{name} {index}" if index not in ("", "0") else name
