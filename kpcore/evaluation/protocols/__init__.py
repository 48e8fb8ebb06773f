"""Ways of judging a checkpoint, by name. A protocol is one module with one value, `PROTOCOL`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kpcore.api import KeypointModel
from kpcore.errors import InputError, nearest
from kpcore.evaluation.report import Report

PROTOCOLS = MappingProxyType(
    {
        "prediction": "kpcore.evaluation.protocols.prediction",
        "objects": "kpcore.evaluation.protocols.objects",
        "landmarks": "kpcore.evaluation.protocols.landmarks",
        "attributes": "kpcore.evaluation.protocols.attributes",
        "pose": "kpcore.evaluation.protocols.pose",
        "actions": "kpcore.evaluation.protocols.actions",
        "locality": "kpcore.evaluation.protocols.locality",
        "counting": "kpcore.evaluation.protocols.counting",
        "digits": "kpcore.evaluation.protocols.digits",
        "discovery": "kpcore.evaluation.protocols.discovery",
    }
)
"""Name on the command line -> module; imported when it is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is judged, and on what.

    Attributes:
        model: In eval mode, on its device.
        checkpoint: The file that it was loaded from.
        data: Path, or name of procedural scenes.
        trained_on: Description of the data that the checkpoint was trained on; may be empty.
    """

    model: KeypointModel
    checkpoint: Path
    data: str
    trained_on: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way of judging.

    Attributes:
        summary: One line.
        options: Frozen dataclass of the choices that it leaves open, with defaults; documented by
            its docstring.
        run: Judges a subject under such options.
    """

    summary: str
    options: type[Any]
    run: Callable[[Subject, Any], Report]


def get(name: str) -> Protocol:
    """Return the protocol called `name`.

    Raises:
        InputError: No such protocol; names the nearest.
    """
    if name not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise InputError(f"unknown protocol '{name}'; known: {known}.{nearest(name, PROTOCOLS)}")
    return import_module(PROTOCOLS[name]).PROTOCOL
