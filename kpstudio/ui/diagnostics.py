"""What a helper asks for first: versions, devices, folders and the screen."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import qVersion
from PySide6.QtGui import QGuiApplication, QImageReader

from kpcore import __version__
from kpstudio.ui.status import device_name

PACKAGES = (
    "torch", "torch-geometric", "numpy", "PySide6-Essentials", "pyqtgraph", "psygnal",
    "opencv-python", "opencv-python-headless", "av", "imageio", "safetensors", "accelerate",
)  # fmt: skip


def diagnostics(devices: Sequence[str] = (), log: Path | None = None) -> str:
    """Return versions, devices and folders as lines of text.

    Args:
        devices: What torch offers; empty when torch was not asked.
        log: Where the log is written.
    """
    from kpstudio.services.autosave import default_folder
    from kpstudio.services.settings import default_path

    lines = [
        f"Keypoint Studio  {__version__}",
        f"Python           {platform.python_version()} ({sys.executable})",
        f"System           {platform.platform()}, {os.cpu_count()} cores",
        f"Qt               {qVersion()}, platform '{_platform()}'",
        "",
    ]
    lines += [f"{name:<24} {_version(name)}" for name in PACKAGES]
    lines += ["", f"Devices          {', '.join(map(device_name, devices)) or 'not asked yet'}"]
    app = QGuiApplication.instance()
    if isinstance(app, QGuiApplication):
        for screen in app.screens():
            size = screen.size()
            lines.append(
                f"Screen           {size.width()} x {size.height()} at "
                f"{screen.devicePixelRatio():g} pixels per point"
            )
    kinds = ", ".join(sorted(bytes(kind.data()).decode() for kind in _formats()))
    lines += [
        f"Pictures by Qt   {kinds}",
        f"Settings         {default_path()}",
        f"Recovery         {default_folder()}",
        f"Log              {log or log_path()}",
    ]
    return "\n".join(lines)


def log_path() -> Path:
    """Return where the studio writes its log."""
    import platformdirs

    return platformdirs.user_log_path("keypoint-studio") / "studio.log"


def _formats() -> list:
    return QImageReader.supportedImageFormats()


def _platform() -> str:
    return QGuiApplication.platformName() or os.environ.get("QT_QPA_PLATFORM", "none")


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
