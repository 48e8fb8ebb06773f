"""The studio's command: reads the arguments, builds session, services and window, and runs them.

The window is painted before torch is imported; the engine's worker imports it behind the window.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from kpcore import __version__
from kpcore.errors import KpError
from kpstudio.services.engine import Engine
from kpstudio.services.settings import SettingsStore
from kpstudio.services.thumbnails import Thumbnails
from kpstudio.session.session import Session
from kpstudio.ui.diagnostics import diagnostics
from kpstudio.ui.end_by_signal import EndBySignal
from kpstudio.ui.failures import catch_exceptions, set_up_log
from kpstudio.ui.first_paint import FirstPaint
from kpstudio.ui.main_window import MainWindow
from kpstudio.ui.qt_post import QtPost
from kpstudio.ui.studio import Studio
from kpstudio.ui.theme import Theme, app_icon
from kpstudio.ui.timings import PaintTimings

if TYPE_CHECKING:
    from kpstudio.services.autosave import Autosave, Recoverable
    from kpstudio.services.session_file import SavedSession

logger = logging.getLogger(__name__)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line as values."""
    parser = argparse.ArgumentParser(
        prog="kpstudio",
        description="Explore and edit the latents of unsupervised keypoint models by hand.",
        epilog="Keys: F1 in the window. Training: kp train --help.",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="checkpoint, picture, video, folder, run directory or .kps session; a checkpoint and "
        "a picture together are opened as a pair",
    )
    parser.add_argument(
        "--demo",
        nargs="?",
        const="",
        metavar="NAME",
        help="open a shipped model on its sample: one of the welcome page's demos by NAME, e.g. "
        "prediction, or the first of them",
    )
    parser.add_argument(
        "--device",
        default="",
        help="where models are opened this time: auto, cpu, cuda, cuda:1, mps (default: as in the "
        "preferences)",
    )
    parser.add_argument(
        "--theme", choices=("dark", "light", "system"), help="for this and later sessions"
    )
    parser.add_argument(
        "--scripted-drag",
        metavar="OUT.mp4",
        type=Path,
        help="play a scripted drag on what is opened (the demo when nothing is named), film the "
        "window, and leave; settings are neither read nor kept",
    )
    parser.add_argument(
        "--screenshot",
        metavar="OUT.png",
        type=Path,
        help="write a picture of the window once a picture is shown (after the drag), and leave",
    )
    parser.add_argument("--size", metavar="WxH", help="size of the window, e.g. 1440x900")
    parser.add_argument(
        "--doctor", action="store_true", help="print versions, devices and folders, and leave"
    )
    parser.add_argument("--version", action="version", version=f"kpstudio {__version__}")
    given = parser.parse_args(argv)
    if given.device and given.device not in ("auto", "cpu", "cuda", "mps"):
        kind, _, index = given.device.partition(":")
        if kind != "cuda" or not index.isdigit():
            parser.error(f"--device is auto, cpu, cuda, cuda:N or mps; got '{given.device}'")
    if given.size and _size_of(given.size) is None:
        parser.error(f"--size is WIDTHxHEIGHT in points, e.g. 1440x900; got '{given.size}'")
    return given


def main(argv: Sequence[str] | None = None) -> int:
    """Run the studio; return its exit status."""
    given = arguments(argv)
    if given.doctor:
        return doctor()
    app = QApplication.instance() or QApplication(["kpstudio"])
    if not isinstance(app, QApplication):
        return 1
    app.setApplicationName("keypoint-studio")
    app.setApplicationDisplayName("Keypoint Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("keypoint-studio")
    app.setWindowIcon(app_icon())
    application = Application(app, given)
    application.start()
    status = app.exec()
    application.close()
    return application.status or status


def doctor() -> int:
    """Print what the help menu's diagnostics show, with the devices that torch offers."""
    from kpstudio.services.model_host import ModelHost

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication.instance() or QApplication(["kpstudio"])
    try:
        devices = ModelHost.import_torch()
    except (ImportError, OSError) as error:
        sys.stdout.write(f"{diagnostics()}\n\ntorch cannot be imported: {error}\n")
        return 1
    sys.stdout.write(f"{diagnostics(devices)}\n")
    del app
    return 0


class Application(QObject):
    """Everything that lives as long as the program runs."""

    def __init__(self, app: QApplication, given: argparse.Namespace) -> None:
        """Build everything; nothing heavy is imported yet.

        Args:
            app: Qt's application.
            given: The command line.
        """
        super().__init__(app)
        self.given = given
        self.status = 0
        self._closed = False
        set_up_log()
        scripted = given.scripted_drag is not None or given.screenshot is not None
        self.is_scripted = scripted
        self._own_home = tempfile.TemporaryDirectory() if scripted else None
        home = Path(self._own_home.name) / "settings.json" if self._own_home else None
        settings = SettingsStore(home)
        if given.theme:
            settings.settings = replace(settings.settings, theme=given.theme)
        self.post = QtPost(self)
        session = Session()
        engine = Engine(session, self.post)
        self.studio = Studio(session, engine, settings, Thumbnails(self.post), self.post)
        self.theme = Theme(app, settings.settings.theme)
        self.window = MainWindow(self.studio, self.theme)
        self.window.files.device = given.device
        size = _size_of(given.size) if given.size else None
        if size is not None:
            self.window.resize(*size)
        FirstPaint(self.window, self._after_first_paint)
        self.timings = PaintTimings.when_asked(self.window, self.window.compare)
        self.autosave: Autosave | None = None
        self._hooks = catch_exceptions(self.post, self._on_exception)
        self._signals = EndBySignal(self, self._on_signal)
        app.aboutToQuit.connect(self.close)

    def start(self) -> None:
        """Show the window; the rest follows once it is painted."""
        self.window.show()

    def _after_first_paint(self) -> None:
        self.studio.engine.warm_up()
        self.window.fill()
        for sentence in self.studio.settings.notices:
            self.studio.session.notify(sentence, "warning")
        if self.is_scripted:
            self._play()
        else:
            self._start_autosave()
            QTimer.singleShot(0, self, self._offer_recovery)
        self._open_given()

    def _open_given(self) -> None:
        given, files = self.given, self.window.files
        if given.paths:
            files.open_any([Path(path).absolute() for path in given.paths])
        elif given.demo is not None or self.is_scripted:
            files.open_demo(given.demo or "")

    def _play(self) -> None:
        from kpstudio.ui.demonstration import Demonstration

        self._demonstration = Demonstration(
            self.window, self.given.scripted_drag, self.given.screenshot, self._played
        )

    def _played(self, problem: str) -> None:
        if problem:
            sys.stderr.write(f"kpstudio: {problem}\n")
            self.status = 1
        self.window.files.ask_unsaved = lambda: "discard"
        self.window.close()

    # -- recovery --------------------------------------------------------------------------------
    def _start_autosave(self) -> None:
        from kpstudio.services.autosave import Autosave

        if self.studio.settings.settings.autosave:
            self.autosave = Autosave(self.studio.session)

    def _offer_recovery(self) -> None:
        from kpstudio.services.autosave import find_recoverable
        from kpstudio.ui.dialogs import ask_recovery

        asked = self.given.demo is not None or self.given.paths
        if asked or not self.studio.settings.settings.autosave:
            return
        for left in find_recoverable()[:1]:
            when = time.strftime("%d %B, %H:%M", time.localtime(left.time))
            answer = ask_recovery(self.window, left.saved.name, len(left.saved.edits), when)
            if answer == "discard":
                left.discard()
            elif answer == "recover":
                self._recover(left)

    def _recover(self, left: Recoverable) -> None:
        """Open what was left behind, at the frame of its last edit."""
        from kpstudio.services.reopen import restore

        def done(saved: SavedSession) -> None:
            left.discard()
            frame = saved.edits[saved.cursor - 1].get("frame") if saved.cursor else None
            if isinstance(frame, int):
                self.studio.session.update_view(frame=frame)

        try:
            restore(self.studio.engine, self.studio.session, left.saved, {}, done)
        except KpError as error:
            self.studio.session.notify(str(error), "error")

    # -- ending ----------------------------------------------------------------------------------
    def _on_signal(self) -> None:
        """End at once; the log of edits that are not saved is left to be recovered."""
        logger.info("ended by a signal")
        if not self.studio.session.is_saved:
            self.autosave = None
        self.window.files.ask_unsaved = lambda: "discard"
        while (asking := QApplication.activeModalWidget()) is not None and asking.close():
            pass  # a dialog left open would keep the program alive
        # only once their loops have ended: a window that is asking whether to close does not close
        QTimer.singleShot(0, self, self.window.close)

    def _on_exception(self, text: str, details: str) -> None:
        self.studio.session.notify(text, "error", details)

    def close(self) -> None:
        """Stop every thread, within two seconds."""
        if self._closed:
            return
        self._closed = True
        if self.autosave is not None:
            self.autosave.close()
        self.studio.close(2.0)
        self.post.close()
        if self._own_home is not None:
            self._own_home.cleanup()
        self._signals.close()
        if self.timings is not None:
            self.timings.close()
        sys.excepthook, threading.excepthook = self._hooks


def _size_of(text: str) -> tuple[int, int] | None:
    width, _, height = text.partition("x")
    if width.isdigit() and height.isdigit() and int(width) >= 320 and int(height) >= 240:
        return int(width), int(height)
    return None
