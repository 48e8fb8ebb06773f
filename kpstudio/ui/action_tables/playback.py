"""Transport: play, step, jump, speed and loops; the keys are those of mpv and rerun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpstudio.services.playback import SPEED_STEP
from kpstudio.ui.action_tables.entry import (
    Action,
    Situation,
    frames_ahead,
    frames_behind,
    has_both,
    has_frames,
)

if TYPE_CHECKING:
    from kpstudio.session.session import Session
    from kpstudio.ui.main_window import MainWindow


def _has_edits(now: Situation) -> bool:
    return has_frames(now) and bool(now.session.document.edited_frames)


def _play_label(session: Session) -> str:
    return "&Pause" if session.view.playing else "&Play"


def _speed_up(window: MainWindow, factor: float) -> None:
    playback = window.player.playback
    playback.set_speed(playback.speed * factor)


def _has_several(now: Situation) -> bool:
    media = now.session.document.media
    return has_both(now) and media is not None and media.count > 1


def _why_not_all(now: Situation) -> str:
    media = now.session.document.media
    if _has_several(now):
        return ""
    if media is not None and media.count == 1:
        return f"'{media.name}' is a single picture; it is encoded as soon as it is open"
    return "Open a checkpoint and a video first"


def _encodes(window: MainWindow) -> bool:
    return window.settings.settings.encode_videos


PLAYBACK = (
    Action("play", "&Play", "Play or pause", "Playback", lambda w: w.player.playback.toggle(),
           ("Space",), "play", has_frames, lambda w: w.player.playback.playing,
           label=_play_label, on_canvas=True, on_timeline=True, icon_on="pause"),
    Action("next-frame", "&Next frame", "Pause and show the frame after this one", "Playback",
           lambda w: w.player.step(1), (".", "Right"), "step", frames_ahead, on_canvas=True,
           on_timeline=True, apart=True),
    Action("previous-frame", "Previous &frame", "Pause and show the frame before this one",
           "Playback", lambda w: w.player.step(-1), (",", "Left"), "step-back", frames_behind,
           on_canvas=True, on_timeline=True),
    Action("ten-ahead", "&Ten frames ahead", "Pause and go ten frames on", "Playback",
           lambda w: w.player.step(10), ("Ctrl+Right",), enabled=frames_ahead, on_canvas=True,
           on_timeline=True),
    Action("ten-back", "Ten frames &back", "Pause and go ten frames back", "Playback",
           lambda w: w.player.step(-10), ("Ctrl+Left",), enabled=frames_behind, on_canvas=True,
           on_timeline=True),
    Action("first-frame", "F&irst frame", "Show the first frame", "Playback",
           lambda w: w.player.go(0), ("Home",), "first", frames_behind, on_canvas=True,
           on_timeline=True),
    Action("last-frame", "&Last frame", "Show the last frame", "Playback",
           lambda w: w.player.go(w.player.count - 1), ("End",), "last", frames_ahead,
           on_canvas=True, on_timeline=True),
    Action("next-edit", "Next &edited frame", "Go to the next frame that was edited", "Playback",
           lambda w: w.player.go_to_edit(1), ("Ctrl+Shift+Right",), enabled=_has_edits,
           on_canvas=True, on_timeline=True),
    Action("previous-edit", "Previous e&dited frame", "Go to the edited frame before", "Playback",
           lambda w: w.player.go_to_edit(-1), ("Ctrl+Shift+Left",), enabled=_has_edits,
           on_canvas=True, on_timeline=True),
    Action("go-to-frame", "&Go to frame…", "Type the number of a frame", "Playback",
           lambda w: w.focus_frame_number(), ("Ctrl+G",), enabled=has_frames),
    Action("faster", "Fa&ster", "Play 1.1 times as fast", "Playback",
           lambda w: _speed_up(w, SPEED_STEP), ("]",), enabled=has_frames, on_canvas=True,
           on_timeline=True, apart=True),
    Action("slower", "Slo&wer", "Play 1.1 times as slowly", "Playback",
           lambda w: _speed_up(w, 1 / SPEED_STEP), ("[",), enabled=has_frames, on_canvas=True,
           on_timeline=True),
    Action("speed-normal", "Normal spee&d", "Play at the clip's own speed", "Playback",
           lambda w: w.player.playback.set_speed(1.0), ("Backspace",), enabled=has_frames,
           on_timeline=True),
    Action("loop-ab", "&A-B loop", "Set A here, then B, then clear both", "Playback",
           lambda w: w.player.playback.mark(), ("L",), enabled=has_frames,
           checked=lambda w: w.player.playback.mark_a is not None, on_canvas=True,
           on_timeline=True, apart=True),
    Action("loop-all", "Loop &all", "Begin again at the end", "Playback",
           lambda w: w.player.next_loop(), ("Shift+L",), enabled=has_frames,
           checked=lambda w: w.player.playback.loop == "all", on_canvas=True, on_timeline=True),
    Action("encode-all", "&Encode every frame", "Encode the whole video in the background, or wait",
           "Playback", lambda w: w.settings.update(encode_videos=not _encodes(w)), (),
           "particles", _has_several, _encodes, apart=True, reason=_why_not_all),
    Action("raw-numbers", "N&umber particles by row",
           "Number particles as the model orders them in each frame, not as they are matched",
           "Playback", lambda w: w.settings.update(raw_numbers=not w.session.view.raw_numbers),
           (), "table", has_both, lambda w: w.session.view.raw_numbers),
    Action("timeline-all", "Show the &whole clip", "Let the timeline show every frame",
           "Playback", lambda w: w.docks.timeline.axis.show_all(), (), "fit-view", has_frames,
           on_timeline=True, apart=True),
)  # fmt: skip
"""The menu of the player."""
