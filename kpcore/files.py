"""Write files whole or not at all, so that nothing the user made is ever half replaced."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

from kpcore.errors import KpError


def write_atomically(path: Path, blob: bytes, error_type: type[KpError]) -> None:
    """Write `blob` to `path`; whatever was there before stays until the new file is complete.

    Raises:
        KpError: Of the type given: the folder cannot be made, is read-only or is full.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = file.name
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise error_type(
            f"cannot write '{path}': {error.strerror or error}; choose a folder that can be "
            f"written and has {math.ceil(len(blob) / 1e5) / 10} MB free"
        ) from error
