"""Opens the small windows over the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpstudio.session.notice import Notice
from kpstudio.ui import dialogs
from kpstudio.ui.palette import CommandPalette
from kpstudio.ui.shortcuts import ShortcutList

if TYPE_CHECKING:
    from kpstudio.ui.main_window import MainWindow


class Windows:
    """Each call shows one window and returns at once, but for questions, which answer."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def palette(self) -> None:
        """Show the command palette."""
        CommandPalette(self._window).show()

    def shortcuts(self) -> None:
        """Show the list of keys."""
        ShortcutList(self._window).open()

    def preferences(self) -> None:
        """Show the preferences."""
        window = self._window
        dialogs.Preferences(window.settings, window.engine.devices(), window).open()

    def model_info(self) -> None:
        """Show what the model says of itself."""
        model = self._window.session.document.model
        if model is not None:
            text = dialogs.model_text(model)
            dialogs.TextDialog("Model information", text, self._window).open()

    def diagnostics(self) -> None:
        """Show versions, devices and folders."""
        from kpstudio.ui.diagnostics import diagnostics

        text = diagnostics(self._window.engine.devices())
        dialogs.TextDialog("Diagnostics", text, self._window).open()

    def about(self) -> None:
        """Show version and licence."""
        dialogs.AboutDialog(self._window).open()

    def details(self, notice: Notice) -> None:
        """Show what lies behind a notice."""
        text = f"{notice.text}\n\n{notice.details}"
        dialogs.TextDialog("Details", text, self._window).open()

    def ask_unsaved(self) -> dialogs.Answer:
        """Ask what to do with unsaved edits."""
        return dialogs.ask_unsaved(self._window, self._window.session.history.cursor)
