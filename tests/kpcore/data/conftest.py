"""Videos whose frames show their own number, in any codec and container."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy import ndarray

WIDTH, HEIGHT = 160, 96


def numbered_frame(number: int) -> ndarray:
    """A picture with `number` as ten black and white blocks, which survive any codec."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 1] = (np.arange(WIDTH)[None] + number * 3) % 64
    for bit in range(10):
        top, left = 8 + 40 * (bit // 5), 8 + 30 * (bit % 5)
        picture[top : top + 32, left : left + 26] = 230 if number >> bit & 1 else 20
    return picture


def read_number(picture: ndarray) -> int:
    """The number that a frame shows."""
    return sum(
        int(picture[24 + 40 * (bit // 5), 21 + 30 * (bit % 5)].mean() > 128) << bit
        for bit in range(10)
    )


def write_video(
    path: Path,
    frames: int = 40,
    codec: str = "libx264",
    *,
    options: dict[str, str] | None = None,
    times_ms: Sequence[int] | None = None,
    b_frames: int | None = 3,
    first: int = 0,
) -> Path:
    """Write `frames` numbered frames at 25 per second, or at the given times; a key every 12."""
    base = Fraction(1, 1000) if times_ms else Fraction(1, 25)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 12
        stream.codec_context.time_base = base
        stream.codec_context.thread_count = 1
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(first + number), format="rgb24")
            frame.pts = times_ms[number] if times_ms else number
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def make_video() -> Callable[..., Path]:
    """Write a video of numbered frames."""
    return write_video


@pytest.fixture
def number_of() -> Callable[[ndarray], int]:
    """Read the number in a frame."""
    return read_number


@pytest.fixture(scope="session")
def short_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 numbered frames, H.264 with B-frames, made once; do not change it."""
    return write_video(tmp_path_factory.mktemp("video") / "numbers.mp4")
