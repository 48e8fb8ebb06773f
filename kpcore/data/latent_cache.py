"""Keep the particles of frozen encoders on disk, so that a run need not encode its clips again.

One safetensors file per clip in the user's cache folder. Its name is a hash of the model's
fingerprint and of everything that the clip's pixels depend on, so another checkpoint or framing
finds nothing. A checksum of the numbers lies in the header: what is damaged is computed again. A
folder that cannot be written is no error: then nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import platformdirs
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kpcore import files
from kpcore.errors import DataError

logger = logging.getLogger(__name__)

LIMIT_BYTES = 4_000_000_000
_LAYOUT = 1
_CHECKSUM = "sha256"


def default_folder() -> Path:
    """Return the folder of kept particles in the user's cache."""
    return platformdirs.user_cache_path("keypoint-studio") / "latents"


def cache_name(fingerprint: str, clip: str) -> str:
    """Return the file name for a clip encoded by a model.

    Args:
        fingerprint: Of the model (see `kpcore.checkpoint.fingerprint`).
        clip: All that the clip's pixels depend on.
    """
    facts = json.dumps([_LAYOUT, fingerprint, clip])
    return f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.safetensors"


def recall(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, ndarray] | None:
    """Return the kept numbers, or None when they are not there whole, of these shapes."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="np") as source:
            arrays = {name: source.get_tensor(name) for name in source.keys()}  # noqa: SIM118
            kept: dict[str, str] = source.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        logger.warning("'%s' is damaged and is made again: %s", file.name, error)
        return None
    if kept.get(_CHECKSUM) != _checksum(arrays):
        logger.warning("'%s' is damaged and is made again: its checksum differs", file.name)
        return None
    if {name: array.shape for name, array in arrays.items()} != dict(shapes):
        return None
    try:
        os.utime(file)
    except OSError:
        logger.debug("cannot mark '%s' as used", file)
    return arrays


def keep(file: Path, arrays: Mapping[str, ndarray]) -> None:
    """Write the numbers whole, or leave them when the disk refuses."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        blob = save(whole, metadata={_CHECKSUM: _checksum(whole)})
        files.write_atomically(file, blob, DataError)
    except (OSError, DataError) as error:
        logger.warning("particles are not kept: %s", error)
        return
    _remove_oldest(file.parent)


def _checksum(arrays: Mapping[str, ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _remove_oldest(folder: Path) -> None:
    try:
        known = [(p.stat().st_mtime_ns, p.stat().st_size, p) for p in folder.glob("*.safetensors")]
        total = sum(size for _, size, _ in known)
        for _, size, path in sorted(known):
            if total <= LIMIT_BYTES:
                return
            path.unlink(missing_ok=True)
            total -= size
    except OSError as error:
        logger.debug("cannot tidy '%s': %s", folder, error)
