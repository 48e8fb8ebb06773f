"""Save what is open, and open it again: the session file and a crash log share this way in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kpstudio.services import session_file
from kpstudio.services.engine import Engine
from kpstudio.services.session_file import Pictures, SavedSession
from kpstudio.session.session import Session

if TYPE_CHECKING:
    from kpcore.data.media import Media

Done = Callable[[SavedSession], None]


def save_session(engine: Engine, session: Session, path: str | Path, layout: str = "") -> None:
    """Save what is open as a .kps file and remember that it is saved.

    Raises:
        InputError: Nothing is open.
        DataError: The folder cannot be written.
    """
    saved = session_file.snapshot(session, layout)
    pictures = {frame: engine.input_picture(frame) for frame in saved.frames}
    session_file.save(path, saved, pictures)
    session.mark_saved()


def open_session(
    engine: Engine,
    session: Session,
    path: str | Path,
    checkpoint: str | Path | None = None,
    done: Done | None = None,
) -> SavedSession:
    """Begin to open a .kps file; the engine goes on in the background.

    Args:
        engine: Loads the model and the media.
        session: Gets the edits once the frames are encoded.
        path: Of the file.
        checkpoint: Used in place of the saved path, when that has moved.
        done: Called once the edits are in force, e.g. to restore the window's layout.

    Raises:
        DataError: The file cannot be read, or neither the media nor its pictures are there.
        CheckpointError: The checkpoint is missing.
        InputError: An edit in the file is damaged.
    """
    saved, pictures = session_file.load(path)
    if checkpoint is not None:
        saved = replace(saved, checkpoint=str(checkpoint))

    def finish(restored: SavedSession) -> None:
        session.mark_saved()
        if done is not None:
            done(restored)

    restore(engine, session, saved, pictures, finish)
    return saved


def restore(
    engine: Engine, session: Session, saved: SavedSession, pictures: Pictures, done: Done
) -> None:
    """Open what a saved session names and replay its edits.

    Raises:
        KpError: As `open_session`.
    """
    log = saved.edit_log()
    warning = session_file.check_checkpoint(saved)
    source: str | Media = saved.media.path
    if not Path(saved.media.path).exists():
        source = session_file.stored_media(saved.media, pictures)

    def replay() -> None:
        session.update_view(**session_file.restored_view(saved.view))
        session.restore_history(log, saved.cursor)
        session.update_view(selection=frozenset(saved.view.selection))
        if warning:
            session.notify(warning, "warning")
        done(saved)

    engine.open_pair(saved.checkpoint, source, frames=saved.frames, then=replay)
