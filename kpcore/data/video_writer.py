"""Write frames as they come into an H.264 video that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8
from numpy import ndarray

from kpcore.errors import DataError, InputError

SUFFIXES = (".mp4", ".mov", ".mkv")
_RATE_BASE = 1001 * 60
_QUALITY = {"crf": "14", "preset": "veryfast"}


class VideoWriter:
    """One video under way; use it in a `with` block, which keeps it only if nothing went wrong.

    Frames go to a hidden file beside the target. Nothing of it is left when the block ends with an
    error or after `discard`, and what was at the target before stays until the video is complete.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: float) -> None:
        """Begin a video.

        Args:
            path: Ends in .mp4, .mov or .mkv.
            size: (H, W) of every frame; an odd side gets one more row or column, repeated.
            fps: Frames per second.

        Raises:
            InputError: Another ending, no size, or no rate.
            DataError: The folder cannot be written.
        """
        self.path = Path(path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise InputError(
                f"'{path}' does not end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; videos "
                f"are written to such files"
            )
        if min(size) < 1 or not fps > 0.0:
            raise InputError(f"a video of {size[1]} x {size[0]} at {fps:g} frames per second")
        self.size = size
        self.frames = 0
        self._temporary = ""
        self._container: Any = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, self._temporary = tempfile.mkstemp(
                dir=self.path.parent, prefix=f".{self.path.stem}.", suffix=self.path.suffix
            )
            os.close(handle)
            self._container = av.open(self._temporary, "w", options=_options(self.path))
            rate = Fraction(fps).limit_denominator(_RATE_BASE)
            self._stream = self._container.add_stream("libx264", rate=rate, options=_QUALITY)
            self._stream.height, self._stream.width = (side + side % 2 for side in size)
            self._stream.pix_fmt = "yuv420p"
        except (OSError, FFmpegError) as error:
            self.discard()
            raise DataError(self._refused(error)) from error

    def write(self, frame: UInt8[ndarray, "H W 3"]) -> None:
        """Add a frame.

        Raises:
            InputError: It has another size.
            DataError: The disk refuses.
        """
        if frame.shape[:2] != self.size:
            raise InputError(
                f"a frame of {frame.shape[1]} x {frame.shape[0]} pixels does not fit a video of "
                f"{self.size[1]} x {self.size[0]}"
            )
        height, width = self.size
        whole = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="rgb24")
            picture.pts = self.frames
            self._container.mux(self._stream.encode(picture))
        except (OSError, FFmpegError) as error:
            raise DataError(self._refused(error)) from error
        self.frames += 1

    def finish(self) -> None:
        """Complete the video and put it at its place.

        Raises:
            DataError: The disk refuses; nothing is left behind.
        """
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            self._container = None
            os.chmod(self._temporary, 0o644)
            os.replace(self._temporary, self.path)
            self._temporary = ""
        except (OSError, FFmpegError) as error:
            raise DataError(self._refused(error)) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
        if self._container is not None:
            container, self._container = self._container, None
            with contextlib.suppress(OSError, FFmpegError):
                container.close()
        if self._temporary:
            Path(self._temporary).unlink(missing_ok=True)
            self._temporary = ""

    def _refused(self, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or error
        return f"cannot write '{self.path}': {reason}; choose a folder that can be written"

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._temporary:
            self.finish()
        else:
            self.discard()


def _options(path: Path) -> dict[str, str]:
    return {} if path.suffix.lower() == ".mkv" else {"movflags": "+faststart"}
