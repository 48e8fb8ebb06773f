"""The chip in the tool bar that says where the model runs, and chooses it."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QToolButton, QWidget

from kpstudio.services.engine import Engine
from kpstudio.services.settings import SettingsStore
from kpstudio.session.session import Session
from kpstudio.ui.action_tables.entry import Choice
from kpstudio.ui.status import device_name


class DeviceChip(QToolButton):
    """Shows the open model's device, or the one where the next will be opened."""

    def __init__(
        self,
        session: Session,
        engine: Engine,
        settings: SettingsStore,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._engine, self._settings = session, engine, settings
        self.setProperty("role", "chip")
        self.setAccessibleName("Device")
        self.setToolTip("Choose where the model runs")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        engine.timings_changed.connect(self.refresh)
        settings.changed.connect(self.refresh)
        session.document_changed.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the device as it is now."""
        model = self._session.document.model
        shown = self._engine.device if model else self._settings.settings.device
        text = device_name(shown)
        if self.text() != text:
            self.setText(text)

    def choices(self) -> list[Choice]:
        """Return where models can run."""
        model, devices = self._session.document.model, self._engine.devices()
        current = self._engine.device if model else self._settings.settings.device
        entries = devices if model else ["auto", *devices]
        return [
            Choice(
                device_name(device),
                partial(self._choose, device),
                device == current or device.partition(":")[0] == current,
            )
            for device in entries
        ]

    def _choose(self, device: str) -> None:
        self._settings.update(device=device)
        if self._session.document.model is not None:
            self._engine.set_device(device)
