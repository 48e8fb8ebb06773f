"""The window: menus, tool bar, docks, the centre, and what ties them to the session."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QGuiApplication,
    QPixmap,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from kpstudio.resource_files import is_shipped
from kpstudio.services.settings import Settings
from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.ui.action_set import ActionSet
from kpstudio.ui.action_tables.entry import Choice, PresetName, Situation
from kpstudio.ui.actions import CHOICES
from kpstudio.ui.appearance import Appearance
from kpstudio.ui.canvas.image_view import Canvas
from kpstudio.ui.compare import CompareView
from kpstudio.ui.device_chip import DeviceChip
from kpstudio.ui.docks import Docks
from kpstudio.ui.dropping import Dropping
from kpstudio.ui.files import Files
from kpstudio.ui.notices import NoticeBar
from kpstudio.ui.prediction.comparison_view import ComparisonView
from kpstudio.ui.prediction.predicting import Predicting
from kpstudio.ui.recording import Recording
from kpstudio.ui.referring import Referring
from kpstudio.ui.shelves import Shelves
from kpstudio.ui.status import StatusBar
from kpstudio.ui.studio import Studio
from kpstudio.ui.theme import GRID, Theme, app_icon
from kpstudio.ui.theme import Choice as ThemeChoice
from kpstudio.ui.timeline.player import Player
from kpstudio.ui.watching import Watching
from kpstudio.ui.welcome import WelcomePage
from kpstudio.ui.windows import Windows

SIZE = QSize(1360, 860)
PLAYING_MS = 200
"""How often what is offered is looked at while frames play."""


class MainWindow(QMainWindow):
    """One window over one session."""

    closed = Signal()
    """Everything is saved or discarded, and the threads may stop."""

    def __init__(self, studio: Studio, theme: Theme) -> None:
        """Build the window without reading anything from the disk but icons.

        Args:
            studio: Session and services.
            theme: Of the application.
        """
        super().__init__()
        self.studio, self.theme = studio, theme
        self.session, self.engine = studio.session, studio.engine
        self.settings = studio.settings
        self._nothing = Session()
        self.preset: PresetName = "edit"
        self.is_smooth = True
        self._on_welcome = self._is_welcoming = False
        self._opened: tuple[object, object] = (None, None)
        self._was_maximised = self._was_lonely = False
        self._refreshed_in_gesture = False
        self.setObjectName("window")
        self.setWindowIcon(app_icon())
        self.setAnimated(False)
        self.setDockNestingEnabled(True)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.resize(SIZE)
        self.compare = CompareView(self.session)
        self.welcome = WelcomePage(theme.tokens, studio.thumbnails)
        self._make_centre()
        self.player = Player(self.session, studio.playback, self)
        self.player.set_source(self.engine.is_ready, self.engine.prepare)
        self.docks = Docks(self, studio.thumbnails)
        self.shelves = Shelves(self.session, self.settings, self.welcome, self.docks)
        self.appearance = Appearance(self.session)
        self.status = StatusBar(self.session, self.engine, self)
        self.setStatusBar(self.status)
        self.windows = Windows(self)
        self.files = Files(self)
        self.dropping = Dropping(self, self.files.open_any)
        self.referring = Referring(self)
        self.watching = Watching(self)
        self.predicting = Predicting(self)
        self.recording = Recording(self)
        self.actions_made = ActionSet(self)
        self._make_bars()
        self._actions_timer = QTimer(self, singleShot=True, interval=0)
        self._actions_timer.timeout.connect(self._refresh_actions)
        self._connect()
        self._on_theme()
        self._restore()
        self._show_centre()
        self._on_document(self.session.document)
        self.update_title()
        self._refresh_actions()

    # -- making ----------------------------------------------------------------------------------
    def _make_centre(self) -> None:
        self.stack = QStackedWidget(self)
        self.stack.addWidget(self.welcome)
        self.stack.addWidget(self.compare)
        self._centre = QWidget(self)
        self._centre.setObjectName("centre")
        self._centre.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        inner = QVBoxLayout(self._centre)
        inner.setContentsMargins(GRID, GRID, GRID, GRID)
        inner.addWidget(self.stack)
        self.setCentralWidget(self._centre)
        self.notices = NoticeBar(self.session, self.theme.tokens, self._centre)

    def _make_bars(self) -> None:
        self.actions_made.bind_canvas(self.compare)
        self.actions_made.bind_timeline(self.docks.timeline)
        self.docks.timeline.transport.bind(self.actions_made)
        self.docks.timeline.follow(self.engine.clip.background)
        self.predicting.bind()
        self.docks.particles.table.addAction(self.actions_made["turn-off"])
        self.actions_made.fill_menu_bar(self.menuBar())
        self.menuBar().setAccessibleName("Menus")
        bar = QToolBar("Tools", self)
        bar.setObjectName("tools")
        bar.setAccessibleName("Tools")
        bar.setMovable(False)
        bar.setIconSize(QSize(18, 18))
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.device = DeviceChip(self.session, self.engine, self.settings, bar)
        self.device.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(self.device)
        choices = next(choices for choices in CHOICES if choices.key == "device")
        menu.aboutToShow.connect(partial(self.actions_made.fill_choices, menu, choices))
        self.device.setMenu(menu)
        self.actions_made.fill_tool_bar(bar, self.device)
        self.addToolBar(bar)
        self.tools = bar

    def _connect(self) -> None:
        session, docks, files = self.session, self.docks, self.files
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._soon)
        session.history_changed.connect(self._soon)
        session.saved_changed.connect(self._on_saved)
        self.player.changed.connect(self._on_player)
        self.player.told.connect(self.status.set_played)
        self.predicting.shown_changed.connect(self._show_centre)
        session.picture_changed.connect(self._on_picture)
        self.settings.changed.connect(self._on_settings)
        self.theme.changed.connect(self._on_theme)
        self.compare.hint_changed.connect(self.status.set_hint)
        self.compare.pointer_moved.connect(self.status.set_pointer)
        self.notices.details_wanted.connect(self.windows.details)
        docks.models.open_wanted.connect(self._open_path)
        docks.models.choose_wanted.connect(files.choose_checkpoint)
        docks.media.open_wanted.connect(self._open_path)
        docks.media.choose_wanted.connect(files.choose_media)
        docks.reference.frame_wanted.connect(self.referring.use_frame)
        docks.reference.choose_wanted.connect(self.referring.choose)
        docks.reference.own_wanted.connect(self.referring.clear)
        self.welcome.demo_wanted.connect(files.open_demo)
        self.welcome.open_wanted.connect(self._open_path)
        self.welcome.sample_wanted.connect(lambda path: files.open_sample(Path(path)))
        self.welcome.choose_wanted.connect(self._choose)
        self.welcome.back_wanted.connect(partial(self.set_preset, "edit"))
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.dataChanged.connect(self._soon)

    def fill(self) -> None:
        """Look for samples and shipped models; called once the window is visible."""
        self.shelves.fill()
        self._apply_player(self.settings.settings)

    @property
    def canvas(self) -> Canvas | ComparisonView:
        """The canvas where the hand works: the large one, the monitor's, or the futures'."""
        if self.preset == "monitor" and self.watching.view is not None:
            return self.watching.view.live.canvas
        if self.predicting.is_shown:
            return self.predicting.show()
        return self.compare.main

    # -- what is open ----------------------------------------------------------------------------
    def situation(self) -> Situation:
        """Return what decides which actions are offered."""
        covered = self._is_welcoming
        return Situation(
            self._nothing if covered else self.session,
            len(self.appearance.copied),
            self.recording.is_on,
            self.watching.has_run,
            self.preset == "monitor",
            self.notices.notice is not None,
            self.predicting.is_going,
            self.session if covered else None,
        )

    def _on_document(self, document: Document) -> None:
        opened = (document.model, document.media)
        if opened[0] is not self._opened[0] or opened[1] is not self._opened[1]:
            if any(opened):
                self._on_welcome = False
            self._opened = opened
            self._choose_large(document)
            self._show_centre()
            self.update_title()
            if self.preset != "monitor":  # steps of a run are not kept among the recent files
                self.shelves.remember(document)
        self._soon()

    def _choose_large(self, document: Document) -> None:
        """Show the input large while there is nothing else to see."""
        lonely = document.model is None and document.media is not None
        if lonely and self.session.view.main == "edited":
            self._was_lonely = True
            self.session.update_view(main="input")
        elif self._was_lonely and document.model is not None:
            self._was_lonely = False
            self.session.update_view(main="edited")

    def _on_player(self) -> None:
        self._show_centre()
        self._soon()

    def _on_saved(self, saved: bool) -> None:
        self.setWindowModified(not saved)
        self._soon()

    def _on_picture(self, role: str, picture: object) -> None:
        if picture is None or not self.session.in_gesture:
            self._soon()

    def _names(self) -> list[str]:
        document = self.session.document
        names = [document.media.name] if document.media else []
        return [*names, document.model.title] if document.model else names

    def update_title(self) -> None:
        """Name what is open in the title."""
        names = self._names()
        if self.files.path is not None:
            names.insert(0, self.files.path.name)
        head = " · ".join(names)
        self.setWindowTitle(f"{head}[*] - Keypoint Studio" if head else "Keypoint Studio[*]")

    def _show_centre(self) -> None:
        document = self.session.document
        anything = document.model is not None or document.media is not None
        focused = QApplication.focusWidget()
        homeless = focused is None or not focused.isVisible() or self.welcome.isAncestorOf(focused)
        welcome = self._on_welcome or (not anything and self.settings.settings.show_welcome)
        if self.preset == "monitor" and self.watching.view is not None:
            self.stack.setCurrentWidget(self.watching.view)
            welcome = False
        elif self.predicting.is_shown and not welcome:
            self.stack.setCurrentWidget(self.predicting.show())
        else:
            self.stack.setCurrentWidget(self.welcome if welcome else self.compare)
        self.docks.show(self.preset, anything=anything and not welcome)
        inner = self._centre.layout()
        margin = 0 if welcome else GRID
        if inner is not None:
            inner.setContentsMargins(margin, margin, margin, margin)
        self._is_welcoming = welcome
        self.welcome.set_back(next(iter(self._names()), ""))
        self.status.set_covered(welcome)
        if not welcome and homeless:
            self.canvas.setFocus()

    # -- actions ---------------------------------------------------------------------------------
    def _soon(self, *_: object) -> None:
        if not self.session.in_gesture:
            self._refreshed_in_gesture = False
        if not self._actions_timer.isActive() and not self._refreshed_in_gesture:
            self._actions_timer.start(PLAYING_MS if self.session.view.playing else 0)

    def _refresh_actions(self) -> None:
        self._refreshed_in_gesture = self.session.in_gesture
        self.actions_made.refresh(self.situation())

    def refresh_actions(self) -> None:
        """Offer what can be done now, at once."""
        self._actions_timer.stop()
        self._refresh_actions()

    def copy_appearance(self) -> None:
        """Remember how the selected particle looks."""
        self.appearance.copy()
        self.refresh_actions()

    def begin_presence(self) -> None:
        """Fade the selection by pointer or wheel."""
        self.canvas.setFocus()
        self.canvas.begin_presence()

    def focus_keep_top(self) -> None:
        """Go to the slider of the top-K filter."""
        self._leave_presentation()
        self.docks.reveal("particles")
        self.docks.particles.focus_keep()

    def focus_frame_number(self) -> None:
        """Go to the number of the frame."""
        self._leave_presentation()
        self.docks.reveal("timeline")
        self.docks.timeline.transport.focus_number()

    def _leave_presentation(self) -> None:
        if self.preset == "present":
            self.set_preset("edit")

    def toggle_smooth(self) -> None:
        """Interpolate between pixels, or not."""
        self.is_smooth = not self.is_smooth
        self.compare.set_smooth(self.is_smooth)
        self.watching.set_smooth(self.is_smooth)
        self.predicting.set_smooth(self.is_smooth)

    def switch_theme(self) -> None:
        """Use the other theme."""
        self._choose_theme("light" if self.theme.tokens.dark else "dark")

    def theme_choices(self) -> list[Choice]:
        """Return the themes."""
        entries: list[tuple[str, ThemeChoice]] = [
            ("Follow the system", "system"), ("Light", "light"), ("Dark", "dark"),
        ]  # fmt: skip
        return [
            Choice(text, partial(self._choose_theme, value), self.theme.choice == value)
            for text, value in entries
        ]

    def _choose_theme(self, choice: ThemeChoice) -> None:
        self.theme.choose(choice)
        self.settings.update(theme=choice)

    # -- arrangement -----------------------------------------------------------------------------
    def set_preset(self, preset: PresetName) -> None:
        """Arrange the window for editing, watching a run, or showing."""
        if preset == "monitor":
            self.watching.show()
        self.preset = preset
        self._on_welcome = False
        self._show_centre()
        self._soon()

    def leave_monitor(self) -> None:
        """Go back to editing when a run is watched."""
        if self.preset == "monitor":
            self.set_preset("edit")

    def reset_layout(self) -> None:
        """Put every panel back."""
        self.docks.reset()
        self.preset = "edit"
        self._show_centre()
        self._soon()

    def packed_layout(self) -> str:
        """Return where the docks stand, to be kept."""
        return self.docks.packed()

    def restore_layout(self, packed: str) -> None:
        """Put the docks as a session had them; what cannot be read changes nothing."""
        if self.docks.restore(packed):
            self._show_centre()

    def toggle_full_screen(self) -> None:
        """Use the whole screen, or the window again."""
        if self.isFullScreen():
            (self.showMaximized if self._was_maximised else self.showNormal)()
        else:
            self._was_maximised = self.isMaximized()
            self.showFullScreen()
        self._soon()

    def show_welcome(self) -> None:
        """Show the welcome page; opening anything leaves it, and so does its way back."""
        if self.preset != "edit":
            self.preset = "edit"
        if self.recording.is_on:
            self.recording.stop()
        self.session.update_view(playing=False)
        self._on_welcome = True
        self._show_centre()
        (self.welcome.demo if self.welcome.back.isHidden() else self.welcome.back).setFocus()
        self._soon()

    def _restore(self) -> None:
        settings = self.settings.settings
        if settings.geometry:
            try:
                packed = base64.b64decode(settings.geometry, validate=True)
            except ValueError:
                packed = b""
            self.restoreGeometry(QByteArray(packed))
        if settings.layout:
            self.docks.restore(settings.layout)

    def _keep_layout(self) -> None:
        geometry = base64.b64encode(self.saveGeometry().data()).decode()
        self.settings.update(layout=self.packed_layout(), geometry=geometry)

    # -- runs ------------------------------------------------------------------------------------
    def open_run(self, path: Path) -> None:
        """Watch a run."""
        self.set_preset("monitor")
        self.watching.open(path)

    def close_run(self) -> None:
        """Stop watching the run."""
        self.leave_monitor()
        self.watching.close()
        self._soon()

    # -- pictures of the window -------------------------------------------------------------------
    def screenshot(self) -> QPixmap:
        """Return the whole window as a picture."""
        return self.grab()

    def copy_screenshot(self) -> None:
        """Put a picture of the window on the clipboard."""
        QGuiApplication.clipboard().setPixmap(self.screenshot())
        self.session.notify("The screenshot is on the clipboard")

    # -- opening ---------------------------------------------------------------------------------
    def _open_path(self, path: str) -> None:
        if is_shipped(path) and Path(path).parent.name == "samples":
            self.files.open_sample(Path(path))
        else:
            self.files.open_any([path])

    def _choose(self, what: str) -> None:
        choose = {
            "file": self.files.choose_file,
            "folder": self.files.choose_folder,
            "run": self.files.choose_run,
        }
        choose[what]()

    def _on_settings(self, *_: object) -> None:
        settings = self.settings.settings
        if settings.theme != self.theme.choice:
            self.theme.choose(settings.theme)
        self._apply_player(settings)
        self.shelves.show(settings)

    def _apply_player(self, settings: Settings) -> None:
        self.engine.clip.background.pause(not settings.encode_videos)
        self.engine.clip.read_ahead.set_limit(settings.frame_cache_mb * 1_000_000)
        self.session.update_view(
            raw_numbers=settings.raw_numbers, trail_frames=settings.trail_frames
        )
        self._soon()

    def _on_theme(self) -> None:
        tokens = self.theme.tokens
        self.compare.set_colours(tokens.canvas_colours)
        self.notices.set_tokens(tokens)
        self.welcome.set_tokens(tokens)
        self.docks.set_tokens(tokens)
        self.actions_made.set_tokens(tokens)
        self.watching.set_tokens(tokens)
        self.predicting.set_tokens(tokens)

    # -- what Qt tells ---------------------------------------------------------------------------
    def changeEvent(self, event: QEvent) -> None:
        """Follow the window manager into and out of full screen."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and hasattr(self, "actions_made"):
            self._soon()

    def showEvent(self, event: QShowEvent) -> None:
        """Give the keyboard to what is in the centre."""
        super().showEvent(event)
        focused = self.focusWidget()
        if focused is None or not focused.isVisible():
            (self.welcome.demo if self._is_welcoming else self.canvas).setFocus()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask about unsaved edits, end the recording, keep the layout, stop the threads."""
        self.session.cancel()
        if not self.files.may_replace():
            event.ignore()
            return
        self.recording.stop()
        self._keep_layout()
        self.watching.close()
        self.predicting.close()
        self.closed.emit()
        event.accept()
        app = QApplication.instance()
        if app is not None:
            QTimer.singleShot(0, app.quit)
