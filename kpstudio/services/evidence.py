"""Asks the model what it saw of the shown frame, only while somebody looks at that."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kpstudio.services.model_host import ModelHost
from kpstudio.services.worker import Worker
from kpstudio.session.session import Session

if TYPE_CHECKING:
    from kpstudio.session.evidence import Evidence

Key = tuple[int, int, int]


class Looking:
    """Follows the session on the UI thread; the worker looks once the frame is encoded."""

    def __init__(self, session: Session, host: ModelHost, worker: Worker) -> None:
        """Wait for something to look at."""
        self._session, self._host, self._worker = session, host, worker
        self._asked: Key | None = None
        session.document_changed.connect(self._on_change)
        session.view_changed.connect(self._on_change)

    def close(self) -> None:
        """Ask for nothing any more."""
        self._session.document_changed.disconnect(self._on_change)
        self._session.view_changed.disconnect(self._on_change)

    def _on_change(self, *_: object) -> None:
        document, view = self._session.document, self._session.view
        if document.model is None or document.media is None or view.playing:
            return
        can = document.model.capabilities
        wanted = can.confidence and (view.layer("confidence").visible or can.presence == "count")
        key = (document.model.key, document.media.key, view.frame)
        if wanted and key != self._asked and view.frame in document.encoded:
            self._asked = key
            self._worker.put("evidence", partial(self._look, key))

    def _look(self, key: Key) -> None:
        if self._host.is_open(key[0], key[1]):
            self._worker.post(self._seen, key, self._host.evidence(key[2]))

    def _seen(self, key: Key, evidence: Evidence) -> None:
        self._session.receive_evidence(key[0], key[1], evidence)
