"""Write a branch to a file: its pictures as a video, its particles as a table or arrays.

Both first have the branch worked out to its end, beside whatever is looked at.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from kpcore.errors import InputError, KpError
from kpstudio.services.rolls import Bytes, Roll

if TYPE_CHECKING:
    from kpstudio.services.engine import Engine
    from kpstudio.services.prediction import Predictions
    from kpstudio.services.recording_sinks import Sink
    from kpstudio.session.branches import Branch
    from kpstudio.session.session import Session

Done: TypeAlias = Callable[[str, bool], None]
"""Called with one sentence, and whether it failed."""

SIDE_PX = 512
"""Pictures are enlarged by a whole factor to about this."""


class BranchExport(ABC):
    """Waits until a branch is worked out; its children write it."""

    def __init__(
        self,
        session: Session,
        engine: Engine,
        predictions: Predictions,
        key: str,
        path: Path,
        done: Done,
    ) -> None:
        """Begin.

        Args:
            session: Holds the branch.
            engine: Knows the framing.
            predictions: Work the branch out.
            key: Of the branch.
            path: To be written; whole or not at all.
            done: Called when it is written, or could not be.

        Raises:
            InputError: There is no such branch, or its start is not encoded.
        """
        from kpstudio.session.branches import find

        self.branch: Branch = find(session.document.branches, key)
        self._session, self._engine, self._predictions = session, engine, predictions
        self._path, self._done = path, done
        roll = predictions.roll(key)
        if roll is None:
            raise InputError(
                f"'{self.branch.name}' cannot be exported before frame {self.branch.frame + 1} is "
                f"encoded"
            )
        self._roll: Roll = roll
        self._over = False
        self._steps = self.branch.steps
        predictions.changed.connect(self._on_progress)
        predictions.pictured.connect(self._on_progress)
        predictions.require([key])
        self._on_progress()

    def cancel(self) -> None:
        """Write nothing."""
        if not self._over:
            self._over = True
            self._predictions.changed.disconnect(self._on_progress)
            self._predictions.pictured.disconnect(self._on_progress)
            self._predictions.require([])

    def _on_progress(self, *_: object) -> None:
        if self._over:
            return
        if self._roll.failure:
            self._end(f"'{self.branch.name}' was not exported: {self._roll.failure}", failed=True)
            return
        try:
            if len(self._roll.steps) >= self._steps and self.write(self._roll):
                count = self._steps
                self._end(f"Written: '{self._path}' ({count} predicted frames)", failed=False)
        except (KpError, OSError) as error:
            self._end(f"'{self._path.name}' cannot be written: {error}", failed=True)

    def _end(self, sentence: str, *, failed: bool) -> None:
        self.cancel()
        self._done(sentence, failed)

    @abstractmethod
    def write(self, roll: Roll) -> bool:
        """Write what is known; return whether all of it is written.

        Raises:
            KpError: It cannot be written.
        """


class BranchTable(BranchExport):
    """Particles of the start frames and of every predicted one, as .csv or .npz."""

    def write(self, roll: Roll) -> bool:
        """Write everything."""
        from kpcore.data.export import save_latents
        from kpcore.latents import Latents

        every = [*roll.start.particles, *(step.latents for step in roll.steps[: self._steps])]
        frames = list(range(roll.start_frame, roll.start_frame + len(every)))
        framing = self._engine.framing(roll.frame)[0]
        save_latents(self._path, Latents.stack(every), framing, frames)
        return True


class BranchFilm(BranchExport):
    """Pictures of the start frames and of every predicted one, as .mp4."""

    _sink: Sink | None = None
    _next = 0

    def write(self, roll: Roll) -> bool:
        """Write the pictures that are there, in order; ask for the next one."""
        if self._sink is None:
            from kpstudio.services.recording_sinks import sink_for

            media = self._session.document.media
            rate = media.fps if media is not None and media.fps else 10.0
            self._sink = sink_for(self._path, max(1, round(rate)))
            self._next = roll.start_frame
        while self._next <= roll.frame + self._steps:
            picture = self._predictions.picture_of(roll, self._next)
            if picture is None:
                self._predictions.fetch(roll, self._next)
                return False
            self._sink.write(enlarged(picture))
            self._next += 1
        self._sink.finish()
        self._sink = None
        return True

    def cancel(self) -> None:
        """Write nothing, and remove what was written."""
        if self._sink is not None:
            self._sink.abort()
            self._sink = None
        super().cancel()


def enlarged(picture: Bytes) -> Bytes:
    """Return a picture enlarged smoothly by a whole factor, so that players show it large."""
    height, width = picture.shape[:2]
    factor = max(1, SIDE_PX // max(height, width))
    if factor == 1:
        return picture
    size = (width * factor, height * factor)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
