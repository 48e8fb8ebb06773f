"""The files of the `resources` folder: icons, demo checkpoint, sample pictures."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_path(name: str) -> Path:
    """Return the path of a file or folder of `resources`, such as "icons/undo.svg".

    The folder lies inside the installed package, or beside the packages in a source tree.

    Raises:
        FileNotFoundError: The installation lacks that file.
    """
    for root in (_PACKAGE / "resources", _PACKAGE.parent / "resources"):
        path = root / name
        if path.exists():
            return path
    raise FileNotFoundError(
        f"this installation has no resource '{name}'; install Keypoint Studio again"
    )


def is_shipped(path: str | Path) -> bool:
    """Return whether a file came with the program, rather than being the user's own."""
    try:
        return Path(path).is_relative_to(resource_path("samples").parent)
    except FileNotFoundError:
        return False
