"""The reference: whose appearance pictures are decoded with."""

from __future__ import annotations

from kpstudio.ui.action_tables.entry import Action, Situation, has_both


def takes_appearance(now: Situation) -> bool:
    """The open model decodes with the appearance of another picture."""
    return has_both(now) and now.can is not None and now.can.takes_appearance


def _has_frame(now: Situation) -> bool:
    return takes_appearance(now) and now.session.picture("input") is not None


def _has_reference(now: Situation) -> bool:
    return now.session.document.reference is not None


REFERENCE = (
    Action("reference-frame", "Appearance of this &frame", "Decode every frame with the appearance "
           "of the shown one, at its own pose", "Model", lambda w: w.referring.use_frame(), ("B",),
           "image", _has_frame, on_canvas=True, apart=True),
    Action("reference-picture", "Appearance of a &picture…", "Decode the pose of every frame with "
           "the appearance of another picture", "Model", lambda w: w.referring.choose(),
           ("Shift+B",), "open", takes_appearance, on_canvas=True),
    Action("reference-own", "Each frame's &own appearance", "Decode every frame with its own "
           "appearance again", "Model", lambda w: w.referring.clear(), (), "reset",
           _has_reference),
)  # fmt: skip
