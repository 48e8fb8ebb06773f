"""An append-only log of edits beside a snapshot, so that a crash loses at most one gesture.

Each running studio has a folder of its own under the user's data folder:

    lock            held while the studio runs; holds its process id
    session.json    what is open, the edits so far (see `session_file.SavedSession`), whether these
                    are in a file of the user's, and the name of the log that goes on from there
    edits-N.jsonl   one line per change since then: {"keep": n, "add": [edits], "cursor": m}

`keep` is how many of the edits before still stand (a new edit after an undo drops the rest).
A folder whose lock is free belongs to a studio that did not end well: its edits can be recovered.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from kpcore.configuration import to_plain
from kpcore.errors import DataError, KpError
from kpcore.files import write_atomically
from kpstudio.services import session_file
from kpstudio.services.session_file import SavedSession
from kpstudio.session import edits
from kpstudio.session.document import Document
from kpstudio.session.history import Entry, History
from kpstudio.session.session import Session

logger = logging.getLogger(__name__)

_SYNC_S = 1.0
_LOG_LIMIT_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Recoverable:
    """What a studio that did not end well left behind.

    Attributes:
        folder: Of its log.
        saved: What was open, with the edits up to its end.
        time: Seconds since 1970 of the last edit.
    """

    folder: Path
    saved: SavedSession
    time: float

    def discard(self) -> None:
        """Delete it: it was recovered, or is not wanted."""
        shutil.rmtree(self.folder, ignore_errors=True)


def default_folder() -> Path:
    """Return where the logs of all running studios lie."""
    return platformdirs.user_data_path("keypoint-studio") / "recovery"


def find_recoverable(root: Path | None = None) -> list[Recoverable]:
    """Return what can be recovered, newest first; folders with nothing in them are removed."""
    root = root or default_folder()
    found: list[Recoverable] = []
    for folder in sorted(root.glob("*")) if root.is_dir() else ():
        lock = _Lock.take(folder / "lock")
        if lock is None:
            continue
        lock.release()
        saved = _read(folder)
        if saved is None:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        newest = max(path.stat().st_mtime for path in folder.iterdir())
        found.append(Recoverable(folder, saved, newest))
    return sorted(found, key=lambda one: -one.time)


class Autosave:
    """Writes the log of one session while it is edited; called on the UI thread."""

    def __init__(self, session: Session, root: Path | None = None) -> None:
        """Begin to log.

        Args:
            session: Listened to.
            root: Folder of all logs; None for the user's own.
        """
        self._session = session
        self.folder = (root or default_folder()) / f"{time.time_ns()}-{os.getpid()}"
        self._lock: _Lock | None = None
        self._log = self.folder / "edits.jsonl"
        self._opened: tuple[int, int] | None = None
        self._written: tuple[Entry, ...] = ()
        self._cursor = 0
        self._failed = False
        self._syncer = _Syncer()
        session.document_changed.connect(self._on_document)
        session.history_changed.connect(self._on_history)
        session.saved_changed.connect(self._on_saved)

    def close(self) -> None:
        """End well: nothing is left to recover."""
        for signal, slot in (
            (self._session.document_changed, self._on_document),
            (self._session.history_changed, self._on_history),
            (self._session.saved_changed, self._on_saved),
        ):
            signal.disconnect(slot)
        self._syncer.close()
        if self._lock is not None:
            self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- listening -------------------------------------------------------------------------------
    def _on_document(self, document: Document) -> None:
        if document.model is None or document.media is None:
            return
        opened = (document.model.key, document.media.key)
        if opened != self._opened:
            self._opened = opened
            self._guard(self._write_snapshot)

    def _on_history(self, history: History) -> None:
        if self._opened is not None and (history.entries or self._written):
            self._guard(self._append, history)

    def _on_saved(self, is_saved: bool) -> None:
        """What is in the user's own file need not be recovered."""
        if is_saved and self._written:
            self._guard(self._write_snapshot, saved=True)

    def _guard(self, write: Any, *arguments: Any, **named: Any) -> None:
        """Write; tell once when the disk refuses, and try again with the next edit."""
        try:
            write(*arguments, **named)
            self._failed = False
        except (OSError, KpError) as error:
            logger.warning("edits are not logged: %s", error)
            if not self._failed:
                self._failed = True
                self._session.notify(
                    f"Edits cannot be logged for recovery ({error}); save the session often",
                    "warning",
                )

    # -- writing ---------------------------------------------------------------------------------
    def _write_snapshot(self, saved: bool = False) -> None:
        """Write everything afresh; an empty log follows it."""
        history = self._session.history
        session = to_plain(session_file.snapshot(self._session))
        if self._lock is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _Lock.take(self.folder / "lock")
        log = self.folder / f"edits-{time.time_ns()}.jsonl"
        text = json.dumps({"log": log.name, "saved": saved, "session": session})
        write_atomically(self.folder / "session.json", text.encode(), DataError)
        for old in self.folder.glob("edits-*.jsonl"):
            old.unlink(missing_ok=True)
        self._log, self._written, self._cursor = log, history.entries, history.cursor

    def _append(self, history: History) -> None:
        if self._failed:
            self._write_snapshot()
            return
        keep = 0
        for old, new in zip(self._written, history.entries, strict=False):
            if old.edit is not new.edit:
                break
            keep += 1
        fresh = [edits.to_plain(entry.edit) for entry in history.entries[keep:]]
        if keep == len(self._written) and not fresh and history.cursor == self._cursor:
            return
        line = json.dumps({"keep": keep, "add": fresh, "cursor": history.cursor}).encode() + b"\n"
        with self._log.open("ab") as file:
            file.write(line)
        self._written, self._cursor = history.entries, history.cursor
        self._syncer.ask(self._log)
        if self._log.stat().st_size > _LOG_LIMIT_BYTES:
            self._write_snapshot()


class _Syncer:
    """Brings the log to the disk itself a second after the last line, off the UI thread."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def ask(self, path: Path) -> None:
        """Sync `path` soon; asked again meanwhile, it is done once."""
        if self._timer is not None and self._timer.is_alive():
            return
        self._timer = threading.Timer(_SYNC_S, self._sync, [path])
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Sync no more."""
        if self._timer is not None:
            self._timer.cancel()

    @staticmethod
    def _sync(path: Path) -> None:
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            logger.debug("the log was not synced: %s", error)


class _Lock:
    """A file that one process holds; free again when it ends, however it ends."""

    def __init__(self, path: Path, file: int) -> None:
        self._path, self._file = path, file

    @classmethod
    def take(cls, path: Path) -> _Lock | None:
        """Return the lock, or None when a living process has it or the folder refuses."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None
        if not _hold(file):
            os.close(file)
            return None
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        return cls(path, file)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._file)


def _hold(file: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return _owner_is_gone(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _owner_is_gone(file: int) -> bool:
    """Return whether the process named in a lock file has ended (where locks are unknown)."""
    text = os.read(file, 32)
    os.lseek(file, 0, os.SEEK_SET)
    if not text.isdigit():
        return True
    try:
        os.kill(int(text), 0)
    except OSError:
        return True
    return False


def _read(folder: Path) -> SavedSession | None:
    """Return what a folder holds, with its log replayed; None when there is nothing to recover."""
    try:
        plain = json.loads((folder / "session.json").read_text("utf-8"))
        saved = session_file.read_plain(plain["session"], folder.name)
        log_file = folder / plain["log"]
        lines = log_file.read_bytes().split(b"\n") if log_file.is_file() else []
        is_safe = bool(plain["saved"])
    except (OSError, ValueError, KeyError, TypeError, DataError) as error:
        logger.debug("nothing to recover in '%s': %s", folder, error)
        return None
    log, cursor = list(saved.edits), saved.cursor
    for line in lines:
        try:
            change = json.loads(line)
            log[change["keep"] :] = change["add"]
            cursor = change["cursor"]
            is_safe = False
        except (ValueError, KeyError, TypeError):
            continue
    if is_safe or not log:
        return None
    return replace(saved, edits=tuple(log), cursor=min(cursor, len(log)))
