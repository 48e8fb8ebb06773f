"""Record frames while the user works, on a thread that never holds the window up.

Frames are taken as they come; each has its place in time, and a place without a frame repeats the
one before. When the writer falls behind, frames are dropped and counted rather than waited for.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcore.errors import DataError, KpError
from kpstudio.services.recording_sinks import Sink, sink_for

_WAITING = 12
"""Frames that may wait for the writer: 28 MB at 768 x 768."""


@dataclass(frozen=True, slots=True)
class Recording:
    """How far a recording is, or what came of it.

    Attributes:
        path: Of the file or folder.
        seconds: Its length.
        frames: In it.
        dropped: Frames that the writer had no time for; the ones before stand in for them.
        bytes: On the disk; 0 while it is not finished.
    """

    path: Path
    seconds: float = 0.0
    frames: int = 0
    dropped: int = 0
    bytes: int = 0


class Recorder:
    """One recording, from its start to `stop`."""

    def __init__(
        self,
        path: str | Path,
        fps: int = 30,
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to record.

        Args:
            path: Ends in .mp4 or .gif; without ending, a folder of PNG files.
            fps: Frames per second.
            live: Places frames by the clock and drops rather than waits. Otherwise every frame
                counts and `add` waits for the writer.
            clock: Gives seconds; only tests give one.

        Raises:
            InputError: The path has another ending.
            DataError: The folder cannot be written.
        """
        self.path = Path(path)
        self.fps = fps
        self._live = live
        self._clock = clock
        self._sink: Sink = sink_for(self.path, fps)
        self._queue: queue.Queue[tuple[int, NDArray[np.uint8] | None]] = queue.Queue(_WAITING)
        self._origin: float | None = None
        self._given = 0
        self._written = 0
        self._dropped = 0
        self._error: KpError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    @property
    def error(self) -> KpError | None:
        """Why the recording ended by itself, or None."""
        return self._error

    @property
    def recording(self) -> Recording:
        """How far it is, for the status bar."""
        seconds = self._elapsed_s() if self._live else self._written / self.fps
        return Recording(self.path, seconds, self._written, self._dropped)

    def add(self, frame: NDArray[np.uint8]) -> bool:
        """Take a frame, RGB (H, W, 3) or BGRA (H, W, 4); it is copied.

        Returns:
            Whether it was taken: not when it comes too early for its place in time, when the
            writer is behind, or after an error.
        """
        if self._error is not None:
            return False
        if self._origin is None:
            self._origin = self._clock()
        place = self._place() if self._live else self._given
        if place < self._given:
            return False
        item = (place, np.array(frame))
        if not self._live:
            self._queue.put(item)
        else:
            try:
                self._queue.put_nowait(item)
            except queue.Full:
                self._dropped += 1
                return False
        self._given = place + 1
        return True

    def stop(self) -> Recording:
        """Finish the file.

        Raises:
            DataError: The recording could not be written; what there was is removed.
        """
        end = max(self._given, self._place()) if self._live else self._given
        self._queue.put((end, None))
        self._thread.join()
        if self._error is not None:
            raise self._error
        return Recording(
            self.path, self._written / self.fps, self._written, self._dropped, _bytes(self.path)
        )

    def _elapsed_s(self) -> float:
        return 0.0 if self._origin is None else self._clock() - self._origin

    def _place(self) -> int:
        """The place in time now; frames that come at the right pace fall into its middle."""
        return int(self._elapsed_s() * self.fps + 0.5)

    # -- the writer thread -----------------------------------------------------------------------
    def _work(self) -> None:
        last: NDArray[np.uint8] | None = None
        while True:
            place, frame = self._queue.get()
            if self._error is None:
                self._guard(self._write, place, frame, last)
            if frame is None:
                break
            last = frame if last is None else _fitted(frame, last)
        if self._error is None:
            self._guard(self._finish)

    def _write(
        self, place: int, frame: NDArray[np.uint8] | None, last: NDArray[np.uint8] | None
    ) -> None:
        if last is not None:
            while self._written < place:
                self._sink.write(last)
                self._written += 1
        if frame is not None:
            self._sink.write(frame if last is None else _fitted(frame, last))
            self._written += 1

    def _finish(self) -> None:
        if not self._written:
            raise DataError("nothing was recorded: no frame came before the recording was stopped")
        self._sink.finish()

    def _guard(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except KpError as error:
            self._error = error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1:]
            told = reason if isinstance(reason, str) else "".join(reason)
            self._error = DataError(
                f"the recording '{self.path.name}' was ended because its file could not be "
                f"written: {told or type(error).__name__}; choose a folder with room"
            )
        if self._error is not None:
            self._sink.abort()


def _fitted(frame: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame at the size of the first: the window may be resized while recording."""
    if frame.shape == like.shape:
        return frame
    size = (like.shape[1], like.shape[0])
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return path.stat().st_size
