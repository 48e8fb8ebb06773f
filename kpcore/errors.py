"""The error types of the project; every message is one clear sentence.

A message says what was wrong, the value seen, what is accepted and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KpError(Exception):
    """Base of every error that a user can cause and mend."""


class InputError(KpError):
    """An argument, option or edit is outside what is accepted."""


class ShapeError(KpError):
    """An array has the wrong shape, channel count or dtype."""


class CheckpointError(KpError):
    """A file is not a checkpoint, is damaged, or belongs to something else."""


class DataError(KpError):
    """An image, video, folder or other medium cannot be used."""


class CapabilityError(KpError):
    """The open model cannot do what was asked."""


class DeviceError(KpError):
    """The device asked for is absent or out of memory."""


class TrainingError(KpError):
    """A training run cannot start or go on."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name closest to `name`, or an empty string."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{match[0]}'?" if match else ""
