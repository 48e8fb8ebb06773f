"""Rolls branches out on the engine's thread, piece by piece, always behind the hand.

Asked and answered on the UI thread. What is looked at comes first: its latents (which are cheap, so
trails and curves appear at once), the picture of the shown frame, then picture after picture. A
piece of work takes a few hundredths of a second, so that a drag or a close waits for no more.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from psygnal import Signal

from kpcore.errors import KpError
from kpstudio.services.rollout import Start, Step, Walk
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

logger = logging.getLogger(__name__)

Opened: TypeAlias = tuple[int, int]
"""Keys of the model and of the media."""

AHEAD = 256
"""Pictures of one roll-out in one piece of work at most."""
SWITCH_S = 0.0005
"""How soon Python lets the window have its turn: steps are many small operations."""
GENTLE_S = 0.004
"""Rest after each step while a particle is dragged."""
TELL_S = 0.02
"""How often steps are told that were taken meanwhile."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What the thread with the model should do next.

    Attributes:
        what: Two works of one `what` are the same: the one under way goes on.
        do: Does it, until something more urgent waits.
    """

    what: tuple[object, ...]
    do: Callable[[ModelHost], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Paint:
    """Pictures to make: (roll-out or None for the video, frame), measured against the video."""

    pictures: tuple[tuple[Roll | None, int], ...]
    media_count: int
    measured: bool = False


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
        self._rolls: OrderedDict[str, Roll] = OrderedDict()
        self._names: dict[str, tuple[object, str]] = {}
        self._walks: OrderedDict[str, Walk] = OrderedDict()
        self._apart: dict[tuple[str, str, int], Apart] = {}
        self._opened: tuple[object, object] = (None, None)
        self._hopeless: set[Name] = set()
        self._required: set[str] = set()
        self._fetched: tuple[Roll, int] | None = None
        self._live: Roll | None = None
        self._whole: dict[str, Roll] = {}
        self._asked: set[int] = set()
        self._doing: tuple[object, ...] | None = None
        self._hurry = self._gentle = self._closed = False
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
            self._engine.later(lambda host: self._walks.clear())
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
            self._hurry = work is None or work.what != self._doing
        elif work is not None:
            self._doing, self._hurry = work.what, False
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
        self._live, self._gentle = None, False
        for roll in going:
            if roll.is_due:
                return self._to_walk(opened, roll, min(roll.wanted, len(roll.painted) + LEAD))
        for key in looked_at:
            lacking = self._missing(key, view.frame)
            if lacking is not None:
                paint = _Paint((lacking,), media.count)
                return _Work(("show", *lacking), partial(self._paint, opened, paint))
        if self._fetched is not None:
            roll, frame = self._fetched
            name = (roll.name, frame)
            if name not in self._pictures and name not in self._hopeless:
                paint = _Paint(((roll, frame),), media.count)
                return _Work(("fetch", *name), partial(self._paint, opened, paint))
        return self._to_paint(opened, going, media.count)

    def _to_walk(self, opened: Opened, roll: Roll, until: int) -> _Work:
        return _Work(("walk", roll.name), partial(self._walk, opened, roll, until))

    def _to_paint(self, opened: Opened, going: list[Roll], count: int) -> _Work | None:
        """Return the work that is left when all that is shown is there: frame after frame."""
        lacking = list({roll.name: roll for roll in going if roll.unpainted is not None}.values())
        if not lacking:
            return None
        pictures = sorted(
            ((roll, frame) for roll in lacking for frame in roll.frames_to_paint(AHEAD)),
            key=lambda picture: picture[1],
        )
        paint = _Paint(tuple(pictures), count, measured=True)
        names = tuple(roll.name for roll in lacking)
        return _Work(("paint", *names), partial(self._paint, opened, paint))

    def _beside_a_drag(self, opened: Opened, going: list[Roll]) -> _Work | None:
        """Return work for the trails alone; one roll-out is finished before a newer begins."""
        live = self._live
        if live is None or live.is_whole or live.failure:
            live = next((roll for roll in going if not roll.is_whole), None)
        self._live, self._gentle = live, True
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

    # -- in the thread with the model ------------------------------------------------------------
    def _walk(self, opened: Opened, roll: Roll, until: int, host: ModelHost) -> None:
        work = partial(self._take_steps, opened, host, roll, until)
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            failure = self._guarded(opened, host, roll, work)
        finally:
            sys.setswitchinterval(before)
        self._engine.answer(self._on_piece, opened, roll, failure)

    def _take_steps(self, opened: Opened, host: ModelHost, roll: Roll, until: int) -> None:
        walk = self._walk_of(host, roll)
        first = len(roll.steps)
        if walk.done > first:
            walk = self._walks[roll.name] = Walk(host.predictor(), roll.start)
        walk.skip(first)
        steps: list[Step] = []
        told = time.perf_counter()
        for step in walk.on(until):
            steps.append(step)
            over = self._hurry or self._engine.must_yield() or not host.is_open(*opened)
            if over or time.perf_counter() >= told + TELL_S:
                self._engine.answer(self._on_steps, opened, roll, first, steps)
                first, steps, told = first + len(steps), [], time.perf_counter()
            if over:
                break
            if self._gentle:
                time.sleep(GENTLE_S)
        self._engine.answer(self._on_steps, opened, roll, first, steps)

    def _paint(self, opened: Opened, paint: _Paint, host: ModelHost) -> None:
        roll, failure = None, ""
        for roll, frame in paint.pictures:
            if not host.is_open(*opened):
                break
            made: list[Bytes] = []
            truth = self._truth(host, frame) if frame < paint.media_count else None
            copied = self._truth(host, roll.frame) if roll is not None and paint.measured else None
            if roll is not None:
                work = partial(self._draw, host, roll, frame, made)
                failure = self._guarded(opened, host, roll, work)
            picture = made[0] if made else None
            self._engine.answer(self._on_picture, opened, roll, frame, picture, truth, copied)
            if failure or self._hurry or self._engine.must_yield():
                break
        self._engine.answer(self._on_piece, opened, roll, failure)

    def _draw(self, host: ModelHost, roll: Roll, frame: int, made: list[Bytes]) -> None:
        latents = roll.latents(frame)
        if latents is not None:
            made.append(self._walk_of(host, roll).picture(latents))

    def _guarded(
        self, opened: Opened, host: ModelHost, roll: Roll, work: Callable[[], None]
    ) -> str:
        """Do work unless it came too late; return what went wrong as one sentence."""
        if not host.is_open(*opened):
            return ""
        try:
            work()
        except KpError as error:
            failure = str(error)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                logger.exception("a prediction failed")
                failure = f"the prediction failed: {type(error).__name__}: {error}"
            elif (left := host.fall_back_to_cpu()) is not None:
                self._walks.clear()
                text = f"{left} is out of memory, so the model now runs on the CPU"
                self._engine.answer(self._session.notify, text, "warning")
                return self._guarded(opened, host, roll, work)
            else:
                failure = (
                    f"this computer is out of memory, so the prediction stops after "
                    f"{len(roll.steps)} frames; ask for fewer frames or futures"
                )
        except Exception as error:
            logger.exception("a prediction failed")
            failure = f"the prediction failed: {type(error).__name__}: {error}"
        else:
            return ""
        self._walks.pop(roll.name, None)
        return failure

    def _walk_of(self, host: ModelHost, roll: Roll) -> Walk:
        walk = self._walks.get(roll.name)
        if walk is None or str(walk.device) != host.device:
            walk = self._walks[roll.name] = Walk(host.predictor(), roll.start)
            while len(self._walks) > 4:
                self._walks.popitem(last=False)
        return walk

    def _truth(self, host: ModelHost, frame: int) -> Bytes | None:
        known = self._pictures.peek((TRUTH, frame))
        if known is not None:
            return known
        try:
            return host.framed(frame)[0]
        except KpError as error:
            logger.debug("frame %d of the video is not there: %s", frame + 1, error)
            return None

    # -- answers, on the UI thread ---------------------------------------------------------------
    def _is_open(self, opened: Opened) -> bool:
        document = self._session.document
        return (
            document.model is not None
            and document.media is not None
            and (document.model.key, document.media.key) == opened
        )

    def _on_steps(self, opened: Opened, roll: Roll, first: int, steps: list[Step]) -> None:
        if self._is_open(opened) and len(roll.steps) == first:
            roll.steps.extend(steps)
            self._tell(roll)

    def _on_picture(
        self,
        opened: Opened,
        roll: Roll | None,
        frame: int,
        picture: Bytes | None,
        truth: Bytes | None,
        copied: Bytes | None,
    ) -> None:
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

    def _on_piece(self, opened: Opened, roll: Roll | None, failure: str) -> None:
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
