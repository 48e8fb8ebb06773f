"""What the user is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the bar under the toolbar.

    Attributes:
        text: What was wrong, what is accepted, what to do.
        level: Its weight.
        details: Shown on request, e.g. a traceback.
    """

    text: str
    level: Level = "info"
    details: str = ""
