"""Where recorded frames go: an MP4, a GIF, or a folder of PNG files; whole or not at all."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcore.errors import DataError, InputError

if TYPE_CHECKING:
    from imageio.plugins.pyav import PyAVPlugin

logger = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]

_CONTAINER = {"movflags": "+faststart"}
_ENCODER = {"preset": "veryfast", "crf": "18", "threads": "1"}

GIF_LIMIT = 1500
"""Frames of the longest GIF; longer recordings belong into an MP4."""


class Sink(Protocol):
    """Takes frames of one size, in order, on one thread."""

    def write(self, frame: Pixels) -> None:
        """Write a frame: RGB (H, W, 3) or BGRA (H, W, 4).

        Raises:
            OSError: The disk refuses.
        """
        ...

    def finish(self) -> None:
        """Put the recording where it was asked for.

        Raises:
            OSError: The disk refuses.
            DataError: What was written is not whole.
        """
        ...

    def abort(self) -> None:
        """Remove what was written."""
        ...


def sink_for(path: Path, fps: int) -> Sink:
    """Return the sink that a name asks for: .mp4, .gif, or no ending for a folder of PNG files.

    Raises:
        InputError: Another ending.
        DataError: The folder cannot be written.
    """
    kinds: dict[str, type[Any]] = {".mp4": Mp4Sink, ".gif": GifSink, "": PngSink}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"'{path.name}' should end in .mp4 or .gif, or have no ending for a folder of PNG files"
        )
    part = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        part.unlink()
    except OSError as error:
        raise DataError(
            f"cannot record to '{path}': {error.strerror or error}; choose a folder that can be "
            f"written"
        ) from error
    return kind(path, part, fps)


class Mp4Sink:
    """H.264 by libx264, at an even size, playable everywhere."""

    def __init__(self, path: Path, part: Path, fps: int) -> None:
        self._path, self._part, self._fps = path, part, fps
        self._writer: PyAVPlugin | None = None

    def write(self, frame: Pixels) -> None:
        """Write a frame; an odd last row or column is cut off."""
        frame = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
        with _encoder_faults():
            if self._writer is None:
                self._writer = self._begin()
            self._writer.write_frame(frame, pixel_format="bgra" if frame.shape[2] == 4 else "rgb24")

    def _begin(self) -> PyAVPlugin:
        import imageio.v3 as iio
        from imageio.plugins.pyav import PyAVPlugin

        writer = iio.imopen(str(self._part), "w", plugin=PyAVPlugin, options=_CONTAINER)
        writer.init_video_stream("libx264", fps=self._fps, pixel_format="yuv420p")
        if (stream := writer._video_stream) is not None:
            # imageio has no argument for the encoder's own options; its defaults cost twice this.
            stream.codec_context.options = _ENCODER
        return writer

    def finish(self) -> None:
        """Close the file and give it its name."""
        if self._writer is not None:
            with _encoder_faults():
                self._writer.close()
        os.replace(self._part, self._path)

    def abort(self) -> None:
        """Remove what was written."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                with _encoder_faults():
                    writer.close()
        except OSError as error:
            logger.debug("an aborted recording was not closed: %s", error)
        self._part.unlink(missing_ok=True)


@contextmanager
def _encoder_faults() -> Iterator[None]:
    """Give faults of the encoder as those of the disk, which they nearly always are."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


class GifSink:
    """A looping GIF of up to `GIF_LIMIT` frames, 128 colours each."""

    def __init__(self, path: Path, part: Path, fps: int) -> None:
        self._path, self._part = path, part
        self._duration_ms = max(20, round(1000 / fps))
        self._frames: list[Image.Image] = []

    def write(self, frame: Pixels) -> None:
        """Keep a frame in memory.

        Raises:
            DataError: The GIF would be too long.
        """
        if len(self._frames) == GIF_LIMIT:
            raise DataError(f"a GIF holds up to {GIF_LIMIT} frames here; record longer to an .mp4")
        self._frames.append(Image.fromarray(_rgb(frame)).quantize(128))

    def finish(self) -> None:
        """Write the file and give it its name."""
        first, *rest = self._frames
        first.save(
            self._part, "GIF", save_all=True, append_images=rest, duration=self._duration_ms, loop=0
        )
        os.replace(self._part, self._path)

    def abort(self) -> None:
        """Forget the frames."""
        self._frames.clear()
        self._part.unlink(missing_ok=True)


class PngSink:
    """A folder of numbered PNG files."""

    def __init__(self, path: Path, part: Path, fps: int) -> None:
        self._path, self._part = path, part
        self._count = 0

    def write(self, frame: Pixels) -> None:
        """Write one file."""
        self._part.mkdir(exist_ok=True)
        self._count += 1
        Image.fromarray(_rgb(frame)).save(self._part / f"frame-{self._count:06d}.png")

    def finish(self) -> None:
        """Give the folder its name.

        Raises:
            DataError: There is a folder with files of that name already.
        """
        if self._path.is_dir() and any(self._path.iterdir()):
            raise DataError(f"the folder '{self._path}' is not empty; choose another name")
        if self._path.is_dir():
            self._path.rmdir()
        os.replace(self._part, self._path)

    def abort(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._part, ignore_errors=True)


def _rgb(frame: Pixels) -> Pixels:
    return np.ascontiguousarray(frame[..., 2::-1]) if frame.shape[2] == 4 else frame
