"""The monitor of training runs, made when the first run is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from kpstudio.ui.theme import Tokens, colour_pyqtgraph

if TYPE_CHECKING:
    from kpstudio.services.runs import RunFollower
    from kpstudio.ui.main_window import MainWindow
    from kpstudio.ui.monitor.view import MonitorView


class Watching(QObject):
    """Owns the monitor and the thread that follows runs; plots are imported with the first one."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._runs: RunFollower | None = None
        self.view: MonitorView | None = None

    @property
    def has_run(self) -> bool:
        """Whether a run is open."""
        return self.view is not None and self.view.state is not None

    def show(self) -> MonitorView:
        """Return the monitor, made if there is none yet."""
        if self.view is not None:
            return self.view
        from kpstudio.services.runs import RunFollower
        from kpstudio.ui.monitor.view import MonitorView

        window = self._window
        colour_pyqtgraph(window.theme.tokens)
        self._runs = RunFollower(window.studio.post)
        view = MonitorView(
            window.session, window.engine, self._runs, window.files.may_replace, window
        )
        canvas = view.live.canvas
        canvas.set_colours(window.theme.tokens.canvas_colours)
        canvas.hint_changed.connect(window.status.set_hint)
        canvas.pointer_moved.connect(window.status.set_pointer)
        window.actions_made.bind_canvas(canvas)
        window.stack.addWidget(view)
        self.view = view
        return view

    def open(self, path: Path) -> None:
        """Follow the run at a path."""
        self.show().open_run(path)

    def close(self) -> None:
        """Follow no run any more; the thread ends."""
        view, self.view = self.view, None
        runs, self._runs = self._runs, None
        if runs is not None:
            runs.close()
        if view is not None:
            self._window.stack.removeWidget(view)
            view.deleteLater()

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        if self.view is not None:
            self.view.live.canvas.set_colours(tokens.canvas_colours)

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or not."""
        if self.view is not None:
            self.view.live.canvas.set_smooth(smooth)
