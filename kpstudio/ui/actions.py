"""Everything the window can do, as one table of values.

Menus, tool bar, command palette, shortcut list and tests all read `ACTIONS` and `CHOICES`. An
action is offered only while `enabled` says that it would do something.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kpcore.errors import KpError
from kpstudio.session.duplicate_edits import duplicated, why_not
from kpstudio.session.edits import Restore, SetPresence, SwapParticles
from kpstudio.session.session import Session
from kpstudio.session.view import LayerName, Role
from kpstudio.ui.action_tables.entry import (
    Action,
    Choice,
    Choices,
    Situation,
    can_close,
    can_copy,
    can_paste,
    can_record,
    can_save,
    has_canvases,
    has_edited,
    has_edits,
    has_levels,
    has_maps,
    has_model,
    has_pair,
    has_particles,
    has_picture,
    has_presence,
    has_selection,
    has_something,
)
from kpstudio.ui.action_tables.landmarks import LANDMARKS
from kpstudio.ui.action_tables.playback import PLAYBACK
from kpstudio.ui.action_tables.prediction import PREDICTION
from kpstudio.ui.action_tables.prototypes import PROTOTYPES
from kpstudio.ui.action_tables.reference import REFERENCE

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities
    from kpstudio.ui.main_window import MainWindow

MENUS = (
    "File", "Edit", "View", "Particles", "Playback", "Prediction", "Model", "Run", "Record", "Help",
)  # fmt: skip


def layer_is_offered(name: LayerName, can: Capabilities | None) -> bool:
    """Return whether the model gives what a layer draws."""
    if can is None:
        return name in ("picture", "input")
    return {
        "ellipses": can.uncertainty,
        "masks": can.masks,
        "glimpses": can.layers and can.glimpse_px > 0,
        "heatmaps": can.heatmaps,
        "confidence": can.confidence,
        "springs": can.levels > 1,
    }.get(name, True)


# -- what ----------------------------------------------------------------------------------------
def _rows(window: MainWindow) -> tuple[int, ...]:
    return tuple(sorted(window.session.view.selection))


def _select(window: MainWindow, *, invert: bool) -> None:
    session = window.session
    rows = session.scene.offered(session.view.frame)
    chosen = rows - session.view.selection if invert else rows
    session.update_view(selection=frozenset(chosen))


def _level_action(level: int) -> Action:
    return Action(
        f"level-{level + 1}",
        f"Level &{level + 1} only",
        "Draws and picks one level; the picture stays that of all",
        "View/Pyramid",
        lambda w: w.session.show_level(level),
        (str(level + 1),),
        enabled=lambda now: has_levels(now) and now.can is not None and now.can.levels > level,
        checked=lambda w: w.session.view.level == level,
        on_canvas=True,
    )


def _set_presence(window: MainWindow, value: float) -> None:
    rows, session = _rows(window), window.session
    session.commit(SetPresence(session.view.frame, rows, (value,) * len(rows)))


def _swap(window: MainWindow) -> None:
    first, second = _rows(window)
    window.session.commit(SwapParticles(window.session.view.frame, first, second))


def _why_no_duplicate(now: Situation) -> str:
    view = now.session.view
    return why_not(now.session.document, view.frame, view.selection)


def _can_duplicate(now: Situation) -> bool:
    return has_selection(now) and not _why_no_duplicate(now)


def _duplicate(window: MainWindow) -> None:
    session = window.session
    try:
        edit = duplicated(session.document, session.view.frame, session.view.selection)
        session.commit(edit)
    except KpError as error:
        text = str(error)
        session.notify(text[:1].upper() + text[1:], "warning")
    else:
        session.update_view(selection=frozenset(edit.into))


def _reset(window: MainWindow, *, everything: bool) -> None:
    rows = () if everything else _rows(window)
    window.session.commit(Restore(window.session.view.frame, rows))


def _toggle_layer(window: MainWindow, name: LayerName) -> None:
    view = window.session.view
    layers = view.with_layer(name, visible=not view.layer(name).visible).layers
    window.session.update_view(layers=layers)


def _layer_is_visible(window: MainWindow, name: LayerName) -> bool:
    return window.session.view.layer(name).visible


def _show_large(window: MainWindow, role: Role) -> None:
    window.session.update_view(main=role, grid=False)


def _undo_label(session: Session) -> str:
    history = session.history
    if session.in_gesture or not history.cursor:
        return "&Undo"
    return f"&Undo {_lowered(history.entries[history.cursor - 1].label)}"


def _redo_label(session: Session) -> str:
    history = session.history
    ahead = history.entries[history.cursor :]
    return f"&Redo {_lowered(ahead[0].label)}" if ahead else "&Redo"


def _lowered(label: str) -> str:
    return label[:1].lower() + label[1:]


def _can_undo(now: Situation) -> bool:
    return now.session.in_gesture or now.session.history.cursor > 0


def _can_redo(now: Situation) -> bool:
    return now.session.history.cursor < len(now.session.history.entries)


LAYER_TITLES: dict[LayerName, str] = {
    "landmarks": "Landmarks",
    "labels": "Numbers",
    "ellipses": "Ellipses 1σ 2σ",  # noqa: RUF001 (the letter for a standard deviation)
    "particles": "Particles",
    "springs": "Springs to parents",
    "trails": "Trails",
    "glimpses": "Glimpses",
    "heatmaps": "Heatmaps",
    "confidence": "Confidence maps",
    "masks": "Masks",
    "reconstruction": "Reconstruction",
    "input": "Input",
    "picture": "Picture",
}
ROLE_TITLES: dict[Role, str] = {
    "input": "Input",
    "reconstruction": "Reconstruction",
    "edited": "Edited",
    "difference": "Difference",
}


def _layer_action(name: LayerName, shortcuts: tuple[str, ...] = ()) -> Action:
    return Action(
        f"layer-{name}",
        f"Show {LAYER_TITLES[name][0].lower()}{LAYER_TITLES[name][1:]}",
        f"Show or hide the layer '{LAYER_TITLES[name]}' of every canvas",
        "View/Layers",
        partial(_toggle_layer, name=name),
        shortcuts,
        enabled=lambda now: has_something(now) and layer_is_offered(name, now.can),
        checked=partial(_layer_is_visible, name=name),
        on_canvas=True,
    )


def _roles(window: MainWindow) -> list[Choice]:
    view = window.session.view
    return [
        Choice(title, partial(_show_large, window, role), role == view.main and not view.grid)
        for role, title in ROLE_TITLES.items()
    ]


_FILE = (
    Action("open", "&Open…", "Open a checkpoint, picture, video or session", "File",
           lambda w: w.files.choose_file(), ("Ctrl+O",), "open"),
    Action("open-folder", "Open &folder or run…", "Open a folder of pictures or a training run",
           "File", lambda w: w.files.choose_folder(), ("Ctrl+Shift+O",), "folder"),
    Choices("recent", "Open &recent", "Open what was open lately", "File",
            lambda w: w.files.recent_choices(), "history"),
    Action("save", "&Save", "Save what is open and every edit as a session", "File",
           lambda w: w.files.save(), ("Ctrl+S",), "save", can_save, apart=True),
    Action("save-as", "Save &as…", "Save the session under another name", "File",
           lambda w: w.files.save_as(), ("Ctrl+Shift+S",), enabled=can_save),
    Action("export-picture", "&Picture as the model sees it (PNG)…",
           "Write the edited picture at the model's size", "File/Export",
           lambda w: w.files.export_picture(source=False), (), "image", has_edited, apart=True),
    Action("export-source", "Picture in the &source frame (PNG)…",
           "Write the edited picture with crop and resize undone", "File/Export",
           lambda w: w.files.export_picture(source=True), ("Ctrl+E",), "image", has_edited),
    Action("export-csv", "Particles as &table (CSV)…",
           "Write the particles of every encoded frame, one line each", "File/Export",
           lambda w: w.files.export_particles("csv"), ("Ctrl+Shift+E",), "table", has_particles),
    Action("export-npz", "Particles as &arrays (NPZ)…",
           "Write the particles of every encoded frame for NumPy", "File/Export",
           lambda w: w.files.export_particles("npz"), (), "table", has_particles),
    Action("screenshot", "Save s&creenshot…", "Write a picture of the whole window", "File",
           lambda w: w.files.save_screenshot(), ("Alt+S",), "camera"),
    Action("copy-screenshot", "Copy screenshot", "Put a picture of the whole window on the "
           "clipboard", "File", lambda w: w.copy_screenshot(), ("Alt+C",), "camera"),
    Action("close", "&Close", "Close model and media and go back to the welcome page", "File",
           lambda w: w.files.close(), ("Ctrl+W",), "close", can_close, apart=True),
    Action("quit", "&Quit", "Leave the studio", "File", lambda w: w.close(), ("Ctrl+Q",)),
)  # fmt: skip

_EDIT = (
    Action("undo", "&Undo", "Take back the last edit", "Edit", lambda w: w.session.undo(),
           ("Ctrl+Z",), "undo", _can_undo, label=_undo_label),
    Action("redo", "&Redo", "Repeat the edit that was taken back", "Edit",
           lambda w: w.session.redo(), ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", _can_redo,
           label=_redo_label),
    Action("copy", "&Copy appearance", "Copy how the selected particle looks", "Edit",
           lambda w: w.copy_appearance(), ("Ctrl+C",), enabled=can_copy, apart=True),
    Action("paste", "&Paste appearance", "Make the selected particles look like the copied one",
           "Edit", lambda w: w.appearance.paste(), ("Ctrl+V",), enabled=can_paste),
    Action("select-all", "Select &all", "Select every particle that is kept", "Edit",
           lambda w: _select(w, invert=False), ("Ctrl+A",), "select-area", has_particles,
           canvas_keys=("A",), apart=True),
    Action("select-none", "Select &none", "Select no particle", "Edit",
           lambda w: w.session.update_view(selection=frozenset()), ("Ctrl+Shift+A",),
           enabled=has_selection),
    Action("invert", "&Invert selection", "Select the particles that are not selected", "Edit",
           lambda w: _select(w, invert=True), ("Ctrl+I",), enabled=has_particles),
    Action("preferences", "Pre&ferences…", "Choose theme, device and where recordings go", "Edit",
           lambda w: w.windows.preferences(), ("Ctrl+,",), "settings", apart=True),
)  # fmt: skip

_VIEW = (
    _layer_action("particles"),
    _layer_action("labels"),
    _layer_action("ellipses", ("U",)),
    _layer_action("springs"),
    _layer_action("trails"),
    _layer_action("glimpses"),
    _layer_action("heatmaps"),
    _layer_action("landmarks"),
    _layer_action("confidence", ("J",)),
    _layer_action("masks"),
    _layer_action("reconstruction"),
    _layer_action("input"),
    _layer_action("picture"),
    Action("solo", "Maps of the &selection alone",
           "Draw masks, heatmaps and confidence maps of the selected particles only", "View/Layers",
           lambda w: w.session.update_view(solo=not w.session.view.solo), ("O",),
           enabled=has_maps, checked=lambda w: w.session.view.solo, on_canvas=True, apart=True),
    Action("level-all", "&All levels", "Draw and pick the particles of every level", "View/Pyramid",
           lambda w: w.session.show_level(None), ("0",), enabled=has_levels,
           checked=lambda w: w.session.view.level is None, on_canvas=True),
    _level_action(0),
    _level_action(1),
    _level_action(2),
    Action("fit", "&Fit the picture", "Show the whole picture", "View",
           lambda w: w.canvas.fit(), ("Ctrl+0",), "fit-view", has_picture, apart=True),
    Action("actual-size", "&100 %", "Show one pixel of the picture on one point of the screen",
           "View", lambda w: w.canvas.actual_size(), ("Ctrl+1",), enabled=has_picture),
    Action("frame-selection", "Zoom to &selection", "Show the selected particles large", "View",
           lambda w: w.canvas.frame_selection(), ("F",), "select-area", has_selection,
           on_canvas=True),
    Action("zoom-in", "Zoom &in", "Show the picture larger", "View",
           lambda w: w.canvas.zoom(1.25), ("Ctrl++", "Ctrl+="), "zoom-in", has_picture),
    Action("zoom-out", "Zoom &out", "Show the picture smaller", "View",
           lambda w: w.canvas.zoom(0.8), ("Ctrl+-",), "zoom-out", has_picture),
    Action("smooth", "S&mooth pixels", "Interpolate between enlarged pixels", "View",
           lambda w: w.toggle_smooth(), ("Ctrl+Shift+M",), checked=lambda w: w.is_smooth),
    Choices("large", "&Large canvas", "Choose which picture is large", "View", _roles, "image",
            apart=True),
    Action("grid", "&Grid of equals", "Show the four canvases at one size", "View",
           lambda w: w.session.update_view(grid=not w.session.view.grid), ("G",), "compare",
           has_canvases, lambda w: w.session.view.grid, on_canvas=True),
    Choices("theme", "&Theme", "Choose light or dark", "View", lambda w: w.theme_choices(), "moon",
            apart=True),
    Action("next-theme", "Switch light and dark", "Use the other theme", "View",
           lambda w: w.switch_theme(), ("Ctrl+Shift+T",), "sun"),
    Choices("panels", "&Panels", "Show or hide a panel", "View", lambda w: w.docks.choices(),
            "layers", toggles=True),
    Action("preset-edit", "Edit", "Arrange the window for editing", "View/Arrangement",
           lambda w: w.set_preset("edit"), ("F5",), checked=lambda w: w.preset == "edit"),
    Action("preset-monitor", "Monitor", "Arrange the window for watching a run",
           "View/Arrangement", lambda w: w.set_preset("monitor"), ("F6",),
           checked=lambda w: w.preset == "monitor"),
    Action("preset-present", "Present", "Show the pictures alone", "View/Arrangement",
           lambda w: w.set_preset("present"), ("F7",), checked=lambda w: w.preset == "present"),
    Action("reset-layout", "&Reset layout", "Put every panel back to its place",
           "View/Arrangement", lambda w: w.reset_layout(), apart=True),
    Action("full-screen", "F&ull screen", "Use the whole screen", "View",
           lambda w: w.toggle_full_screen(), ("F11",), checked=lambda w: w.isFullScreen()),
)  # fmt: skip

_PARTICLES = (
    Action("turn-off", "&Turn off", "Set the presence of the selected particles to 0",
           "Particles", lambda w: _set_presence(w, 0.0), ("Delete", "Backspace"), "eye-off",
           has_presence, on_canvas=True, apart=True),
    Action("turn-on", "Turn &on", "Set the presence of the selected particles to 1", "Particles",
           lambda w: _set_presence(w, 1.0), ("Shift+Delete",), "eye", has_presence,
           on_canvas=True),
    Action("presence", "Change &presence by pointer",
           "Move the pointer or turn the wheel to fade the selection; a click ends it",
           "Particles", lambda w: w.begin_presence(), ("T",), enabled=has_presence,
           on_canvas=True),
    Action("swap", "&Swap two", "Exchange the places of the two selected particles", "Particles",
           _swap, ("X",), "compare", has_pair, on_canvas=True),
    Action("duplicate", "&Duplicate", "Put a copy of each selected particle beside it",
           "Particles", _duplicate, ("Ctrl+D",), "", _can_duplicate, reason=_why_no_duplicate),
    Action("keep-top", "&Keep the surest…", "Go to the slider that decodes only the surest ones",
           "Particles", lambda w: w.focus_keep_top(), ("K",), "particles", has_particles,
           on_canvas=True),
    Action("reset", "&Reset selection", "Put the selected particles back as they were encoded",
           "Particles", lambda w: _reset(w, everything=False), ("R",), "reset",
           lambda now: has_selection(now) and has_edits(now), on_canvas=True, apart=True),
    Action("reset-all", "Reset &all", "Put every particle back as it was encoded", "Particles",
           lambda w: _reset(w, everything=True), ("Shift+R",), "reset", has_edits, on_canvas=True),
    Action("next-particle", "&Next particle", "Select the next particle by number", "Particles",
           lambda w: w.canvas.select_neighbour(1), ("N",), "select", has_particles,
           on_canvas=True, apart=True),
    Action("previous-particle", "&Previous particle", "Select the particle before by number",
           "Particles", lambda w: w.canvas.select_neighbour(-1), ("Shift+N",), "",
           has_particles, on_canvas=True),
)  # fmt: skip

_MODEL = (
    Action("open-model", "&Open checkpoint…", "Open a trained model", "Model",
           lambda w: w.files.choose_checkpoint(), ("Ctrl+M",), "open"),
    Choices("device", "&Device", "Choose where the model runs", "Model",
            lambda w: w.device.choices(), "settings"),
    Action("model-info", "Model &information", "What the open checkpoint says of itself", "Model",
           lambda w: w.windows.model_info(), ("Ctrl+Alt+I",), "question", has_model, apart=True),
)  # fmt: skip

_RUN = (
    Action("open-run", "&Open run…", "Watch a training run, also one that is still going", "Run",
           lambda w: w.files.choose_run(), ("Ctrl+R",), "chart"),
    Action("close-run", "&Close run", "Stop watching the run", "Run", lambda w: w.close_run(),
           (), "close", lambda now: now.has_run),
)  # fmt: skip

_RECORD = (
    Action("record", "&Record", "Record the large canvas to a video, or end the recording",
           "Record", lambda w: w.recording.toggle(), ("F9",), "record", can_record,
           checked=lambda w: w.recording.is_on, apart=True),
    Action("recordings", "Show the &folder of recordings", "Open where recordings are written",
           "Record", lambda w: w.recording.show_folder(), (), "folder"),
)  # fmt: skip

_HELP = (
    Action("palette", "&Command palette…", "Find any action by name", "Help",
           lambda w: w.windows.palette(), ("Ctrl+Shift+P", "Ctrl+K"), "select"),
    Action("shortcuts", "&Keys and mouse", "Every key and what the mouse does", "Help",
           lambda w: w.windows.shortcuts(), ("F1",), "question", canvas_keys=("?",)),
    Action("dismiss", "&Dismiss the notice", "Put the notice over the canvas away", "Help",
           lambda w: w.notices.dismiss(), ("Esc",), "close", lambda now: now.noticed),
    Action("welcome", "&Welcome page", "Demo, samples and what was open lately", "Help",
           lambda w: w.show_welcome(), (), "app", apart=True),
    Action("demo", "Open the &demo", "Open the shipped model on a shipped picture", "Help",
           lambda w: w.files.open_demo(), (), "play"),
    Choices("demos", "De&mos", "Open one of the shipped models on its sample", "Help",
            lambda w: w.files.demo_choices(), "play"),
    Choices("samples", "&Samples", "Open a shipped picture or clip", "Help",
            lambda w: w.files.sample_choices(), "image"),
    Action("diagnostics", "D&iagnostics", "Versions, devices and folders, to be copied", "Help",
           lambda w: w.windows.diagnostics(), (), "warning", apart=True),
    Action("about", "&About Keypoint Studio", "Version and licence", "Help",
           lambda w: w.windows.about(), (), "app"),
)  # fmt: skip

ENTRIES: tuple[Action | Choices, ...] = (
    *_FILE, *_EDIT, *_VIEW, *_PARTICLES, *PROTOTYPES, *PLAYBACK, *PREDICTION, *_MODEL, *REFERENCE,
    *LANDMARKS, *_RUN, *_RECORD, *_HELP,
)  # fmt: skip
"""In the order of the menus."""

ACTIONS: tuple[Action, ...] = tuple(entry for entry in ENTRIES if isinstance(entry, Action))
CHOICES: tuple[Choices, ...] = tuple(entry for entry in ENTRIES if isinstance(entry, Choices))

BAR: tuple[tuple[str, str], ...] = (
    ("undo", ""),
    ("redo", ""),
    ("reset-all", "Reset"),
    ("", ""),
    ("turn-off", "Turn off"),
    ("swap", "Swap"),
    ("", ""),
    ("fit", "Fit"),
    ("grid", "Grid"),
)
"""Left part of the tool bar: key and text of each button (icon alone when empty); "" for a line."""

PRESETS = ("preset-edit", "preset-monitor", "preset-present")
"""Right part of the tool bar, before the device and the record button."""

POINTER: tuple[tuple[str, str], ...] = (
    ("Click", "Select a particle"),
    ("Shift+click", "Add a particle to the selection, or take it away"),
    ("Drag a particle or its object", "Move it, and the others that are selected"),
    ("Alt+drag", "Move one particle alone"),
    ("Drag beside them", "Select by a rubber band"),
    ("Esc", "Cancel the drag; then select nothing"),
    ("Wheel", "Zoom about the pointer"),
    ("Ctrl+drag, middle drag", "Pan; so does Space+drag on a still picture"),
    ("Double click on a small canvas", "Make it the large one"),
    ("Arrow keys", "Nudge the selection by one pixel, with Shift by ten"),
    ("Tab, Shift+Tab", "Go through the particles, then on to the next control"),
    ("H (hold)", "Hide everything over the picture"),
    ("\\ (hold)", "Show the original"),
    ("Drag in the timeline", "Scrub; with Shift, mark an A-B loop"),
    ("Wheel in the timeline", "Zoom about the pointer; with Shift, move along"),
    ("Double click in the timeline", "Show the whole clip"),
    ("Drop on the window", "Open checkpoints, pictures, videos, folders, runs and sessions"),
)
"""What the mouse and held keys do on a canvas, for the shortcut list."""
