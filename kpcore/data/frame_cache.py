"""Keep framed clips on disk, so that a second start need not decode again.

One .npy file per clip in the user's cache folder, named by a hash of everything that its pixels
depend on, written whole or not at all, and opened as a memory map. The oldest are removed beyond
`LIMIT_BYTES`. A folder that cannot be written is no error: then nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import platformdirs
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data.clips import Clip
from kpcore.geometry.framing import FramingRule

logger = logging.getLogger(__name__)

LIMIT_BYTES = 20_000_000_000
_SPARE_BYTES = 1_000_000_000
_LAYOUT = 1


def default_folder() -> Path:
    """Return the folder of the framed clips in the user's cache."""
    return platformdirs.user_cache_path("keypoint-studio") / "frames"


def cache_name(clip: Clip, rule: FramingRule, size: tuple[int, int], stride: int) -> str:
    """Return the file name for a clip framed in this way, changed when any of its files is."""
    files: list[tuple[str, int, int]] = []
    for path in clip.paths:
        stat = path.stat()
        files.append((str(path.resolve()), stat.st_size, stat.st_mtime_ns))
    facts = json.dumps([_LAYOUT, files, asdict(rule), size, stride])
    return f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.npy"


def has_room(folder: Path, size_bytes: int) -> bool:
    """Return whether `folder` can be written and takes `size_bytes` with some to spare."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError:
        return False
    return (
        os.access(folder, os.W_OK)
        and size_bytes <= LIMIT_BYTES
        and size_bytes + _SPARE_BYTES <= free
    )


def recall(file: Path, shape: tuple[int, ...]) -> UInt8[ndarray, "N 3 H W"] | None:
    """Return the kept rows, mapped from the file, or None when they are not there whole."""
    try:
        rows = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if rows.shape != shape or rows.dtype != np.uint8:
        return None
    try:
        os.utime(file)
    except OSError:
        logger.debug("cannot mark '%s' as used", file)
    return rows


def keep(
    file: Path, rows: Iterable[UInt8[ndarray, "3 H W"]], shape: tuple[int, ...]
) -> UInt8[ndarray, "N 3 H W"] | None:
    """Write rows as they come and return them mapped from the file; None when the disk refuses."""
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as sink:
            temporary = sink.name
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(sink, header)
            for row in rows:
                sink.write(row.tobytes())
        os.replace(temporary, file)
        temporary = ""
    except OSError as error:
        logger.warning("frames are not kept in '%s': %s", file.parent, error.strerror or error)
        return None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    _remove_oldest(file.parent)
    return recall(file, shape)


def _remove_oldest(folder: Path) -> None:
    try:
        files = [(p.stat().st_mtime_ns, p.stat().st_size, p) for p in folder.glob("*.npy")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= LIMIT_BYTES:
                return
            path.unlink(missing_ok=True)
            total -= size
    except OSError as error:
        logger.debug("cannot tidy '%s': %s", folder, error)
