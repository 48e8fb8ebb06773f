"""The panels as docks: where they stand, when they show, and how the user left them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QObject, QSize, Qt
from PySide6.QtWidgets import QDockWidget

from kpstudio.ui.action_tables.entry import Choice, PresetName
from kpstudio.ui.panels.history import HistoryPanel
from kpstudio.ui.panels.layers import LayersPanel
from kpstudio.ui.panels.media import MediaPanel
from kpstudio.ui.panels.models import ModelsPanel
from kpstudio.ui.panels.panel import DockTitle, Panel, make_dock
from kpstudio.ui.panels.particle import ParticlePanel
from kpstudio.ui.panels.particles import ParticlesPanel
from kpstudio.ui.panels.prototypes import PrototypesPanel
from kpstudio.ui.panels.reference import ReferencePanel
from kpstudio.ui.prediction.branches_panel import BranchesPanel
from kpstudio.ui.timeline.timeline import Timeline

if TYPE_CHECKING:
    from kpstudio.services.thumbnails import Thumbnails
    from kpstudio.ui.main_window import MainWindow
    from kpstudio.ui.theme import Tokens

VERSION = 3
LEFT_PX, RIGHT_PX = 232, 304
LOW_PX = 800
"""In a window lower than this, the panels at the right share their room by tabs."""

SHOWN: dict[PresetName, tuple[str, ...]] = {
    "edit": (
        "models",
        "media",
        "futures",
        "history",
        "particles",
        "particle",
        "layers",
        "prototypes",
        "reference",
        "timeline",
    ),
    "monitor": ("particles", "particle"),
    "present": (),
}
"""Which panels each arrangement shows."""

Arrangement = tuple[frozenset[str], int]
"""Which panels are shown, and the height that the selected particle's panel needs."""


class Docks(QObject):
    """Owns the docks of a window."""

    def __init__(self, window: MainWindow, thumbnails: Thumbnails) -> None:
        super().__init__(window)
        self._window = window
        session, tokens = window.session, window.theme.tokens
        self.models = ModelsPanel(session, tokens)
        self.media = MediaPanel(session, tokens, thumbnails)
        self.branches = BranchesPanel(session, tokens)
        self.history = HistoryPanel(session, tokens)
        self.particles = ParticlesPanel(session, tokens)
        self.particle = ParticlePanel(session, tokens)
        self.layers = LayersPanel(session, tokens)
        self.prototypes = PrototypesPanel(session, tokens)
        self.reference = ReferencePanel(session, tokens)
        self.timeline = Timeline(session, tokens, thumbnails, window.player)
        self._docks: dict[str, QDockWidget] = {}
        self._closed: set[str] = set()
        self._now: Arrangement | None = None
        self._sizes: dict[Arrangement, dict[str, QSize]] = {}
        self._last: dict[str, QSize] = {}
        self._fitting = 0
        self._kept = False
        area = Qt.DockWidgetArea
        for panel, where in (
            (self.models, area.LeftDockWidgetArea),
            (self.media, area.LeftDockWidgetArea),
            (self.branches, area.LeftDockWidgetArea),
            (self.history, area.LeftDockWidgetArea),
            (self.particles, area.RightDockWidgetArea),
            (self.particle, area.RightDockWidgetArea),
            (self.layers, area.RightDockWidgetArea),
            (self.prototypes, area.RightDockWidgetArea),
            (self.reference, area.RightDockWidgetArea),
            (self.timeline, area.BottomDockWidgetArea),
        ):
            dock = make_dock(panel, window)
            dock.toggleViewAction().triggered.connect(self._on_toggled)
            window.addDockWidget(where, dock)
            dock.hide()
            self._docks[panel.key] = dock
        window.tabifyDockWidget(self._docks["history"], self._docks["futures"])
        window.tabifyDockWidget(self._docks["layers"], self._docks["prototypes"])
        self._first = window.saveState(VERSION)

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel."""
        return (
            self.models, self.media, self.branches, self.history, self.particles, self.particle,
            self.layers, self.prototypes, self.reference, self.timeline,
        )  # fmt: skip

    def dock(self, key: str) -> QDockWidget:
        """Return the dock of a panel."""
        return self._docks[key]

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        for panel in self.panels:
            panel.set_tokens(tokens)
            title = self._docks[panel.key].titleBarWidget()
            if isinstance(title, DockTitle):
                title.set_tokens(tokens)

    # -- showing ---------------------------------------------------------------------------------
    def show(self, preset: PresetName, *, anything: bool) -> None:
        """Show the docks that an arrangement has, that the model needs, and nobody closed.

        Args:
            preset: The arrangement.
            anything: Whether anything is open at all.
        """
        model = self._window.session.document.model
        can = model.capabilities if model else None
        wanted = frozenset(
            panel.key
            for panel in self.panels
            if anything
            and panel.key in SHOWN[preset]
            and panel.key not in self._closed
            and panel.is_needed(can)
        )
        now = wanted, self.particle.sizeHint().height()
        if now == self._now:
            return
        docks, window = self._docks, self._window
        if self._now is not None:
            self._sizes[self._now] = self._sizes_now()
            self._last.update(self._sizes[self._now])
        self._now = now
        docks["particle"].widget().updateGeometry()
        for key, dock in docks.items():
            if dock.isHidden() == (key in wanted):
                dock.setVisible(key in wanted)
        if now in self._sizes:
            self._resize(self._sizes[now])
        elif self._kept:
            self._resize(self._last)
            if self._fitting != now[1]:
                height = docks["particle"].sizeHint().height()
                window.resizeDocks([docks["particle"]], [height], Qt.Orientation.Vertical)
        else:
            self.fit()
        self._fitting = now[1]

    def _sizes_now(self) -> dict[str, QSize]:
        """Return the sizes of the docks that are to be seen; those behind a tab have none."""
        return {
            key: dock.size()
            for key, dock in self._docks.items()
            if not dock.isFloating() and not dock.visibleRegion().isEmpty()
        }

    def _resize(self, sizes: dict[str, QSize]) -> None:
        shown = [(self._docks[key], size) for key, size in sizes.items()]
        shown = [(dock, size) for dock, size in shown if not (dock.isHidden() or dock.isFloating())]
        docks, sides = [dock for dock, _ in shown], Qt.Orientation
        self._window.resizeDocks(docks, [size.height() for _, size in shown], sides.Vertical)
        self._window.resizeDocks(docks, [size.width() for _, size in shown], sides.Horizontal)

    def fit(self) -> None:
        """Give the docks their usual sizes: as high as what they show asks for."""
        docks, window = self._docks, self._window
        docks["futures"].raise_()
        docks["prototypes"].raise_()
        if window.height() < LOW_PX:
            window.tabifyDockWidget(docks["particle"], docks["layers"])
            docks["particle"].raise_()
        sides = Qt.Orientation.Horizontal
        window.resizeDocks([docks["models"], docks["particles"]], [LEFT_PX, RIGHT_PX], sides)
        upright = [dock for key, dock in docks.items() if key != "timeline"]
        heights = [dock.sizeHint().height() for dock in upright]
        window.resizeDocks([*upright, docks["timeline"]], [*heights, 1], Qt.Orientation.Vertical)

    def _on_toggled(self, shown: bool) -> None:
        for key, dock in self._docks.items():
            if dock.toggleViewAction() is self.sender():
                (self._closed.discard if shown else self._closed.add)(key)

    def reveal(self, key: str) -> None:
        """Show a panel that may have been closed, in front."""
        self._closed.discard(key)
        self._docks[key].show()
        self._docks[key].raise_()

    def choices(self) -> list[Choice]:
        """Return every panel that has something to show, for a menu."""
        model = self._window.session.document.model
        can = model.capabilities if model else None
        return [
            Choice(
                panel.title,
                self._docks[panel.key].toggleViewAction().trigger,
                not self._docks[panel.key].isHidden(),
                f"Show or hide the panel '{panel.title}'",
            )
            for panel in self.panels
            if panel.is_needed(can)
        ]

    # -- keeping ---------------------------------------------------------------------------------
    def packed(self) -> str:
        """Return where everything stands, to be kept."""
        state = bytes(self._window.saveState(VERSION).toBase64().data()).decode()
        sizes = {**self._last, **self._sizes_now()}
        kept = {
            "closed": sorted(self._closed),
            "sizes": {key: size.toTuple() for key, size in sizes.items()},
            "particle": self._fitting,
        }
        return json.dumps({"version": VERSION, "state": state, **kept})

    def restore(self, packed: str) -> bool:
        """Put everything back as it was kept; return whether that could be read."""
        try:
            plain = json.loads(packed)
            state, closed = str(plain["state"]), {str(key) for key in plain["closed"]}
            sizes = {str(key): QSize(*size) for key, size in plain.get("sizes", {}).items()}
            fitting = int(plain.get("particle", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
        if not self._window.restoreState(QByteArray.fromBase64(state.encode()), VERSION):
            return False
        self._closed = closed & set(self._docks)
        self._last = {key: size for key, size in sizes.items() if key in self._docks}
        self._fitting = fitting
        self._now, self._kept = None, True
        self._sizes.clear()
        return True

    def reset(self) -> None:
        """Put every panel back to its place and show it."""
        for dock in self._docks.values():
            dock.setFloating(False)
        self._window.restoreState(self._first, VERSION)
        self._closed.clear()
        self._sizes.clear()
        self._last.clear()
        self._now, self._kept = None, False
