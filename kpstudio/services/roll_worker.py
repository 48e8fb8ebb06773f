"""Takes the steps of roll-outs and draws their pictures, in the thread with the model."""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from kpcore.errors import KpError
from kpstudio.services.rollout import Step, Walk
from kpstudio.services.rolls import Bytes, Pictures, Roll
from kpstudio.session.branches import TRUTH

if TYPE_CHECKING:
    from kpstudio.services.engine import Engine
    from kpstudio.services.model_host import ModelHost

logger = logging.getLogger(__name__)

Opened: TypeAlias = tuple[int, int]
"""Keys of the model and of the media."""

SWITCH_S = 0.0005
"""How soon Python lets the window have its turn: steps are many small operations."""
GENTLE_S = 0.004
"""Rest after each step while a particle is dragged."""
TELL_S = 0.02
"""How often steps are told that were taken meanwhile."""
_WALKS = 4
"""Roll-outs that can be gone on with at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """Pictures to make: (roll-out or None for the video, frame), measured against the video."""

    pictures: tuple[tuple[Roll | None, int], ...]
    media_count: int
    measured: bool = False


class Answers(Protocol):
    """Who is told what was made, on the UI thread."""

    def take_steps(self, opened: Opened, roll: Roll, first: int, steps: list[Step]) -> None:
        """Take steps of a roll-out, of which `first` were known."""
        ...

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
        ...

    def end_piece(self, opened: Opened, roll: Roll | None, failure: str) -> None:
        """Hear that a piece of work is over; `failure` is a sentence, empty if it went well."""
        ...

    def warn(self, text: str) -> None:
        """Tell the user."""
        ...


class RollWorker:
    """Does one piece of work at a time, until something more urgent waits.

    Attributes:
        hurry: Set on the UI thread: end the piece, something else is wanted more.
        gentle: Set on the UI thread: rest between steps, a particle is dragged.
    """

    def __init__(self, engine: Engine, pictures: Pictures, answers: Answers) -> None:
        """Keep nothing of the model until asked.

        Args:
            engine: Owns the thread.
            pictures: Looked into for the video's frames.
            answers: Told what was made.
        """
        self.hurry = self.gentle = False
        self._engine, self._pictures, self._answers = engine, pictures, answers
        self._walks: OrderedDict[str, Walk] = OrderedDict()

    def forget(self) -> None:
        """Let go of all roll-outs under way."""
        self._walks.clear()

    def walk(self, opened: Opened, roll: Roll, until: int, host: ModelHost) -> None:
        """Take the steps of a roll-out up to `until`, counted from 1."""
        work = partial(self._take_steps, opened, host, roll, until)
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            failure = self._guarded(opened, host, roll, work)
        finally:
            sys.setswitchinterval(before)
        self._engine.answer(self._answers.end_piece, opened, roll, failure)

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
            over = self.hurry or self._engine.must_yield() or not host.is_open(*opened)
            if over or time.perf_counter() >= told + TELL_S:
                self._engine.answer(self._answers.take_steps, opened, roll, first, steps)
                first, steps, told = first + len(steps), [], time.perf_counter()
            if over:
                break
            if self.gentle:
                time.sleep(GENTLE_S)
        self._engine.answer(self._answers.take_steps, opened, roll, first, steps)

    def paint(self, opened: Opened, paint: Paint, host: ModelHost) -> None:
        """Make pictures, in their order."""
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
            self._engine.answer(
                self._answers.take_picture, opened, roll, frame, picture, truth, copied
            )
            if failure or self.hurry or self._engine.must_yield():
                break
        self._engine.answer(self._answers.end_piece, opened, roll, failure)

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
                self._engine.answer(self._answers.warn, text)
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
            while len(self._walks) > _WALKS:
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
