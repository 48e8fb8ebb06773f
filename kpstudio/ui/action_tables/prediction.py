"""Prediction: futures from a frame, what-if branches, and how two of them are compared."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kpstudio.session.branches import TRUTH, why_not, why_one
from kpstudio.session.view import ComparisonMode
from kpstudio.ui.action_tables.entry import Action, Choice, Choices, Situation

if TYPE_CHECKING:
    from kpstudio.ui.main_window import MainWindow

MODES: tuple[tuple[ComparisonMode, str, str], ...] = (
    ("side", "Side by side", "Show both futures beside each other"),
    ("wipe", "Wipe", "Show one future over the other, with a divider to drag"),
    ("difference", "Difference", "Show where the two futures differ"),
)
FUTURES = (1, 4, 8, 16, 32)


def why(now: Situation) -> str:
    """Return why nothing can be predicted from the shown frame; empty when it can."""
    return why_not(now.session.document, now.session.view.frame)


def can_predict(now: Situation) -> bool:
    """The open model can predict from the shown frame."""
    return not why(now)


def has_branches(now: Situation) -> bool:
    """There is a future to look at."""
    return bool(now.session.document.branches)


def has_branch(now: Situation) -> bool:
    """The second of the compared futures is a branch."""
    return any(b.key == now.session.view.comparison.second for b in now.session.document.branches)


def compares(now: Situation) -> bool:
    """Futures are compared in the centre."""
    return has_branches(now) and now.session.view.comparison.mode != "off"


def _why_no_future(now: Situation) -> str:
    if has_branches(now):
        return ""
    return why(now) or "There is no future yet: predict one from here first"


def _why_no_branch(now: Situation) -> str:
    if has_branch(now):
        return ""
    return _why_no_future(now) or "Choose a future in the panel 'Futures' first"


def _can_draw(now: Situation) -> bool:
    return has_branch(now) and not why_one(now.session.document)


def _why_not_drawn(now: Situation) -> str:
    return _why_no_branch(now) or why_one(now.session.document)


def _mode(window: MainWindow, mode: ComparisonMode) -> bool:
    return window.session.view.comparison.mode == mode


def _follows(window: MainWindow) -> bool:
    session = window.session
    key = session.view.comparison.second
    return any(branch.key == key and branch.follows for branch in session.document.branches)


def _mode_action(mode: ComparisonMode, text: str, tip: str, *, apart: bool = False) -> Action:
    return Action(
        f"compare-{mode}",
        text,
        tip,
        "Prediction",
        lambda w: w.predicting.set_mode(mode),
        enabled=has_branches,
        checked=partial(_mode, mode=mode),
        apart=apart,
        reason=_why_no_future,
    )


def _future_choices(window: MainWindow) -> list[Choice]:
    branch = window.predicting.branch
    if branch is None:
        return []
    return [
        Choice(
            "One, the likeliest" if count == 1 else f"{count} futures",
            partial(window.predicting.draw, count),
            branch.futures == count,
        )
        for count in FUTURES
    ]


def branch_choices(window: MainWindow, *, second: bool) -> list[Choice]:
    """Return the futures that one side of the comparison may show."""
    shown = window.session.view.comparison
    known = [(branch.key, branch.name) for branch in window.session.document.branches]
    chosen = shown.second if second else shown.first
    entries = known if second else [(TRUTH, "The video"), *known]
    choose = window.predicting.choose
    return [
        Choice(name, partial(choose, second=key) if second else partial(choose, first=key),
               key == chosen)
        for key, name in entries
    ]  # fmt: skip


PREDICTION: tuple[Action | Choices, ...] = (
    Action("predict", "&Predict from here", "Roll the shown particles out into the future",
           "Prediction", lambda w: w.predicting.predict(), ("P",), "predict", can_predict,
           on_canvas=True, on_timeline=True, reason=why),
    Action("what-if", "&What-if from here",
           "Compare the future of the particles as encoded with that of your edits, which the "
           "branch follows", "Prediction", lambda w: w.predicting.what_if(), ("W",), "branch",
           can_predict, on_canvas=True, on_timeline=True, reason=why),
    Action("predict-more", "Predict &more", "Let the branch go on for as many frames again",
           "Prediction", lambda w: w.predicting.extend(), ("Shift+P",), "", has_branch,
           on_canvas=True, on_timeline=True, reason=_why_no_branch),
    Action("stop-prediction", "S&top predicting", "Go no further; what is predicted stays",
           "Prediction", lambda w: w.predicting.stop(), ("Ctrl+.",), "stop",
           lambda now: now.predicting),
    Choices("futures", "Several &futures", "Draw futures from what the encoder left open",
            "Prediction", _future_choices, "branch", enabled=_can_draw, reason=_why_not_drawn),
    *(_mode_action(mode, text, tip, apart=mode == "side") for mode, text, tip in MODES),
    Action("next-comparison", "&Next comparison", "Side by side, then wipe, then difference",
           "Prediction", lambda w: w.predicting.next_mode(), ("C",), "compare", has_branches,
           on_canvas=True, on_timeline=True, reason=_why_no_future),
    Action("swap-futures", "E&xchange the two", "Exchange left and right", "Prediction",
           lambda w: w.predicting.swap(), ("Ctrl+Alt+X",), "",
           lambda now: compares(now) and now.session.view.comparison.first != TRUTH),
    Action("close-comparison", "&Leave the comparison", "Go back to the usual canvases",
           "Prediction", lambda w: w.predicting.set_mode("off"), ("Shift+C",), "close", compares,
           on_canvas=True, on_timeline=True),
    Choices("first-future", "Compare &left", "Choose the future at the left", "Prediction",
            partial(branch_choices, second=False), apart=True, enabled=has_branch,
            reason=_why_no_branch),
    Choices("second-future", "Compare &right", "Choose the future at the right", "Prediction",
            partial(branch_choices, second=True), enabled=has_branches, reason=_why_no_future),
    Action("branch-start", "Go to the &start of the branch",
           "Show the last frame before its prediction", "Prediction",
           lambda w: w.predicting.go_to_start(), ("Ctrl+Home",), "", has_branch,
           on_canvas=True, on_timeline=True),
    Action("rename-branch", "&Rename branch…", "Give the branch another name", "Prediction",
           lambda w: w.predicting.rename(), ("F2",), "", has_branch, apart=True),
    Action("duplicate-branch", "&Duplicate branch", "Keep a copy that no longer follows edits",
           "Prediction", lambda w: w.predicting.duplicate(), ("Ctrl+Shift+D",), "", has_branch),
    Action("delete-branch", "Delete &branch", "Take the branch away", "Prediction",
           lambda w: w.predicting.delete(), ("Ctrl+Delete",), "trash", has_branch),
    Action("follow-edits", "Follow &edits", "Change the branch with edits of its start frames",
           "Prediction", lambda w: w.predicting.toggle_follow(), (), "", has_branch,
           checked=_follows),
    Action("export-branch", "Branch as &video (MP4)…",
           "Write the start frames and the predicted ones", "Prediction/Export",
           lambda w: w.predicting.export("mp4"), (), "video", has_branch, apart=True),
    Action("export-branch-csv", "Branch as &table (CSV)…",
           "Write the particles of every predicted frame, one line each", "Prediction/Export",
           lambda w: w.predicting.export("csv"), (), "table", has_branch),
    Action("export-branch-npz", "Branch as &arrays (NPZ)…",
           "Write the particles of every predicted frame for NumPy", "Prediction/Export",
           lambda w: w.predicting.export("npz"), (), "table", has_branch),
)  # fmt: skip
"""The menu of predictions."""
