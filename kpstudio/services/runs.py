"""Follow training runs by their directories, also while they are being written.

A run needs no studio and a studio no run: all that they share is the run's directory, which may
lie on a shared disk. Reading happens on a thread of its own; the UI thread gets values.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from psygnal import Signal

from kpcore.errors import KpError
from kpcore.training.events import ProbePictures, read_pictures
from kpstudio.services.mailbox import Mailbox
from kpstudio.services.run_reader import RunReader, RunSummary, Status, summarise_folder
from kpstudio.services.worker import Post

logger = logging.getLogger(__name__)

POLL_S = 1.0
_PICTURES_BYTES = 96_000_000


class RunFollower:
    """Follows the open run and lists those beside it."""

    run_changed = Signal(object)
    """`RunState` of the open run."""
    runs_changed = Signal(tuple)
    """`RunSummary` of every run in the folder of the open one."""
    pictures_read = Signal(int, object)
    """Step and `ProbePictures` that were asked for."""
    failed = Signal(str)
    """Why a run or its pictures cannot be read, in one sentence."""

    def __init__(self, post: Post, poll_s: float = POLL_S) -> None:
        """Start the reading thread, which sleeps until a run is opened.

        Args:
            post: Runs a function on the UI thread.
            poll_s: Seconds between looks at the directory.
        """
        self._post_to_ui = post
        self._poll_s = poll_s
        self._mailbox: Mailbox[Callable[[], None]] = Mailbox(("open", "pictures", "film"))
        self._reader: RunReader | None = None
        self._summaries: tuple[RunSummary, ...] = ()
        self._listed_at = 0.0
        self._last_status: Status = "empty"
        self._cache: OrderedDict[tuple[Path, int], ProbePictures] = OrderedDict()
        self._generation = 0
        self._thread = threading.Thread(target=self._work, name="runs", daemon=True)
        self._thread.start()

    # -- on the UI thread -------------------------------------------------------------------------
    def open(self, path: str | Path) -> None:
        """Follow the run at a path (its folder, or a file in it); the old one is left."""
        path = Path(path)
        self._generation += 1
        self._mailbox.put("open", partial(self._open, path.parent if path.is_file() else path))

    def want_pictures(self, step: int) -> None:
        """Ask for the probe pictures of a snapshot; a newer request takes its place."""
        self._mailbox.put("pictures", partial(self._send_pictures, (step,), self._generation))

    def want_film(self, steps: tuple[int, ...]) -> None:
        """Ask for the probe pictures of many snapshots, one after the other."""
        self._mailbox.put("film", partial(self._send_pictures, steps, self._generation))

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop following."""
        self._mailbox.close()
        self._thread.join(timeout_s)

    # -- the reading thread -----------------------------------------------------------------------
    def _work(self) -> None:
        while True:
            task = self._mailbox.take(self._poll_s if self._reader else None)
            if self._mailbox.is_closed:
                return
            try:
                if task is not None:
                    task()
                self._look()
            except KpError as error:
                text = str(error)
                self._post(self.failed.emit, text[:1].upper() + text[1:])
            except OSError as error:
                logger.warning("the run cannot be read now: %s", error)

    def _post(self, function: Callable[..., object], *arguments: object) -> None:
        def run() -> None:
            if not self._mailbox.is_closed:
                function(*arguments)

        self._post_to_ui(run)

    def _open(self, folder: Path) -> None:
        reader = RunReader(folder)
        reader.refresh()
        self._reader = reader
        self._tell(reader)
        self._listed_at = 0.0

    def _look(self) -> None:
        reader = self._reader
        if reader is None:
            return
        if reader.refresh() or reader.status(time.time()) != self._last_status:
            self._tell(reader)
        if time.monotonic() - self._listed_at > 5 * self._poll_s or not self._listed_at:
            self._listed_at = time.monotonic()
            self._list(reader.folder.parent)

    def _tell(self, reader: RunReader) -> None:
        state = reader.state(time.time())
        self._last_status = state.summary.status
        self._post(self.run_changed.emit, state)

    def _list(self, parent: Path) -> None:
        summaries = summarise_folder(parent)
        if summaries != self._summaries:
            self._summaries = summaries
            self._post(self.runs_changed.emit, summaries)

    def _send_pictures(self, steps: tuple[int, ...], generation: int) -> None:
        reader = self._reader
        for step in steps:
            if reader is None or generation != self._generation or self._mailbox.is_closed:
                return
            pictures = self._pictures(reader, step)
            if pictures is not None:
                self._post(self.pictures_read.emit, step, pictures)

    def _pictures(self, reader: RunReader, step: int) -> ProbePictures | None:
        key = (reader.folder, step)
        kept = self._cache.get(key)
        if kept is not None:
            self._cache.move_to_end(key)
            return kept
        snapshot = reader.snapshot(step)
        if snapshot is None:
            return None
        pictures = read_pictures(reader.folder, snapshot)
        self._cache[key] = pictures
        while sum(_picture_bytes(held) for held in self._cache.values()) > _PICTURES_BYTES:
            self._cache.popitem(last=False)
        return pictures


def _picture_bytes(pictures: ProbePictures) -> int:
    latents = sum(values.nbytes for values in pictures.latents.values())
    return pictures.originals.nbytes + pictures.reconstructions.nbytes + latents
