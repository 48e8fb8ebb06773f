"""Families by name; a family is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from kpcore.errors import InputError, nearest

if TYPE_CHECKING:
    from kpcore.api import Family

FAMILIES = MappingProxyType(
    {
        "dlp-object": "kpcore.models.dlp",
        "dlp-masked": "kpcore.models.dlp",
        "dlp-compact": "kpcore.models.dlp_compact",
        "dlp-gcn": "kpcore.models.dlp_gcn",
        "lmdis": "kpcore.models.lmdis",
        "lmdis-generator": "kpcore.models.lmdis",
        "lavae": "kpcore.models.lavae",
        "lavae-baseline": "kpcore.models.lavae",
        "tusk": "kpcore.models.tusk",
        "keynet": "kpcore.models.keynet",
        "transporter": "kpcore.models.transporter",
        "keypoint-pyramids": "kpcore.models.keypoint_pyramids",
        "keynet-rnn": "kpcore.models.keynet_rnn",
    }
)
"""Registry name -> module, whose `FAMILIES` maps names to `Family` values."""


def list_models() -> list[str]:
    """Return the registry names, in the order in which they are shown."""
    return list(FAMILIES)


def get(name: str) -> Family:
    """Return the family called `name`.

    Raises:
        InputError: No such family; names the nearest.
    """
    if name not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise InputError(f"unknown family '{name}'; known: {known}.{nearest(name, FAMILIES)}")
    return import_module(FAMILIES[name]).FAMILIES[name]
