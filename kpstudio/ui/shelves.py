"""The lists of what can be opened: recent files, shipped models and samples."""

from __future__ import annotations

from pathlib import Path

from kpcore.errors import KpError
from kpstudio.resource_files import is_shipped
from kpstudio.services.settings import Settings, SettingsStore
from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.ui.docks import Docks
from kpstudio.ui.welcome import WelcomePage


class Shelves:
    """Fills the welcome page, the models' panel and the media's."""

    def __init__(
        self, session: Session, settings: SettingsStore, welcome: WelcomePage, docks: Docks
    ) -> None:
        self._session, self._settings = session, settings
        self._welcome, self._docks = welcome, docks

    def fill(self) -> None:
        """Look for samples and shipped models; called once the window is visible."""
        from kpstudio.services import library

        try:
            self._welcome.set_demos(library.demos())
        except KpError as error:
            self._session.notify(str(error), "error")
        self._welcome.set_samples(tuple(str(path) for path in library.samples()))
        self.show(self._settings.settings)

    def show(self, settings: Settings) -> None:
        """List what is recent, then what is shipped."""
        from kpstudio.services import library

        recent = settings.recent
        self._welcome.set_recent(recent)
        shipped = tuple(str(path) for path in library.checkpoints())
        known = [path for path in recent if library.kind_of(path) == "checkpoint"]
        self._docks.models.set_paths(tuple(dict.fromkeys((*known, *shipped))))
        media = [
            path for path in recent if library.kind_of(path) == "media" and Path(path).exists()
        ]
        samples = [str(path) for path in library.samples()]
        self._docks.media.set_paths(tuple(dict.fromkeys((*media, *samples))))

    def remember(self, document: Document) -> None:
        """Keep what was opened from anywhere among the recent ones."""
        for what in (document.model, document.media):
            if what is not None and Path(what.path).exists() and not is_shipped(what.path):
                self._settings.add_recent(what.path)
