"""Rolls branches out on the engine's thread, piece by piece, always behind the hand.

Asked and answered on the UI thread. What is looked at comes first: its latents (which are cheap, so
trails and curves appear at once), the picture of the shown frame, then picture after picture. A
piece of work takes a few hundredths of a second, so that a drag or a close waits for no more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from kpstudio.services.roll_worker import Opened, Paint, RollWorker
from kpstudio.services.rollout import Start, Step
from kpstudio.services.rolls import (
    KEPT,
    LEAD,
    LIMIT_BYTES,
    Apart,
    Bytes,
    Name,
    Pictures,
    Roll,
    error_of,
    name_of,
    particle_distance,
    picture_distance,
)
from kpstudio.session.branches import TRUTH, Branch
from kpstudio.session.document import Document
from kpstudio.session.session import Session
from kpstudio.session.view import ViewState

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.services.engine import Engine
    from kpstudio.services.model_host import ModelHost

AHEAD = 256
"""Pictures of one roll-out in one piece of work at most."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What the thread with the model should do next.

    Attributes:
        what: Two works of one `what` are the same: the one under way goes on.
        do: Does it, until something more urgent waits.
    """

    what: tuple[object, ...]
    do: Callable[[ModelHost], None]


class Predictions:
    """Answers with the futures of the document's branches."""

    changed = Signal(str)
    """Key of a branch of which more is known, or whose state is another; "" for all."""
    pictured = Signal(int)
    """A picture of this frame came."""

    def __init__(self, session: Session, engine: Engine, limit_bytes: int = LIMIT_BYTES) -> None:
        """Begin to listen.

        Args:
            session: Holds the branches and says what is looked at.
            engine: Owns the thread with the model.
            limit_bytes: For pictures.
        """
        self._session, self._engine = session, engine
        self._pictures = Pictures(limit_bytes)
        self._worker = RollWorker(engine, self._pictures, self)
        self._rolls: OrderedDict[str, Roll] = OrderedDict()
        self._names: dict[str, tuple[object, str]] = {}
        self._apart: dict[tuple[str, str, int], Apart] = {}
        self._opened: tuple[object, object] = (None, None)
        self._hopeless: set[Name] = set()
        self._required: set[str] = set()
        self._fetched: tuple[Roll, int] | None = None
        self._live: Roll | None = None
        self._whole: dict[str, Roll] = {}
        self._asked: set[int] = set()
        self._doing: tuple[object, ...] | None = None
        self._closed = False
        session.document_changed.connect(self._on_document)
        session.view_changed.connect(self._on_view)
        session.frame_received.connect(self._on_frame)

    # -- what is known ---------------------------------------------------------------------------
    def roll(self, key: str) -> Roll | None:
        """Return what is known of a branch's future; None for the video itself."""
        branch = self._branch(key)
        return None if branch is None else self._roll_of(branch)

    def latents(self, key: str, frame: int) -> Latents | None:
        """Return the particles of a branch at a frame, or of the video as far as encoded."""
        roll = self.roll(key)
        known = roll.latents(frame) if roll is not None else None
        return known if known is not None else self._session.document.original(frame)

    def picture(self, key: str, frame: int) -> Bytes | None:
        """Return a branch's or the video's picture of a frame; None until it is made."""
        roll = self.roll(key)
        if roll is None or frame < roll.start_frame:
            return self._pictures.get((TRUTH, frame))
        return self._pictures.get((roll.name, frame))

    def picture_of(self, roll: Roll, frame: int) -> Bytes | None:
        """Return a roll-out's picture of a frame; None until it is made."""
        return self._pictures.get((roll.name, frame))

    def trailing(self, key: str) -> Roll | None:
        """Return the roll-out whose trails are shown: during a drag the last one that is whole."""
        roll = self.roll(key)
        if roll is not None and not roll.is_whole and self._session.in_gesture:
            return self._whole.get(key, roll)
        return roll

    def is_ready(self, frame: int) -> bool:
        """Return whether both futures that are compared can be shown at a frame at once."""
        shown = self._session.view.comparison
        return all(
            self.picture(key, frame) is not None or self._missing(key, frame) is None
            for key in (shown.first, shown.second)
        )

    def has_truth(self, frame: int) -> bool:
        """Return whether the video has this frame."""
        media = self._session.document.media
        return media is not None and 0 <= frame < media.count

    def apart(self, first: str, second: str, frame: int) -> Apart | None:
        """Return how far two futures are apart at a frame; None while neither is known."""
        model = self._session.document.model
        if model is None:
            return None
        one, other = self.roll(first), self.roll(second)
        name = (one.name if one else TRUTH, other.name if other else TRUTH, frame)
        known = self._apart.get(name, Apart(None, None))
        particles, picture = known.particles, known.picture
        if particles is None and one is not None and other is not None:
            size = model.capabilities.image_size
            particles = particle_distance(one.latents(frame), other.latents(frame), size)
        if picture is None:
            picture = picture_distance(self.picture(first, frame), self.picture(second, frame))
        self._apart[name] = Apart(particles, picture)
        return self._apart[name]

    @property
    def nbytes(self) -> int:
        """Bytes of pictures held."""
        return self._pictures.nbytes

    # -- what is asked ---------------------------------------------------------------------------
    def stop(self, key: str) -> None:
        """Go no further with a branch; what is there stays."""
        roll = self.roll(key)
        if roll is not None and roll.state in ("waiting", "rolling"):
            roll.stopped = True
            self.changed.emit(key)

    def go_on(self, key: str) -> None:
        """Take up a branch that was stopped or failed."""
        roll = self.roll(key)
        if roll is not None:
            roll.stopped, roll.failure = False, ""
            self._hopeless = {name for name in self._hopeless if name[0] != roll.name}
            self.changed.emit(key)
            self._next()

    def require(self, keys: Iterable[str]) -> None:
        """Have these branches worked out whether they are looked at or not, and no others."""
        self._required = set(keys)
        self._fetched = None
        self._next()

    def fetch(self, roll: Roll, frame: int) -> None:
        """Have one picture made of a roll-out that is required."""
        self._fetched = roll, frame
        self._next()

    def close(self) -> None:
        """Ask for nothing more."""
        self._closed = True
        self._session.document_changed.disconnect(self._on_document)
        self._session.view_changed.disconnect(self._on_view)
        self._session.frame_received.disconnect(self._on_frame)

    # -- listening -------------------------------------------------------------------------------
    def _on_document(self, document: Document) -> None:
        opened = (document.model, document.media)
        if opened[0] is not self._opened[0] or opened[1] is not self._opened[1]:
            self._opened = opened
            self._pictures.clear()
            self._rolls.clear()
            self._names.clear()
            self._apart.clear()
            self._hopeless.clear()
            self._asked.clear()
            self._required.clear()
            self._fetched = None
            self._whole.clear()
            self._live = None
            self._engine.later(lambda host: self._worker.forget())
            self._doing = None
            self.changed.emit("")
        if document.branches:
            self._next()

    def _on_view(self, view: ViewState) -> None:
        if self._session.document.branches and view.comparison.mode != "off":
            self._next()

    def _on_frame(self, frame: int) -> None:
        if frame in self._asked:
            self._asked.discard(frame)
            self._next()

    def _branch(self, key: str) -> Branch | None:
        branches = self._session.document.branches
        return next((branch for branch in branches if branch.key == key), None)

    def _roll_of(self, branch: Branch) -> Roll | None:
        document = self._session.document
        if document.model is None or document.media is None:
            return None
        told = self._names.get(branch.key)
        mark = (branch.start, branch.futures, branch.seed)
        if told is None or not _same(told[0], mark):
            told = mark, name_of(document.model.key, document.media.key, branch)
            self._names[branch.key] = told
        roll = self._rolls.get(told[1])
        if roll is None:
            encoding = document.encoded.get(branch.frame)
            if encoding is None:
                self._ask_for_encoding(branch.frame)
                return None
            start = Start(branch.start, encoding, branch.futures, branch.seed)
            roll = self._rolls[told[1]] = Roll(told[1], start, branch.frame)
            self._forget()
        else:
            self._rolls.move_to_end(told[1])
        roll.wanted = branch.steps
        return roll

    def _ask_for_encoding(self, frame: int) -> None:
        """Have a start frame encoded again, of which only the particles were kept."""
        if frame not in self._asked:
            self._asked.add(frame)
            self._session.encoding_wanted.emit(frame)

    def _forget(self) -> None:
        """Let go of roll-outs that belong to no branch, those used longest ago first."""
        known = {branch.key for branch in self._session.document.branches}
        held = {name for key, (_, name) in self._names.items() if key in known}
        loose = [name for name in self._rolls if name not in held]
        for name in loose[: max(0, len(self._rolls) - KEPT)]:
            del self._rolls[name]

    # -- what comes next -------------------------------------------------------------------------
    def _next(self) -> None:
        """Have the most wanted work done; what is under way goes on while it is that."""
        if self._closed:
            return
        work = self._most_wanted()
        if self._doing is not None:
            self._worker.hurry = work is None or work.what != self._doing
        elif work is not None:
            self._doing, self._worker.hurry = work.what, False
            self._engine.later(work.do)

    def _most_wanted(self) -> _Work | None:
        document, view = self._session.document, self._session.view
        model, media = document.model, document.media
        if model is None or media is None:
            return None
        opened = (model.key, media.key)
        shown = view.comparison
        looked_at = () if shown.mode == "off" else (shown.second, shown.first)
        keys = dict.fromkeys((*looked_at, *sorted(self._required)))
        rolls = [roll for key in keys if (roll := self.roll(key)) is not None]
        going = [roll for roll in rolls if not roll.stopped and not roll.failure]
        if self._session.in_gesture:
            return self._beside_a_drag(opened, going)
        self._live, self._worker.gentle = None, False
        for roll in going:
            if roll.is_due:
                return self._to_walk(opened, roll, min(roll.wanted, len(roll.painted) + LEAD))
        for key in looked_at:
            lacking = self._missing(key, view.frame)
            if lacking is not None:
                paint = Paint((lacking,), media.count)
                return _Work(("show", *lacking), partial(self._worker.paint, opened, paint))
        if self._fetched is not None:
            roll, frame = self._fetched
            name = (roll.name, frame)
            if name not in self._pictures and name not in self._hopeless:
                paint = Paint(((roll, frame),), media.count)
                return _Work(("fetch", *name), partial(self._worker.paint, opened, paint))
        return self._to_paint(opened, going, media.count)

    def _to_walk(self, opened: Opened, roll: Roll, until: int) -> _Work:
        return _Work(("walk", roll.name), partial(self._worker.walk, opened, roll, until))

    def _to_paint(self, opened: Opened, going: list[Roll], count: int) -> _Work | None:
        """Return the work that is left when all that is shown is there: frame after frame."""
        lacking = list({roll.name: roll for roll in going if roll.unpainted is not None}.values())
        if not lacking:
            return None
        pictures = sorted(
            ((roll, frame) for roll in lacking for frame in roll.frames_to_paint(AHEAD)),
            key=lambda picture: picture[1],
        )
        paint = Paint(tuple(pictures), count, measured=True)
        names = tuple(roll.name for roll in lacking)
        return _Work(("paint", *names), partial(self._worker.paint, opened, paint))

    def _beside_a_drag(self, opened: Opened, going: list[Roll]) -> _Work | None:
        """Return work for the trails alone; one roll-out is finished before a newer begins."""
        live = self._live
        if live is None or live.is_whole or live.failure:
            live = next((roll for roll in going if not roll.is_whole), None)
        self._live, self._worker.gentle = live, True
        return None if live is None else self._to_walk(opened, live, live.wanted)

    def _missing(self, key: str, frame: int) -> tuple[Roll | None, int] | None:
        """Return the picture that a frame lacks of a future and that can be made."""
        media = self._session.document.media
        count = media.count if media else 0
        roll = self.roll(key)
        if roll is not None and frame >= roll.start_frame:
            name, there = (roll.name, frame), roll.latents(frame) is not None
        else:
            roll, name, there = None, (TRUTH, frame), frame < count
        if not there or name in self._pictures or name in self._hopeless:
            return None
        return roll, frame

    # -- answers, on the UI thread ---------------------------------------------------------------
    def _is_open(self, opened: Opened) -> bool:
        document = self._session.document
        return (
            document.model is not None
            and document.media is not None
            and (document.model.key, document.media.key) == opened
        )

    def take_steps(self, opened: Opened, roll: Roll, first: int, steps: list[Step]) -> None:
        """Take steps of a roll-out, of which `first` were known."""
        if self._is_open(opened) and len(roll.steps) == first:
            roll.steps.extend(steps)
            self._tell(roll)

    def take_picture(
        self,
        opened: Opened,
        roll: Roll | None,
        frame: int,
        picture: Bytes | None,
        truth: Bytes | None,
        copied: Bytes | None,
    ) -> None:
        """Take a frame's picture, the video's, and the video's of the roll-out's start."""
        if not self._is_open(opened):
            return
        for name, made in (
            ((TRUTH, frame), truth),
            ((TRUTH, roll.frame if roll else frame), copied),
            ((roll.name if roll else TRUTH, frame), picture if roll else truth),
        ):
            if made is not None:
                self._pictures.put(name, made)
        if picture is None and truth is None:
            self._hopeless.add((TRUTH, frame))
        step = frame - roll.frame - 1 if roll else -1
        if roll is None or picture is None:
            if roll is not None:
                self._hopeless.add((roll.name, frame))
        elif step >= 0:
            roll.painted.add(step)
            for curve, shown in ((roll.errors, picture), (roll.copies, copied)):
                error = None if shown is None else error_of(shown, truth)
                if error is not None:
                    curve[step] = error
        self.pictured.emit(frame)

    def end_piece(self, opened: Opened, roll: Roll | None, failure: str) -> None:
        """Tell of a failure, and have the next piece of work done."""
        self._doing = None
        if not self._is_open(opened):
            return
        if roll is not None:
            if failure and not roll.failure:
                roll.failure = failure
                self._session.notify(failure[:1].upper() + failure[1:], "error")
            self._tell(roll)
            if roll is self._live and roll.is_whole:
                self._show_live(roll)
        self._next()

    def warn(self, text: str) -> None:
        """Tell the user."""
        self._session.notify(text, "warning")

    def _tell(self, roll: Roll) -> None:
        for branch in self._session.document.branches:
            if self.roll(branch.key) is roll:
                if roll.is_whole:
                    self._whole[branch.key] = roll
                self.changed.emit(branch.key)

    def _show_live(self, roll: Roll) -> None:
        """Keep the trails of a start that the hand has left already, until newer ones come."""
        for branch in self._session.document.branches:
            if branch.follows and branch.frame == roll.frame:
                self._whole[branch.key] = roll
                self.changed.emit(branch.key)


def _same(before: object, now: tuple[object, ...]) -> bool:
    return isinstance(before, tuple) and all(
        a is b or a == b for a, b in zip(before, now, strict=True)
    )
