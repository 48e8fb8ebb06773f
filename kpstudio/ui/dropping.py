"""Files dropped on the window are opened; a frame shows that they may be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFrame, QWidget

_INSET = 4


class Dropping(QObject):
    """Watches a widget for files dragged over it."""

    def __init__(self, over: QWidget, open_files: Callable[[list[str]], None]) -> None:
        """Accept drops.

        Args:
            over: Where they may land.
            open_files: Called with the paths once the drop is over.
        """
        super().__init__(over)
        self._over, self._open = over, open_files
        self.hint = QFrame(over)
        self.hint.setObjectName("drop-hint")
        self.hint.setAccessibleName("Drop here to open")
        self.hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hint.hide()
        over.setAcceptDrops(True)
        over.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take drags of local files; leave everything else alone."""
        kind = event.type()
        if kind == QEvent.Type.Resize:
            self._place()
        elif kind == QEvent.Type.DragLeave:
            self.hint.hide()
        elif kind in (QEvent.Type.DragEnter, QEvent.Type.Drop) and isinstance(event, QDropEvent):
            paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
            if paths:
                event.acceptProposedAction()
            if kind == QEvent.Type.DragEnter:
                self._offer(bool(paths))
            else:
                self._take(paths)
            return True
        return super().eventFilter(watched, event)

    def _offer(self, wanted: bool) -> None:
        if wanted:
            self._place()
            self.hint.show()
            self.hint.raise_()

    def _take(self, paths: list[str]) -> None:
        self.hint.hide()
        if paths:
            QTimer.singleShot(0, self, partial(self._open, paths))

    def _place(self) -> None:
        self.hint.setGeometry(self._over.rect().adjusted(_INSET, _INSET, -_INSET, -_INSET))
