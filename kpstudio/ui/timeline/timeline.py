"""The panel along the bottom: transport, ruler, thumbnails, and the strips that others add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from kpstudio.services.background import Background, Progress
from kpstudio.services.thumbnails import Thumbnails
from kpstudio.session.document import Document, MediaInfo
from kpstudio.session.session import Session
from kpstudio.session.view import ViewState
from kpstudio.ui.panels.panel import Panel
from kpstudio.ui.theme import GRID, Tokens
from kpstudio.ui.timeline.axis import FrameAxis
from kpstudio.ui.timeline.film import Film
from kpstudio.ui.timeline.player import TELL_MS, Player
from kpstudio.ui.timeline.ruler import Ruler
from kpstudio.ui.timeline.strip import Strip
from kpstudio.ui.timeline.transport import Transport

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities


class Timeline(Panel):
    """Plays and scrubs the open folder or video; has the keys of mpv while it has the focus.

    Other parts of the window hang their curves under it: make a `Strip` (or any widget) over
    `axis` and hand it to `add_strip`; buttons go to `add_control`. Its length is the
    document's, with the frames that branches predict beyond the media.
    """

    key = "timeline"
    title = "Timeline"
    scrolls = False

    def __init__(
        self,
        session: Session,
        tokens: Tokens,
        thumbnails: Thumbnails,
        player: Player,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session, tokens, parent)
        self.player = player
        self.axis = FrameAxis(self)
        self._media: MediaInfo | None = None
        self._background: Background | None = None
        self._teller = QTimer(self, singleShot=True, interval=TELL_MS)
        self._teller.timeout.connect(self._tell)
        self.transport = Transport(session, player, self)
        self.ruler = Ruler(session, self.axis, player, tokens, self)
        self.film = Film(session, self.axis, tokens, thumbnails, self)
        self._strips: list[QWidget] = [self.ruler, self.film]
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, GRID)
        self._column.setSpacing(GRID // 2)
        self._column.addWidget(self.transport)
        for strip in self._strips:
            self._column.addWidget(strip)
        self._column.addStretch(1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        player.changed.connect(self._on_player)
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._on_view)
        self._on_player()

    def follow(self, background: Background) -> None:
        """Tell how far the encoding in the background is."""
        self._background = background
        background.changed.connect(self._on_background)

    def _on_background(self, progress: Progress) -> None:
        if progress.is_over or progress.paused:
            self._tell()
        elif not self._teller.isActive():
            self._teller.start()

    def _tell(self) -> None:
        if self._background is None:
            return
        now = self._background.progress
        text = ""
        if now.paused and not now.is_over:
            text = f"· {now.done:,} of {now.total:,} encoded, paused"
        elif not now.is_over:
            text = f"· encoding {now.done:,} of {now.total:,}"
        self.transport.set_encoded(text)

    # -- for others ------------------------------------------------------------------------------
    def add_strip(self, widget: QWidget) -> None:
        """Put a widget under the thumbnails, as wide as the axis; hide it to take no room.

        A `Strip` gets the playhead, scrubbing and zoom for nothing.
        """
        self._strips.append(widget)
        self._column.insertWidget(self._column.count() - 1, widget)
        chosen = widget.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
        if not (chosen and widget.isHidden()):
            widget.show()
        self.updateGeometry()

    def remove_strip(self, widget: QWidget) -> None:
        """Take a widget away that was added; it is not deleted."""
        self._strips.remove(widget)
        self._column.removeWidget(widget)
        widget.hide()
        self.updateGeometry()

    def add_control(self, widget: QWidget) -> None:
        """Put a button at the right end of the transport."""
        self.transport.add_control(widget)

    # -- panel -----------------------------------------------------------------------------------
    def is_needed(self, can: Capabilities | None) -> bool:
        """Only for media of more than one frame, or with frames beyond it."""
        return self.player.count > 1

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        super().set_tokens(tokens)
        for strip in self._strips:
            if isinstance(strip, Strip):
                strip.set_tokens(tokens)

    def sizeHint(self) -> QSize:
        """Return room for every strip that is shown."""
        return QSize(640, self._column.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stretch the axis."""
        super().resizeEvent(event)
        self.axis.set_width(self.width())

    def _on_player(self) -> None:
        media = self.session.document.media
        self.axis.set_extent(self.player.count, media.count if media else None)

    def _on_document(self, document: Document) -> None:
        if document.media is not self._media:
            self._media = document.media
            self._on_player()
            self.axis.show_all()

    def _on_view(self, view: ViewState) -> None:
        if not self.axis.is_whole:
            self.axis.reveal(view.frame)

    def event(self, event: QEvent) -> bool:
        """Give the focus to the timeline wherever a strip is pressed."""
        if event.type() == QEvent.Type.MouseButtonPress:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
        return super().event(event)
