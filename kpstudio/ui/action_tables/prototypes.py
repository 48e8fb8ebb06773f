"""Prototypes: what kind particles are, and what the kinds are called."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kpstudio.session.prototype_edits import SetPrototype
from kpstudio.ui.action_tables.entry import Action, Choice, Choices, Situation, has_selection

if TYPE_CHECKING:
    from kpstudio.session.session import Session
    from kpstudio.ui.main_window import MainWindow


def has_prototypes(now: Situation) -> bool:
    """The open model's particles belong to kinds."""
    return now.can is not None and now.can.prototypes > 0


def _can_change(now: Situation) -> bool:
    return has_prototypes(now) and has_selection(now)


def _kinds(session: Session) -> list[int]:
    """Return the prototypes of the selected particles, in the order of their rows."""
    latents = session.latents
    kinds = latents.rows("prototype") if latents is not None else None
    return [kinds[row] for row in sorted(session.view.selection)] if kinds is not None else []


def _set(window: MainWindow, prototype: int, *, residue: bool = True) -> None:
    session = window.session
    rows = tuple(sorted(session.view.selection))
    if rows:
        session.commit(SetPrototype(session.view.frame, rows, prototype, residue))


def _step(window: MainWindow, step: int) -> None:
    model, kinds = window.session.document.model, _kinds(window.session)
    if model is not None and kinds:
        _set(window, (kinds[0] + step) % model.capabilities.prototypes)


def _purify(window: MainWindow) -> None:
    kinds = _kinds(window.session)
    if kinds:
        _set(window, kinds[0], residue=False)


def _choices(window: MainWindow) -> list[Choice]:
    document, kinds = window.session.document, _kinds(window.session)
    if document.model is None or not kinds:
        return []
    return [
        Choice(
            document.prototype_name(prototype),
            partial(_set, window, prototype),
            set(kinds) == {prototype},
            "Make the selected particles of this prototype",
        )
        for prototype in range(document.model.capabilities.prototypes)
    ]


def _rename(window: MainWindow) -> None:
    kinds = _kinds(window.session)
    window.docks.reveal("prototypes")
    window.docks.prototypes.begin_rename(kinds[0] if kinds else None)


PROTOTYPES = (
    Choices("prototype", "Proto&type", "Make the selected particles of another prototype",
            "Particles", _choices, apart=True),
    Action("next-prototype", "Ne&xt prototype", "Make the selected particles of the prototype "
           "after theirs, keeping how they differ from it", "Particles", lambda w: _step(w, 1),
           ("Q",), "", _can_change, on_canvas=True),
    Action("previous-prototype", "Pre&vious prototype", "Make the selected particles of the "
           "prototype before theirs", "Particles", lambda w: _step(w, -1), ("Shift+Q",), "",
           _can_change, on_canvas=True),
    Action("pure-prototype", "The protot&ype itself", "Give the selected particles exactly the "
           "appearance of their prototype", "Particles", _purify, (), "", _can_change),
    Action("rename-prototype", "Na&me the prototype…", "Give the prototype of the selection a "
           "name of your own", "Particles", _rename, ("Shift+F2",), "", has_prototypes),
)  # fmt: skip
