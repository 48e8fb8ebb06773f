"""What the actions of the prediction menu do, and what ties futures to the window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QStandardPaths, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QToolButton

from kpcore.errors import KpError
from kpstudio.services.prediction import Predictions
from kpstudio.session.branch_edits import (
    AddBranch,
    DrawFutures,
    DuplicateBranch,
    ExtendBranch,
    FollowEdits,
    RemoveBranch,
    RenameBranch,
)
from kpstudio.session.branches import MOST_STEPS, TRUTH, Branch, next_key, why_not, why_one
from kpstudio.session.document import Document
from kpstudio.session.edits import Edit
from kpstudio.session.view import Comparison, ComparisonMode, ViewState
from kpstudio.ui.action_tables.prediction import MODES, branch_choices
from kpstudio.ui.canvas.palette import CanvasColours
from kpstudio.ui.prediction.futures import branch_of, other_than
from kpstudio.ui.prediction.strips import CurveStrip, DivergenceStrip, ErrorStrip, SpreadStrip

if TYPE_CHECKING:
    from kpstudio.services.branch_export import BranchExport
    from kpstudio.ui.main_window import MainWindow
    from kpstudio.ui.prediction.comparison_view import ComparisonView
    from kpstudio.ui.theme import Tokens

Kind = Literal["predict", "what-if"]


class Predicting(QObject):
    """Owns the predictions, the view that compares them and the curves under the timeline."""

    shown_changed = Signal()
    """The centre shows the comparison now, or no more."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session = window, window.session
        self.predictions = Predictions(window.session, window.engine)
        self.view: ComparisonView | None = None
        self._waiting: tuple[Kind, int] | None = None
        self._is_beginning = False
        self._followed: tuple[str, int] | None = None
        self._export: BranchExport | None = None
        self._was_shown = self._was_going = False
        self._opened: tuple[object, object] = (None, None)
        timeline, tokens = window.docks.timeline, window.theme.tokens
        kinds: tuple[type[CurveStrip], ...] = (ErrorStrip, DivergenceStrip, SpreadStrip)
        self.strips = tuple(
            kind(window.session, timeline.axis, tokens, self.predictions) for kind in kinds
        )
        for strip in self.strips:
            strip.shown_changed.connect(self._soon_fit)
            timeline.add_strip(strip)
        self._fit = QTimer(self, singleShot=True, interval=0)
        self._fit.timeout.connect(self._fit_timeline)
        window.player.set_source(self._is_ready, self._prepare)
        self._panel = window.docks.branches
        self._panel.choose_wanted.connect(self._on_choose)
        self._panel.rename_wanted.connect(lambda key, name: self._commit(RenameBranch(key, name)))
        self._session.document_changed.connect(self._on_document)
        self._session.view_changed.connect(self._on_view)
        self._session.frame_received.connect(self._on_frame)
        self.predictions.pictured.connect(self._on_picture)
        self.predictions.changed.connect(self._on_progress)

    def bind(self) -> None:
        """Put the buttons in, once the window's actions are made."""
        actions = self._window.actions_made
        self._panel.bind(self.predictions, actions)
        self._window.docks.particles.way_back.offer(
            (
                (actions["branch-start"], "Go to the start"),
                (actions["what-if"], "What-if from here"),
            )
        )
        for key, text in (("predict", "Predict from here"), ("what-if", "What-if")):
            button = QToolButton()
            button.setDefaultAction(actions[key])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setText(text)
            actions[key].changed.connect(partial(button.setText, text))
            button.setProperty("role", "framed")
            button.setAccessibleName(text)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._window.docks.timeline.add_control(button)

    def close(self) -> None:
        """Work nothing out any more."""
        if self._export is not None:
            self._export.cancel()
        self.predictions.close()

    # -- values ----------------------------------------------------------------------------------
    @property
    def branch(self) -> Branch | None:
        """The branch at the right of the comparison: what the actions are about."""
        document = self._session.document
        return branch_of(document, self._session.view.comparison.second)

    @property
    def is_shown(self) -> bool:
        """Whether the centre shows the comparison."""
        return self._session.view.comparison.mode != "off" and self.branch is not None

    @property
    def is_going(self) -> bool:
        """Whether a roll-out is under way."""
        if not self.is_shown:
            return False
        shown = self._session.view.comparison
        rolls = (self.predictions.roll(key) for key in (shown.first, shown.second))
        return any(roll is not None and roll.state in ("waiting", "rolling") for roll in rolls)

    # -- asking for futures ----------------------------------------------------------------------
    def begin(self) -> None:
        """Roll the particles of the shown frame out as a part of what is opened, not as an edit."""
        self._is_beginning = True
        self.predict()

    def predict(self) -> None:
        """Roll the particles of the shown frame out."""
        self._ask("predict", self._session.view.frame)

    def what_if(self) -> None:
        """Compare the future of the encoded particles with that of the edited ones."""
        self._is_beginning = False
        self._ask("what-if", self._session.view.frame)

    def _ask(self, kind: Kind, frame: int) -> None:
        session, document = self._session, self._session.document
        why = why_not(document, frame)
        if why or document.model is None:
            session.notify(why)
            self._is_beginning = False
            return
        if session.in_gesture:
            session.commit()
        self._window.player.playback.pause()
        frames = tuple(range(frame + 1 - document.model.capabilities.video_history, frame + 1))
        missing = [f for f in frames if document.encoded.get(f) is None]
        if missing:
            self._waiting = kind, frame
            session.encoding_wanted.emit(missing[0])
            return
        self._waiting = None
        if kind == "predict":
            self._add_prediction(frames)
        else:
            self._add_what_if(frames)

    def _add_prediction(self, frames: tuple[int, ...]) -> None:
        key = next_key(self._session.document.branches)
        edit = AddBranch(key, f"Prediction {key[1:]}", frames, self._panel.steps.value())
        begins = self._is_beginning and self._session.is_saved
        self._is_beginning = False
        if self._commit(edit):
            self._compare(key, TRUTH, "side")
            if begins:
                self._session.mark_saved()

    def _add_what_if(self, frames: tuple[int, ...]) -> None:
        document = self._session.document
        steps = self._panel.steps.value()
        key = next_key(document.branches)
        first = self._baseline(document, frames, steps)
        baseline = ""
        if not first:
            baseline = first = key
            key = f"b{int(key[1:]) + 1}"
        name = f"What-if {1 + sum(b.name.startswith('What-if') for b in document.branches)}"
        edit = AddBranch(key, name, frames, steps, follows=True, baseline=baseline)
        if not self._commit(edit):
            return
        self._compare(key, first, "wipe")
        if not any(frame in document.edited for frame in frames):
            self._followed = None
            self._session.update_view(frame=frames[-1])
            self._session.notify(
                "Drag particles here, at the start: this branch follows your hand, and the other "
                "stays as encoded"
            )

    @staticmethod
    def _baseline(document: Document, frames: tuple[int, ...], steps: int) -> str:
        """Return the key of a branch of the same frames as encoded; empty when there is none."""
        encoded = [document.original(frame) for frame in frames]
        for branch in document.branches:
            same = branch.frames == frames and branch.steps >= steps and not branch.follows
            if same and all(a is b for a, b in zip(branch.start, encoded, strict=True)):
                return branch.key
        return ""

    def _compare(self, second: str, first: str, usual: ComparisonMode) -> None:
        shown = self._session.view.comparison
        mode = usual if shown.mode == "off" else shown.mode
        branch = branch_of(self._session.document, second)
        self._followed = (second, branch.frame) if branch is not None else None
        comparison = Comparison(mode, first, second, shown.divider)
        self._session.update_view(comparison=comparison)

    def extend(self) -> None:
        """Let the branch go on for as many frames as the panel says, and what is beside it."""
        branch, shown = self.branch, self._session.view.comparison
        if branch is None:
            return
        other = branch_of(self._session.document, shown.first)
        steps = min(MOST_STEPS, branch.steps + self._panel.steps.value())
        beside = other.key if other is not None and other.key != branch.key else ""
        at_end = self._session.view.frame == branch.end
        if self._commit(ExtendBranch(branch.key, steps, beside)):
            self._followed = (branch.key, branch.end) if at_end else None
            for key in (branch.key, beside):
                self.predictions.go_on(key)

    def stop(self) -> None:
        """Go no further."""
        shown = self._session.view.comparison
        self._followed = None
        for key in (shown.first, shown.second):
            self.predictions.stop(key)

    def draw(self, count: int) -> None:
        """Draw several futures of the branch."""
        branch = self.branch
        if branch is None:
            return
        why = why_one(self._session.document)
        if count > 1 and why:
            self._session.notify(why, "warning")
            return
        self._commit(DrawFutures(branch.key, count, branch.seed))

    # -- keeping branches ------------------------------------------------------------------------
    def rename(self) -> None:
        """Let the user type another name in the panel."""
        if self.branch is not None:
            self._window.docks.reveal("futures")
            self._panel.rename(self.branch.key)

    def duplicate(self) -> None:
        """Keep a copy that no longer follows edits."""
        branch = self.branch
        if branch is not None:
            key = next_key(self._session.document.branches)
            self._commit(DuplicateBranch(branch.key, key, f"{branch.name} copy"))

    def delete(self) -> None:
        """Take the branch away, and look at another one."""
        branch = self.branch
        if branch is None or not self._commit(RemoveBranch(branch.key, branch.name)):
            return
        left = self._session.document.branches
        shown = self._session.view.comparison
        second = left[-1].key if left else ""
        first = TRUTH if shown.first in (second, branch.key) else shown.first
        mode: ComparisonMode = shown.mode if left else "off"
        self._session.update_view(comparison=Comparison(mode, first, second, shown.divider))

    def toggle_follow(self) -> None:
        """Let the branch follow edits, or keep it."""
        branch = self.branch
        if branch is not None:
            self._commit(FollowEdits(branch.key, not branch.follows))

    def _commit(self, edit: Edit) -> bool:
        try:
            self._session.commit(edit)
        except KpError as error:
            text = str(error)
            self._session.notify(text[:1].upper() + text[1:], "error")
            return False
        return True

    # -- comparing -------------------------------------------------------------------------------
    def set_mode(self, mode: ComparisonMode) -> None:
        """Compare in another way, or not at all."""
        shown = self._session.view.comparison
        second, first = shown.second, shown.first
        branches = self._session.document.branches
        if mode != "off" and self.branch is None and branches:
            second = branches[-1].key
            first = other_than(self._session.document, second)
        self._session.update_view(comparison=Comparison(mode, first, second, shown.divider))
        media = self._session.document.media
        if mode == "off" and media is not None and self._session.view.frame >= media.count:
            self._session.update_view(frame=media.count - 1)

    def next_mode(self) -> None:
        """Go through the ways to compare."""
        modes: list[ComparisonMode] = [mode for mode, _, _ in MODES]
        now = self._session.view.comparison.mode
        self.set_mode(modes[(modes.index(now) + 1) % len(modes)] if now in modes else modes[0])

    def choose(self, first: str = "", second: str = "") -> None:
        """Compare other futures.

        Args:
            first: Key for the left; empty for no change.
            second: Key for the right; empty for no change.
        """
        shown = self._session.view.comparison
        if first and first == (second or shown.second):
            self.swap()
            return
        if second and second != shown.second:
            self._followed = None
            if shown.first in (TRUTH, second) or branch_of(self._session.document, first) is None:
                first = first or other_than(self._session.document, second)
        mode = shown.mode if shown.mode != "off" else "side"
        self._session.update_view(
            comparison=Comparison(mode, first or shown.first, second or shown.second, shown.divider)
        )

    def swap(self) -> None:
        """Exchange left and right."""
        shown = self._session.view.comparison
        if branch_of(self._session.document, shown.first) is not None:
            comparison = Comparison(shown.mode, shown.second, shown.first, 1 - shown.divider)
            self._session.update_view(comparison=comparison)

    def go_to_start(self) -> None:
        """Show the last start frame of the branch."""
        if self.branch is not None:
            self._followed = None
            self._window.player.go(self.branch.frame)

    def _on_choose(self, first: str, second: str) -> None:
        self.choose(first, second)

    # -- the centre ------------------------------------------------------------------------------
    def show(self) -> ComparisonView:
        """Return the view, made if there is none yet."""
        if self.view is None:
            from kpstudio.ui.prediction.comparison_view import ComparisonView

            window = self._window
            view = ComparisonView(
                self._session,
                self.predictions,
                window.compare.links,
                lambda second: branch_choices(window, second=second),
                window.actions_made,
                window,
            )
            view.set_colours(window.theme.tokens.canvas_colours)
            view.set_smooth(window.is_smooth)
            view.hint_changed.connect(window.status.set_hint)
            view.pointer_moved.connect(window.status.set_pointer)
            window.actions_made.bind_canvas(view)
            window.stack.addWidget(view)
            self.view = view
        return self.view

    def set_tokens(self, tokens: Tokens) -> None:
        """Draw in the colours of another theme."""
        if self.view is not None:
            colours: CanvasColours = tokens.canvas_colours
            self.view.set_colours(colours)

    def set_smooth(self, smooth: bool) -> None:
        """Interpolate between pixels, or not."""
        if self.view is not None:
            self.view.set_smooth(smooth)

    # -- listening -------------------------------------------------------------------------------
    def _on_document(self, document: Document) -> None:
        opened = (document.model, document.media)
        if opened[0] is not self._opened[0] or opened[1] is not self._opened[1]:
            self._opened = opened
            self._waiting = self._followed = None
            self._is_beginning = False
            self._say_pairing(document)
        self._check_shown()

    def _say_pairing(self, document: Document) -> None:
        """Say at once when a predictor is given something that it cannot predict."""
        model, media = document.model, document.media
        if model is None or media is None or model.capabilities.video_history == 0:
            return
        why = why_not(document, max(0, model.capabilities.video_history - 1))
        if why:
            QTimer.singleShot(0, self, partial(self._session.notify, why, "warning"))

    def _on_view(self, view: ViewState) -> None:
        if self._followed is not None and view.frame != self._followed[1]:
            self._followed = None
        self._check_shown()

    def _soon_fit(self) -> None:
        self._fit.start()

    def _fit_timeline(self) -> None:
        """Let the timeline be as high as its strips need."""
        dock = self._window.docks.dock("timeline")
        if not dock.isHidden() and not dock.isFloating():
            self._window.resizeDocks([dock], [1], Qt.Orientation.Vertical)

    def _is_ready(self, frame: int) -> bool:
        if self.is_shown:
            return self.predictions.is_ready(frame)
        return self._window.engine.is_ready(frame)

    def _prepare(self, frames: Sequence[int]) -> None:
        if not self.is_shown:
            self._window.engine.prepare(frames)

    def _check_shown(self) -> None:
        if self.is_shown != self._was_shown:
            self._was_shown = self.is_shown
            self.shown_changed.emit()

    def _on_frame(self, frame: int) -> None:
        if self._waiting is not None:
            kind, wanted = self._waiting
            self._ask(kind, wanted)

    def _on_progress(self, key: str) -> None:
        if self.is_going != self._was_going:
            self._was_going = self.is_going
            self._window.refresh_actions()

    def _on_picture(self, _: int) -> None:
        """Let the playhead follow what is computed, until the user goes elsewhere."""
        if self._followed is None or not self.is_shown or self._session.in_gesture:
            return
        key, at = self._followed
        roll = self.predictions.roll(key)
        if roll is None:
            return
        ahead = at
        while ahead - roll.frame in roll.painted and self.predictions.is_ready(ahead + 1):
            ahead += 1
        if ahead > at:
            self._followed = key, ahead
            self._window.player.go(ahead)

    # -- exporting -------------------------------------------------------------------------------
    def export(self, kind: Literal["mp4", "csv", "npz"]) -> None:
        """Ask for a name and write the branch."""
        branch = self.branch
        if branch is None:
            return
        where = QStandardPaths.StandardLocation.MoviesLocation
        folder = QStandardPaths.writableLocation(where) or str(Path.home())
        stem = "".join(c if c.isalnum() else "-" for c in branch.name.lower()).strip("-")
        path, _ = QFileDialog.getSaveFileName(
            self._window,
            "Export branch",
            str(Path(folder) / f"{stem or branch.key}.{kind}"),
            f"{kind.upper()} (*.{kind})",
        )
        if path:
            if Path(path).suffix.lower() != f".{kind}":
                path += f".{kind}"
            self.export_to(branch.key, Path(path))

    def export_to(self, key: str, path: Path) -> None:
        """Write a branch to a file; its ending says as what."""
        from kpstudio.services.branch_export import BranchFilm, BranchTable

        kind: type[BranchExport] = BranchFilm if path.suffix.lower() == ".mp4" else BranchTable
        if self._export is not None:
            self._export.cancel()
        try:
            self._export = kind(
                self._session, self._window.engine, self.predictions, key, path, self._exported
            )
        except KpError as error:
            self._session.notify(str(error), "error")

    def _exported(self, sentence: str, failed: bool) -> None:
        self._export = None
        self._session.notify(sentence, "error" if failed else "info")
