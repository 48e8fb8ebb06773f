"""A real clip in a real window: what is played is what a decoder that never seeks would show."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PySide6.QtCore import QTimer

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.registry import get

SIDE, COUNT = 32, 40


def write_clip(path: Path, times_ms: list[int]) -> Path:
    """Frames whose brightness is their number, H.264 with B-frames, at the given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 20
        stream.codec_context.max_b_frames = 3
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, time in enumerate(times_ms):
            picture = np.full((SIDE, SIDE, 3), 20 + 5 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_model(path: Path) -> Path:
    torch.manual_seed(0)
    family = get("dlp-compact")
    config = family.presets["tiny"].config
    model = family.build(config).eval()
    checkpoint.save(path, model, checkpoint.Manifest("dlp-compact", to_plain(config)))
    return path


@pytest.fixture
def pump(posted, qapp):
    """Run what the threads post, as the application does."""
    timer = QTimer(interval=2)
    timer.timeout.connect(posted.run)
    timer.start()
    yield timer
    timer.stop()


@pytest.mark.parametrize("rate", ["even", "variable"])
def test_frames_play_in_order_each_with_its_own_picture_and_particles(
    window, session, pump, qtbot, tmp_path: Path, rate: str
):
    steps = [40] * COUNT
    if rate == "variable":
        steps = np.random.default_rng(0).integers(15, 90, COUNT).tolist()
    times = np.cumsum(steps).tolist()
    clip = write_clip(tmp_path / "clip.mp4", times)
    window.engine.open_pair(str(write_model(tmp_path / "tiny.safetensors")), str(clip), "cpu")
    background = window.engine.clip.background
    qtbot.waitUntil(
        lambda: background.progress.total == COUNT and background.progress.is_over, timeout=60_000
    )
    media = session.document.media
    assert media is not None
    assert media.is_even is (rate == "even")
    seen: list[tuple[int, int]] = []

    def on_picture(role: str, picture) -> None:
        if role == "input" and picture is not None and session.view.playing:
            seen.append((picture.frame, round((float(picture.pixels.mean()) - 20) / 5)))

    session.picture_changed.connect(on_picture)
    window.player.playback.play()
    qtbot.waitUntil(lambda: not session.view.playing, timeout=60_000)
    assert session.view.frame == COUNT - 1
    assert seen
    assert all(frame == number for frame, number in seen)
    frames = [frame for frame, _ in seen]
    assert frames == sorted(frames)
    assert window.player.playback.stats.shown + window.player.playback.stats.dropped == COUNT - 1
    assert session.latents is not None
    qtbot.waitUntil(lambda: session.picture("edited").extras is not None, timeout=20_000)


def test_progress_of_the_background_is_told_and_can_be_paused(
    window, session, settings, pump, qtbot, tmp_path: Path
):
    settings.update(encode_videos=False)
    clip = write_clip(tmp_path / "clip.mp4", [40 * index for index in range(COUNT)])
    window.engine.open_pair(str(write_model(tmp_path / "tiny.safetensors")), str(clip), "cpu")
    transport = window.docks.timeline.transport
    qtbot.waitUntil(lambda: "paused" in transport.encoded.text(), timeout=60_000)
    assert f"of {COUNT} encoded" in transport.encoded.text()
    window.refresh_actions()
    window.actions_made["encode-all"].trigger()
    qtbot.waitUntil(lambda: window.engine.clip.background.progress.is_over, timeout=60_000)
    qtbot.waitUntil(lambda: transport.encoded.text() == "", timeout=5_000)
    assert settings.settings.encode_videos
