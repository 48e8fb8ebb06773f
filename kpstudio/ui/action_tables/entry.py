"""What an entry of the menus is, and when it is offered.

A table is a tuple of these values; `kpstudio.ui.actions` puts the tables together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kpstudio.session.session import Session
from kpstudio.session.view import ROLES

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities
    from kpstudio.ui.main_window import MainWindow

PresetName = Literal["edit", "monitor", "present"]


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides which actions are offered.

    Attributes:
        session: What is open and selected; an empty one while the welcome page covers it.
        copied: Size of the copied appearance feature; 0 when none was copied.
        recording: Whether a recording is under way.
        has_run: Whether a run is open.
        monitoring: Whether the centre shows the run.
        noticed: Whether a notice is shown.
        predicting: Whether a roll-out is under way.
        behind: What the welcome page covers; None while it does not.
    """

    session: Session
    copied: int = 0
    recording: bool = False
    has_run: bool = False
    monitoring: bool = False
    noticed: bool = False
    predicting: bool = False
    behind: Session | None = None

    @property
    def frames(self) -> int:
        """How many frames can be shown: those of the media, and those predicted beyond."""
        return self.session.document.length

    @property
    def can(self) -> Capabilities | None:
        """What the open model can do."""
        model = self.session.document.model
        return model.capabilities if model else None

    @property
    def selected(self) -> int:
        """How many particles are selected."""
        return len(self.session.view.selection) if self.session.latents is not None else 0


Predicate = Callable[[Situation], bool]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    Attributes:
        key: Stable name.
        text: In menus, with & before its mnemonic.
        tip: One sentence without full stop.
        menu: Its menu, and submenu after a slash.
        run: Does it.
        shortcuts: Keys; the first is shown in menus.
        icon: File of resources/icons, without ending.
        enabled: Whether it would do anything now.
        checked: For what is on or off: which it is now.
        label: Text that changes, e.g. with what would be undone.
        on_canvas: The keys act only while a canvas has the focus, so that typing never edits.
        canvas_keys: More keys, that act on a canvas only.
        on_timeline: The keys act while the timeline has the focus (and on a canvas too when
            `on_canvas`).
        icon_on: Another icon while it is on.
        apart: A line before it in its menu.
        reason: One sentence on why it is not offered now, for its tool tip.
    """

    key: str
    text: str
    tip: str
    menu: str
    run: Callable[[MainWindow], object]
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    enabled: Predicate = lambda now: True
    checked: Callable[[MainWindow], bool] | None = None
    label: Callable[[Session], str] | None = None
    on_canvas: bool = False
    canvas_keys: tuple[str, ...] = ()
    on_timeline: bool = False
    icon_on: str = ""
    apart: bool = False
    reason: Callable[[Situation], str] | None = None

    @property
    def plain(self) -> str:
        """The text without its mnemonic."""
        return self.text.replace("&", "")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several entries that depend on the situation.

    Attributes:
        text: What it is called.
        run: Chooses it.
        checked: Whether it is in force.
        tip: More about it.
    """

    text: str
    run: Callable[[], object]
    checked: bool | None = None
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """A submenu whose entries depend on the situation; the palette offers each entry.

    Attributes:
        key: Stable name.
        text: Of the submenu.
        tip: One sentence.
        menu: Where it hangs.
        of: The entries now.
        icon: File of resources/icons, without ending.
        apart: A line before it.
        toggles: Each entry is on or off by itself.
        enabled: Whether there is anything to choose now.
        reason: One sentence on why there is not, for its tool tip.
    """

    key: str
    text: str
    tip: str
    menu: str
    of: Callable[[MainWindow], list[Choice]]
    icon: str = ""
    apart: bool = False
    toggles: bool = False
    enabled: Predicate = lambda now: True
    reason: Callable[[Situation], str] | None = None


# -- when ----------------------------------------------------------------------------------------
def has_model(now: Situation) -> bool:
    """A checkpoint is open."""
    return now.can is not None


def has_something(now: Situation) -> bool:
    """A checkpoint or media is open."""
    document = now.session.document
    return document.model is not None or document.media is not None


def can_save(now: Situation) -> bool:
    """A checkpoint and media are open, be it behind the welcome page."""
    document = (now.behind or now.session).document
    return document.model is not None and document.media is not None


def can_close(now: Situation) -> bool:
    """A checkpoint or media is open, be it behind the welcome page."""
    document = (now.behind or now.session).document
    return document.model is not None or document.media is not None


def has_canvases(now: Situation) -> bool:
    """The centre shows the canvases."""
    return has_something(now) and not now.monitoring


def has_picture(now: Situation) -> bool:
    """There is something on the canvases."""
    return any(now.session.picture(role) is not None for role in ROLES)


def has_edited(now: Situation) -> bool:
    """The model made a picture."""
    return now.session.picture("edited") is not None


def has_particles(now: Situation) -> bool:
    """The shown frame is encoded."""
    return now.can is not None and now.session.latents is not None


def has_levels(now: Situation) -> bool:
    """The shown particles stand in levels."""
    return has_particles(now) and now.can is not None and now.can.levels > 1


def has_maps(now: Situation) -> bool:
    """The model gives masks, heatmaps or confidence maps."""
    can = now.can
    return can is not None and (can.masks or can.heatmaps or can.confidence)


def has_both(now: Situation) -> bool:
    """A checkpoint and media are open."""
    document = now.session.document
    return document.model is not None and document.media is not None


def has_selection(now: Situation) -> bool:
    """At least one particle is selected."""
    return has_particles(now) and now.selected > 0


def has_pair(now: Situation) -> bool:
    """Two particles are selected, and they can be moved."""
    return has_particles(now) and now.selected == 2 and now.can is not None and now.can.movable


def has_presence(now: Situation) -> bool:
    """Particles are selected that can be turned off."""
    return has_selection(now) and now.can is not None and now.can.presence != "none"


def has_edits(now: Situation) -> bool:
    """The shown frame differs from how it was encoded."""
    return has_particles(now) and now.session.view.frame in now.session.document.edited


def can_copy(now: Situation) -> bool:
    """One particle with an appearance is selected."""
    return has_particles(now) and now.selected == 1 and now.can is not None and now.can.features > 0


def can_paste(now: Situation) -> bool:
    """The copied appearance fits the selected particles."""
    return has_selection(now) and now.can is not None and 0 < now.copied == now.can.features


def has_frames(now: Situation) -> bool:
    """There is more than one frame."""
    return now.frames > 1


def frames_ahead(now: Situation) -> bool:
    """There are frames after the shown one."""
    return now.session.view.frame < now.frames - 1


def frames_behind(now: Situation) -> bool:
    """There are frames before the shown one."""
    return has_frames(now) and now.session.view.frame > 0


def can_record(now: Situation) -> bool:
    """There is something to record, or a recording to end."""
    return now.recording or has_picture(now)
