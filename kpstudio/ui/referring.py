"""Choosing whose appearance pictures are decoded with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kpcore.errors import KpError
from kpstudio.session.reference_edits import SetReference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kpstudio.ui.main_window import MainWindow


class Referring:
    """Makes the choice an edit, so that it can be taken back and is saved."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def use_frame(self) -> None:
        """Decode every frame with the appearance of the shown one."""
        session = self._window.session
        shown, media = session.picture("input"), session.document.media
        if shown is None or media is None:
            return
        several = media.count > 1
        name = f"frame {shown.frame + 1} of {media.name}" if several else media.name
        self._use(name, shown.pixels)

    def choose(self) -> None:
        """Ask for a picture, and decode with its appearance."""
        path = self._window.files.ask_media("Picture that lends its appearance")
        if path:
            self.use_path(path)

    def use_path(self, path: str) -> None:
        """Decode with the appearance of a picture, or of the first frame of a video."""
        self._window.engine.look_at(path, partial(self._use, Path(path).name))

    def clear(self) -> None:
        """Give every frame its own appearance back."""
        self._commit(SetReference())

    def _use(self, name: str, pixels: NDArray[np.uint8]) -> None:
        from kpstudio.services.reference import packed

        self._commit(SetReference(name, packed(pixels)))

    def _commit(self, edit: SetReference) -> None:
        try:
            self._window.session.commit(edit)
        except KpError as error:
            self._window.session.notify(str(error), "error")
