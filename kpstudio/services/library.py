"""What ships with the studio, and what a path is that the user opens or drops."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kpcore.configuration import from_plain
from kpcore.errors import DataError, InputError, nearest
from kpstudio.resource_files import resource_path

PathKind: TypeAlias = Literal["checkpoint", "media", "run", "session"]

SESSION_SUFFIX = ".kps"
_CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


DEMOS = "demos.json"
"""The table of demos, in the order of the welcome page: a list of `Demo` without folders."""

Beginning: TypeAlias = Literal["look", "predict"]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the table; see `Demo`."""

    name: str
    title: str
    text: str
    checkpoint: str
    sample: str
    frame: int = 0
    begin: Beginning = "look"


@dataclass(frozen=True, slots=True)
class Demo:
    """A shipped checkpoint with a sample that it was not trained on.

    Attributes:
        name: For `kpstudio --demo NAME`.
        title: Shown name.
        text: One sentence.
        checkpoint: Of resources/checkpoints.
        sample: Of resources/samples.
        frame: Shown first; also its picture on the welcome page.
        begin: What the studio does once it is open.
    """

    name: str
    title: str
    text: str
    checkpoint: Path
    sample: Path
    frame: int = 0
    begin: Beginning = "look"


def demos() -> tuple[Demo, ...]:
    """Return the demos whose files this installation has, in the order of the table.

    Raises:
        DataError: The table is damaged.
    """
    try:
        plain = json.loads(resource_path(DEMOS).read_text("utf-8"))
        entries = [from_plain(_Entry, line) for line in plain]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, InputError) as error:
        raise DataError(
            f"the table of demos '{DEMOS}' cannot be read ({error}); install Keypoint Studio again"
        ) from error
    return tuple(demo for entry in entries if (demo := _found(entry)) is not None)


def _found(entry: _Entry) -> Demo | None:
    try:
        checkpoint = resource_path(f"checkpoints/{entry.checkpoint}")
        sample = resource_path(f"samples/{entry.sample}")
    except FileNotFoundError:
        return None
    return Demo(
        entry.name, entry.title, entry.text, checkpoint, sample, entry.frame, entry.begin
    )  # fmt: skip


def demo(name: str = "") -> Demo:
    """Return the demo that `kpstudio --demo NAME` opens; without a name, the first one.

    Raises:
        DataError: The installation lacks it, or there is none of that name.
    """
    known = {shipped.name: shipped for shipped in demos()}
    if not known:
        raise DataError("this installation has no demo; install Keypoint Studio again")
    if name and name not in known:
        raise DataError(
            f"there is no demo '{name}'; there are: {', '.join(known)}.{nearest(name, known)}"
        )
    return known[name] if name else next(iter(known.values()))


def checkpoints() -> tuple[Path, ...]:
    """Return the shipped checkpoints, the demo's first."""
    return _files("checkpoints", _CHECKPOINT_SUFFIXES)


def samples() -> tuple[Path, ...]:
    """Return the shipped sample pictures, folders and clips, in the order of their names."""
    from kpcore.data import image_file, video

    return _files("samples", (*image_file.SUFFIXES, *video.SUFFIXES))


def _files(folder: str, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    try:
        root = resource_path(folder)
    except FileNotFoundError:
        return ()
    found = [path for path in root.iterdir() if path.is_dir() or path.suffix.lower() in suffixes]
    return tuple(sorted(found, key=lambda path: (path.stem != "demo", path.name)))


def kind_of(path: str | Path) -> PathKind:
    """Return what a path is to the studio; whether it can be read is found on opening.

    A folder with a run's `config.json` is a run; other folders and files not known by their
    ending are media.
    """
    path = Path(path)
    if path.is_dir():
        return "run" if (path / "config.json").is_file() else "media"
    suffix = path.suffix.lower()
    if suffix == SESSION_SUFFIX:
        return "session"
    if path.name == "events.jsonl":
        return "run"
    return "checkpoint" if suffix in _CHECKPOINT_SUFFIXES else "media"
