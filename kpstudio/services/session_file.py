"""A saved session: one .kps file with everything needed to go on where the user stopped.

A zip archive of `session.json` (versions, checkpoint with its SHA-256, media, edits with cursor,
view, layout of the window) and `frames/N.png`: the pictures, as the model saw them, of the frames
that were edited, so that it opens when the media has moved. Written whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcore import __version__
from kpcore.configuration import from_plain, to_plain
from kpcore.errors import CheckpointError, DataError, InputError
from kpcore.files import write_atomically
from kpstudio.services.picture_media import PictureMedia
from kpstudio.session import edits
from kpstudio.session.edits import Edit
from kpstudio.session.session import Session
from kpstudio.session.view import ROLES, Comparison, LayerView, Role, ViewState

FORMAT = 1
_JSON_LIMIT = 100_000_000

Pictures = Mapping[int, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class SavedMedia:
    """Where the media was, and what it was."""

    path: str
    name: str
    kind: Literal["image", "folder", "video"]
    count: int
    fps: float | None = None
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SavedView:
    """How the document was looked at."""

    frame: int = 0
    selection: tuple[int, ...] = ()
    layers: tuple[LayerView, ...] = ()
    main: Role = "edited"
    grid: bool = False
    comparison: Comparison = field(default_factory=Comparison)
    level: int | None = None
    landmarks: str = ""


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What a session file says, without the pictures.

    Attributes:
        checkpoint: Path of the checkpoint.
        family: Its family's shown name, for messages.
        media: What was open.
        edits: The edit log, as JSON values, oldest first.
        cursor: How many of the edits are in force.
        view: How it was looked at.
        layout: State of the docks, as Qt packs it, in base64.
        checkpoint_sha256: Of the checkpoint file; empty when it was not worked out.
        format: Version of this layout.
        library: Version of the program that wrote it.
    """

    checkpoint: str
    family: str
    media: SavedMedia
    edits: tuple[dict[str, Any], ...] = ()
    cursor: int = 0
    view: SavedView = SavedView()
    layout: str = ""
    checkpoint_sha256: str = ""
    format: int = FORMAT
    library: str = __version__

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{Path(self.checkpoint).stem} on {self.media.name}"

    @property
    def frames(self) -> tuple[int, ...]:
        """Frames that the edits touch, and the shown one."""
        touched = {edit["frame"] for edit in self.edits if isinstance(edit.get("frame"), int)}
        for edit in self.edits:
            starts = edit.get("frames")
            if isinstance(starts, list | tuple):
                touched |= {frame for frame in starts if isinstance(frame, int)}
        shown = {self.view.frame} if self.view.frame < self.media.count else set[int]()
        return tuple(sorted(touched | shown))

    def edit_log(self) -> list[Edit]:
        """Return the edits as values.

        Raises:
            InputError: One of them is damaged or unknown.
        """
        return [edits.from_plain(edit) for edit in self.edits]


def snapshot(session: Session, layout: str = "") -> SavedSession:
    """Return what is open, without reading any file.

    Raises:
        InputError: No model or no media is open.
    """
    document, view, history = session.history.document, session.view, session.history
    if document.model is None or document.media is None:
        raise InputError("there is nothing to save yet; open a checkpoint and an image or video")
    media = document.media
    return SavedSession(
        checkpoint=document.model.path,
        family=document.model.family,
        media=SavedMedia(media.path, media.name, media.kind, media.count, media.fps, media.size),
        edits=tuple(edits.to_plain(entry.edit) for entry in history.entries),
        cursor=history.cursor,
        view=SavedView(
            view.frame,
            tuple(sorted(view.selection)),
            view.layers,
            view.main,
            view.grid,
            view.comparison,
            view.level,
            view.landmarks,
        ),
        layout=layout,
    )


def save(path: str | Path, saved: SavedSession, pictures: Pictures) -> None:
    """Write a session file.

    Args:
        path: Ends in .kps.
        saved: See `snapshot`.
        pictures: Of `saved.frames`, as the model sees them.

    Raises:
        DataError: The folder cannot be written; an older file stays as it was.
    """
    if not saved.checkpoint_sha256:
        saved = replace(saved, checkpoint_sha256=checkpoint_sha256(saved.checkpoint))
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(to_plain(saved), ensure_ascii=False, indent=1)
        archive.writestr("session.json", text)
        for frame, picture in sorted(pictures.items()):
            png = io.BytesIO()
            Image.fromarray(picture).save(png, "PNG")
            archive.writestr(f"frames/{frame}.png", png.getvalue())
    write_atomically(Path(path), blob.getvalue(), DataError)


def load(path: str | Path) -> tuple[SavedSession, dict[int, NDArray[np.uint8]]]:
    """Return a session file's content.

    Raises:
        DataError: Missing, damaged, or not a session file.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("session.json").file_size > _JSON_LIMIT:
                raise DataError(f"'{path.name}' is too large for a session file")
            saved = read_plain(json.loads(archive.read("session.json")), path.name)
            pictures = {
                int(Path(name).stem): _picture(archive.read(name))
                for name in archive.namelist()
                if name.startswith("frames/") and Path(name).stem.isdigit()
            }
    except FileNotFoundError as error:
        raise DataError(f"there is no session file '{path}'; check the path") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(
            f"'{path.name}' is not a session file or is damaged; open a .kps file saved by the "
            f"studio"
        ) from error
    except (OSError, ValueError, EOFError, NotImplementedError) as error:
        raise DataError(f"the session file '{path.name}' cannot be read: {error}") from error
    beside = path.parent / Path(saved.checkpoint).name
    if not Path(saved.checkpoint).is_file() and beside.is_file():
        saved = replace(saved, checkpoint=str(beside))
    return saved, pictures


def read_plain(plain: object, name: str) -> SavedSession:
    """Return the session that JSON values hold.

    Raises:
        DataError: They are damaged or of a newer version.
    """
    version = plain.get("format") if isinstance(plain, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise DataError(
            f"'{name}' has session format {version}, this version reads up to {FORMAT}; update "
            f"Keypoint Studio"
        )
    try:
        return from_plain(SavedSession, plain)
    except InputError as error:
        raise DataError(f"the session file '{name}' is damaged: {error}") from error


def check_checkpoint(saved: SavedSession) -> str:
    """Return a sentence when the checkpoint is another than it was, or "".

    Raises:
        CheckpointError: It is missing.
    """
    path = Path(saved.checkpoint)
    if not path.is_file():
        raise CheckpointError(
            f"the session needs the checkpoint '{path.name}' ({saved.family}), which is no longer "
            f"at '{path.parent}'; put it back there or beside the session file, and open the "
            f"session again"
        )
    if saved.checkpoint_sha256 and checkpoint_sha256(saved.checkpoint) != saved.checkpoint_sha256:
        return (
            f"The checkpoint '{path.name}' has changed since the session was saved, so the edits "
            f"may look different"
        )
    return ""


def checkpoint_sha256(path: str) -> str:
    """Return the SHA-256 of a file, or "" when it cannot be read."""
    try:
        stat = Path(path).stat()
        return _digest(path, stat.st_mtime_ns, stat.st_size)
    except OSError:
        return ""


@lru_cache(maxsize=16)
def _digest(path: str, _time_ns: int, _size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _picture(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return np.array(image.convert("RGB"))


def stored_media(saved: SavedMedia, pictures: Pictures) -> PictureMedia:
    """Return the pictures inside a session file in place of media that has moved.

    Raises:
        DataError: No picture was stored.
    """
    if not pictures:
        raise DataError(
            f"'{saved.name}' is no longer at '{saved.path}' and the session holds no picture of "
            f"it; put it back and open the session again"
        )
    frames = "frame" if len(pictures) == 1 else f"{len(pictures)} frames"
    note = (
        f"no longer at '{Path(saved.path).parent}', so only the {frames} stored in the session "
        f"can be shown"
    )
    return PictureMedia(
        saved.path,
        pictures,
        name=saved.name,
        kind=saved.kind,
        count=saved.count,
        fps=saved.fps,
        notes=(note,),
    )


def restored_view(saved: SavedView) -> dict[str, Any]:
    """Return the changes that bring a view back.

    Layers that this version does not know are left out; those that the other did not know come in
    at their usual place.
    """
    usual = ViewState().layers
    known = {layer.name for layer in usual}
    layers = [layer for layer in saved.layers if layer.name in known]
    for place, layer in enumerate(usual):
        if layers and layer.name not in {other.name for other in layers}:
            layers.insert(place, layer)
    changes: dict[str, Any] = {
        "frame": saved.frame, "grid": saved.grid, "comparison": saved.comparison,
        "level": saved.level, "landmarks": saved.landmarks,
    }  # fmt: skip
    if layers:
        changes["layers"] = tuple(layers)
    if saved.main in ROLES:
        changes["main"] = saved.main
    return changes
