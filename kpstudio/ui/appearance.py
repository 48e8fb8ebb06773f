"""The look of one particle, copied and pasted onto others."""

from __future__ import annotations

import json

from PySide6.QtGui import QGuiApplication

from kpcore.errors import KpError
from kpstudio.session.edits import SetFeatures
from kpstudio.session.session import Session


class Appearance:
    """A clipboard for the features of one particle.

    Attributes:
        copied: The features, or nothing.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.copied: tuple[float, ...] = ()

    def copy(self) -> None:
        """Remember how the selected particle looks; it must be one."""
        latents, selection = self._session.latents, self._session.view.selection
        values = latents.rows("feature") if latents is not None else None
        if values is None or len(selection) != 1:
            return
        (row,) = selection
        self.copied = tuple(values[row])
        QGuiApplication.clipboard().setText(json.dumps({"appearance": self.copied}))

    def paste(self) -> None:
        """Make the selected particles look like the copied one."""
        rows = tuple(sorted(self._session.view.selection))
        edit = SetFeatures(self._session.view.frame, rows, (self.copied,) * len(rows))
        try:
            self._session.commit(edit)
        except KpError as error:
            self._session.notify(str(error), "error")
