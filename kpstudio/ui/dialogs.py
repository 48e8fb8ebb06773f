"""Small windows: unsaved edits, preferences, what a model says, diagnostics, about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from kpcore import __version__
from kpstudio.services.settings import Settings, SettingsStore
from kpstudio.session.document import ModelInfo
from kpstudio.ui.status import device_name
from kpstudio.ui.theme import GRID, app_icon

Answer = Literal["save", "discard", "cancel"]
Recovery = Literal["recover", "discard", "later"]


def ask_unsaved(parent: QWidget, edits: int) -> Answer:
    """Ask what to do with edits that are not saved."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setWindowTitle("Unsaved edits")
    count = "One edit is" if edits == 1 else f"{edits} edits are"
    box.setText(f"{count} not saved.")
    box.setInformativeText("Save the session first, or discard the edits?")
    save = box.addButton("Save", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(save)
    box.setEscapeButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is save:
        return "save"
    return "discard" if clicked is discard else "cancel"


def ask_recovery(parent: QWidget, name: str, edits: int, when: str) -> Recovery:
    """Ask what to do with what a studio left behind that did not end well."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setWindowTitle("Recover edits")
    count = "one edit" if edits == 1 else f"{edits} edits"
    box.setText(f"The studio did not end well while '{name}' was open ({when}).")
    box.setInformativeText(f"Its {count} can be recovered.")
    recover = box.addButton("Recover", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
    later = box.addButton("Ask again later", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(recover)
    box.setEscapeButton(later)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is recover:
        return "recover"
    return "discard" if clicked is discard else "later"


class TextDialog(QDialog):
    """Text to read and to copy."""

    def __init__(self, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.text = QPlainTextEdit(text, self)
        self.text.setReadOnly(True)
        self.text.setAccessibleName(title)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
        buttons.button(QDialogButtonBox.StandardButton.Close).setDefault(True)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.resize(680, 460)


def model_text(model: ModelInfo) -> str:
    """Return everything known of a model as lines of text."""
    can = model.capabilities
    height, width = can.image_size
    said = {
        "Title": model.title,
        "Family": model.family,
        "File": model.path,
        "Trained for": f"{model.step:,} steps",
        "Weights": f"{model.parameters:,}",
        "Device": device_name(model.device),
        "Pictures": f"{width} x {height} pixels",
        "Particles": str(can.particles),
        "Appearance": f"{can.features} features" if can.features else "none",
        "Presence": can.presence,
        "Positions": "can be moved" if can.movable else "cannot be moved",
        "Uncertainty": "of each position" if can.uncertainty else "none",
        "Layers": f"glimpses of {can.glimpse_px} pixels" if can.layers else "none",
    }
    lines = [f"{name + ':':<14}{value}" for name, value in said.items()]
    return "\n".join([*lines, "", *_facts(model.facts)])


def _facts(facts: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]


class AboutDialog(QDialog):
    """Version, licence and whose ideas this stands on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("About Keypoint Studio")
        picture = QLabel(self)
        picture.setPixmap(app_icon().pixmap(64, 64))
        picture.setAccessibleName("Icon")
        text = QLabel(
            f"<b>Keypoint Studio {__version__}</b><br><br>Explore and edit the latents of "
            "unsupervised keypoint models with your hands.<br><br>Licence: Apache-2.0. Colours "
            "of particles: Paul Tol.",
            self,
        )
        text.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(text, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        column.addLayout(row)
        column.addWidget(buttons)
        self.setMinimumWidth(440)


class Preferences(QDialog):
    """Every setting that has no other place in the window; in force at once."""

    def __init__(
        self, store: SettingsStore, devices: list[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Preferences")
        self._store = store
        settings = store.settings
        self.theme = self._combo(
            "Theme", [("Follow the system", "system"), ("Light", "light"), ("Dark", "dark")],
            settings.theme,
        )  # fmt: skip
        known = dict.fromkeys(["auto", *devices, settings.device])
        self.device = self._combo(
            "Device for models", [(device_name(name), name) for name in known], settings.device
        )
        self.fps = QSpinBox(self)
        self.fps.setRange(5, 60)
        self.fps.setSuffix(" frames per second")
        self.fps.setValue(settings.record_fps)
        self.fps.setAccessibleName("Rate of recordings")
        self.folder = QLineEdit(settings.record_folder, self)
        self.folder.setPlaceholderText("The system's folder for videos")
        words = self.folder.fontMetrics().horizontalAdvance(self.folder.placeholderText())
        self.folder.setMinimumWidth(words + 3 * GRID)
        self.folder.setAccessibleName("Folder for recordings")
        browse = QPushButton("Choose…", self)
        browse.setAccessibleName("Choose the folder for recordings")
        browse.clicked.connect(self._choose)
        self.autosave = QCheckBox("Keep a log of edits to recover them after a crash", self)
        self.autosave.setChecked(settings.autosave)
        self.welcome = QCheckBox("Show the welcome page when nothing is open", self)
        self.welcome.setChecked(settings.show_welcome)
        self.encode = QCheckBox("Encode every frame of a video in the background", self)
        self.encode.setChecked(settings.encode_videos)
        self.raw = QCheckBox("Number particles by row instead of following them", self)
        self.raw.setChecked(settings.raw_numbers)
        self.trails = self._number("Length of trails", " frames", 1, 200, settings.trail_frames)
        self.cache = self._number(
            "Room for frames read ahead", " MB", 16, 16_384, settings.frame_cache_mb
        )
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(browse)
        form = QFormLayout()
        form.setSpacing(GRID)
        form.addRow("&Theme", self.theme)
        form.addRow("&Device for models", self.device)
        form.addRow("&Rate of recordings", self.fps)
        label = QLabel("&Folder for recordings", self)
        label.setBuddy(self.folder)
        form.addRow(label, row)
        form.addRow("&Length of trails", self.trails)
        form.addRow("Room for frames read a&head", self.cache)
        form.addRow(self.encode)
        form.addRow(self.raw)
        form.addRow(self.autosave)
        form.addRow(self.welcome)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(2 * GRID)
        column.addLayout(form)
        column.addWidget(buttons)
        self.setMinimumWidth(480)

    def _combo(self, name: str, entries: list[tuple[str, str]], chosen: str) -> QComboBox:
        combo = QComboBox(self)
        combo.setAccessibleName(name)
        for text, value in entries:
            combo.addItem(text, value)
        combo.setCurrentIndex(max(0, combo.findData(chosen)))
        return combo

    def _number(self, name: str, unit: str, low: int, high: int, value: int) -> QSpinBox:
        spin = QSpinBox(self)
        spin.setRange(low, high)
        spin.setSuffix(unit)
        spin.setValue(value)
        spin.setAccessibleName(name)
        return spin

    def _choose(self) -> None:
        start = self.folder.text() or str(Path.home())
        path = QFileDialog.getExistingDirectory(self, "Folder for recordings", start)
        if path:
            self.folder.setText(path)

    def changes(self) -> dict[str, object]:
        """Return the settings as they are chosen."""
        return {
            "theme": self.theme.currentData(),
            "device": self.device.currentData(),
            "record_fps": self.fps.value(),
            "record_folder": self.folder.text().strip(),
            "autosave": self.autosave.isChecked(),
            "show_welcome": self.welcome.isChecked(),
            "encode_videos": self.encode.isChecked(),
            "raw_numbers": self.raw.isChecked(),
            "trail_frames": self.trails.value(),
            "frame_cache_mb": self.cache.value(),
        }

    def _accept(self) -> None:
        self._store.update(**self.changes())
        self.accept()

    @property
    def settings(self) -> Settings:
        """What is in force."""
        return self._store.settings
