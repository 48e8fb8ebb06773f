"""What the user prefers, kept between sessions: typed, versioned JSON, written atomically.

A value that cannot be read falls back to its default and is told; the rest is kept. A file that
cannot be written costs the user nothing but a notice.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import platformdirs
from psygnal import Signal

from kpcore.errors import DataError
from kpcore.files import write_atomically

logger = logging.getLogger(__name__)

VERSION = 1
RECENT = 12

Theme: TypeAlias = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every preference.

    Attributes:
        theme: Colours of the window.
        device: Where models are opened: "auto", "cpu", "cuda:0", ...
        recent: Paths opened lately, newest first.
        layout: State of the docks, as Qt packs it, in base64.
        geometry: Place and size of the window, likewise.
        record_fps: Frames per second of recordings.
        record_folder: Where recordings go; empty for the user's videos.
        show_welcome: Whether the welcome page comes up with nothing open.
        autosave: Whether edits are logged for recovery after a crash.
        encode_videos: Whether every frame of a video is encoded in the background.
        raw_numbers: Whether particles are numbered by row, not followed over frames.
        trail_frames: How many frames back the trails reach.
        frame_cache_mb: Room for frames that were read ahead, in megabytes.
    """

    theme: Theme = "system"
    device: str = "auto"
    recent: tuple[str, ...] = ()
    layout: str = ""
    geometry: str = ""
    record_fps: int = 30
    record_folder: str = ""
    show_welcome: bool = True
    autosave: bool = True
    encode_videos: bool = True
    raw_numbers: bool = False
    trail_frames: int = 12
    frame_cache_mb: int = 256


def default_path() -> Path:
    """Return where the user's settings lie."""
    return platformdirs.user_config_path("keypoint-studio") / "settings.json"


class SettingsStore:
    """The settings in force; `update` writes them to disk."""

    changed = Signal(Settings)

    def __init__(self, path: Path | None = None) -> None:
        """Read the settings.

        Args:
            path: Of the file; None for the user's own.
        """
        self.path = path or default_path()
        self.settings, self.notices = read_settings(self.path)

    def update(self, **changes: Any) -> str:
        """Change preferences and write them; return why they could not be written, or ""."""
        updated = replace(self.settings, **changes)
        if updated == self.settings:
            return ""
        self.settings = updated
        self.changed.emit(updated)
        plain = {"version": VERSION, **asdict(updated)}
        try:
            write_atomically(self.path, json.dumps(plain, indent=1).encode(), DataError)
        except DataError as error:
            logger.warning("settings are not kept: %s", error)
            return str(error)
        return ""

    def add_recent(self, path: str | Path) -> str:
        """Put a path first among the recent ones; return as `update`."""
        newest = str(Path(path).absolute())
        rest = (known for known in self.settings.recent if known != newest)
        return self.update(recent=(newest, *rest)[:RECENT])

    def forget_recent(self, path: str | Path | None = None) -> str:
        """Take one path, or all, from the recent ones; return as `update`."""
        gone = None if path is None else str(Path(path).absolute())
        kept = tuple(known for known in self.settings.recent if gone and known != gone)
        return self.update(recent=kept)


def read_settings(path: Path) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings in a file, and one sentence for each value that was not usable."""
    try:
        plain = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings(), ()
    except (OSError, ValueError) as error:
        return Settings(), (
            f"The settings in '{path}' cannot be read ({error}); defaults are used",
        )
    if not isinstance(plain, dict):
        return Settings(), (f"The settings in '{path}' are not a table; defaults are used",)
    notices: list[str] = []
    version = plain.get("version")
    if isinstance(version, int) and version > VERSION:
        notices.append(
            f"The settings were written by a newer version ({version}); what is known of them is "
            f"used"
        )
    types = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for field in fields(Settings):
        if field.name not in plain:
            continue
        value = plain[field.name]
        if _fits(value, types[field.name]):
            values[field.name] = tuple(value) if isinstance(value, list) else value
        else:
            notices.append(
                f"The setting '{field.name}' cannot be {json.dumps(value)}; its default "
                f"{json.dumps(field.default)} is used"
            )
    return Settings(**values), tuple(notices)


def _fits(value: object, kind: Any) -> bool:
    """Return whether a JSON value is of the kind of a field."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    return isinstance(value, kind)
