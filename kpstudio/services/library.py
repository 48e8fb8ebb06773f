"""What ships with the studio, and what a path is that the user opens or drops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kpcore.errors import DataError
from kpstudio.resource_files import resource_path

PathKind: TypeAlias = Literal["checkpoint", "media", "run", "session"]

SESSION_SUFFIX = ".kps"
_CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


@dataclass(frozen=True, slots=True)
class Demo:
    """A shipped checkpoint with a sample that it was not trained on."""

    checkpoint: Path
    sample: Path


def demo() -> Demo:
    """Return the demo that `kpstudio --demo` opens.

    Raises:
        DataError: The installation lacks it.
    """
    try:
        checkpoint = resource_path("checkpoints/demo.safetensors")
    except FileNotFoundError as error:
        raise DataError(str(error)) from error
    shipped = samples()
    if not shipped:
        raise DataError("this installation has no sample pictures; install Keypoint Studio again")
    return Demo(checkpoint, shipped[0])


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
