"""How futures are named and coloured, the same in every part of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpstudio.session.branches import TRUTH, Branch
from kpstudio.ui.canvas.palette import COLOURS

if TYPE_CHECKING:
    from kpstudio.services.prediction import Predictions
    from kpstudio.session.document import Document

TRUTH_NAME = "Video"
_ORDER = (4, 6, 2, 3, 7, 1, 5, 0)
"""Of `COLOURS`: neighbouring branches far apart, the accent's own blue last."""


def branch_of(document: Document, key: str) -> Branch | None:
    """Return the branch of a key, or None for the video itself and for what is gone."""
    return next((branch for branch in document.branches if branch.key == key), None)


def name_of(document: Document, key: str) -> str:
    """Return the shown name of a future."""
    branch = branch_of(document, key)
    return TRUTH_NAME if branch is None else branch.name


def colour_of_branch(branch: Branch) -> str:
    """Return the colour of a branch as #RRGGBB."""
    return COLOURS[_ORDER[(branch.number - 1) % len(_ORDER)]]


def title_of(document: Document, predictions: Predictions, key: str, frame: int) -> str:
    """Return what stands over a future's picture: its name, how far it is, how near the video."""
    branch, roll = branch_of(document, key), predictions.roll(key)
    if branch is None:
        return f"{TRUTH_NAME} · frame {frame + 1}"
    parts = [branch.name]
    if frame <= branch.frame:
        parts.append("start" if frame in branch.frames else f"frame {frame + 1}")
    else:
        parts.append(f"+{frame - branch.frame}")
    error = roll.errors.get(frame - branch.frame - 1) if roll is not None else None
    if error is not None:
        parts.append(f"{error:.1f} dB")
    return " · ".join(parts)


def said(predictions: Predictions, branch: Branch) -> str:
    """Return in words which frames a branch predicts, and how far it is."""
    text = f"frames {branch.frame + 2}–{branch.end + 1}"  # noqa: RUF001 (from - to)
    roll = predictions.roll(branch.key)
    if roll is None:
        return text
    made = sum(1 for step in roll.painted if step < branch.steps)
    if roll.state == "failed":
        return f"{text} · failed at {made}"
    if roll.state == "stopped":
        return f"{text} · stopped at {made}"
    return f"{text} · {made} done" if made and roll.state != "done" else text


def short(predictions: Predictions, branch: Branch) -> str:
    """Return how far a roll-out is, in as few letters as can be."""
    roll = predictions.roll(branch.key)
    made = 0 if roll is None else sum(1 for step in roll.painted if step < branch.steps)
    return f"{made} of {branch.steps}"


def other_than(document: Document, key: str) -> str:
    """Return the key of what a branch is best compared with."""
    branch = branch_of(document, key)
    for other in document.branches:
        same = branch is not None and other.frame == branch.frame and other.key != key
        if same and other.source == "encoded":
            return other.key
    return TRUTH
