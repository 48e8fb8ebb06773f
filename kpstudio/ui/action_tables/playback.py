"""Transport: play, step, jump, speed and loops; the keys are those of mpv and rerun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpstudio.ui.action_tables.entry import Action, frames_ahead, frames_behind, has_frames

if TYPE_CHECKING:
    from kpstudio.ui.main_window import MainWindow


def _step(window: MainWindow, frames: int) -> None:
    session, media = window.session, window.session.document.media
    if media is not None:
        frame = min(media.count - 1, max(0, session.view.frame + frames))
        session.update_view(frame=frame)


FRAMES = (
    Action("next-frame", "&Next frame", "Show the frame after this one", "Frames",
           lambda w: _step(w, 1), (".", "Right"), "step", frames_ahead, on_canvas=True),
    Action("previous-frame", "&Previous frame", "Show the frame before this one", "Frames",
           lambda w: _step(w, -1), (",", "Left"), "step-back", frames_behind, on_canvas=True),
    Action("ten-ahead", "&Ten frames ahead", "Go ten frames on", "Frames", lambda w: _step(w, 10),
           ("Ctrl+Right",), enabled=frames_ahead, on_canvas=True),
    Action("ten-back", "Ten frames &back", "Go ten frames back", "Frames",
           lambda w: _step(w, -10), ("Ctrl+Left",), enabled=frames_behind, on_canvas=True),
    Action("first-frame", "&First frame", "Show the first frame", "Frames",
           lambda w: _step(w, -(10**9)), ("Home",), enabled=frames_behind, on_canvas=True),
    Action("last-frame", "&Last frame", "Show the last frame", "Frames",
           lambda w: _step(w, 10**9), ("End",), enabled=frames_ahead, on_canvas=True),
    Action("go-to-frame", "&Go to frame…", "Type the number of a frame", "Frames",
           lambda w: w.focus_frame_number(), ("Ctrl+G",), enabled=has_frames, apart=True),
)  # fmt: skip
