"""Measure the player in a real window: playback, scrubbing, seeking, encoding in the background.

A clip is made first (procedural, H.264 with B-frames, 30 frames a second) and opened with the
shipped demo model in the studio's own window, on the X display of the environment or on a virtual
one. Everything runs on two cores.

The last line is one JSON object:
    seeks_equal: how many of `seeks` random seeks gave exactly the pixels of the reference, a plain
        decode of every frame in order by PyAV; the studio's media are asked, with their cache.
    seek_p95_ms: time of such a seek, in milliseconds.
    ui_tick_p95_ms: time between ticks of a 16 ms timer on the UI thread while every frame of the
        clip is encoded in the background; encoded_per_s: frames encoded in a second meanwhile.
    scrub_p50_ms, scrub_p95_ms: from a jump to a random frame to the end of the paint of the large
        canvas that shows that frame's own exact picture with its particles.
    scrub_input_p95_ms: likewise, until the frame of the video itself is painted.
    playback_fps: frames painted on the large canvas in a second while the clip plays with
        particles, numbers, ellipses and trails; dropped_percent: of frames that came too late.
    playback_tick_p95_ms: as ui_tick_p95_ms, while the clip plays.
    edit_p95_ms: time that the UI thread takes to commit an edit with every frame encoded.
    memory_growth_mb: of the process from before to after the encoding.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_drag import ROOT, TICK_MS, display, make_studio, percentile

if TYPE_CHECKING:
    from kpstudio.session.pictures import Picture
    from kpstudio.ui.main_window import MainWindow


def write_clip(path: Path, frames: int, side: int, gop: int) -> None:
    """Write cars that cross a road, H.264 with three B-frames between others."""
    import av
    import numpy as np

    rng = np.random.default_rng(0)
    ground = np.full((side, side, 3), (96, 99, 105), np.uint8)
    ground[: side // 5], ground[-side // 5 :] = (110, 140, 80), (110, 140, 80)
    ground[side // 2 - 2 : side // 2 + 2, :: side // 16] = 230
    noise = rng.integers(-6, 7, (side, side, 1))
    ground = np.clip(ground.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    cars = [
        (rng.integers(60, 256, 3), rng.uniform(0.25, 0.7), rng.uniform(0, 2), rng.choice((-1, 1)))
        for _ in range(8)
    ]
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "x264-params": "scenecut=0"}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = 3
        for index in range(frames):
            picture = ground.copy()
            for colour, lane, start, way in cars:
                x = int(((start + way * index / 150) % 2.0 - 0.4) * side * 0.7)
                y, long, wide = int(lane * side), side // 8, side // 16
                picture[y : y + wide, max(0, x) : max(0, x + long)] = colour
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def reference(path: Path) -> list[bytes]:
    """Return a hash of every frame in order, by a decoder that never seeks."""
    import av

    with av.open(str(path)) as container:
        return [
            hashlib.sha256(frame.to_ndarray(format="rgb24").tobytes()).digest()
            for frame in container.decode(video=0)
        ]


def check_seeks(path: Path, seeks: int) -> dict[str, Any]:
    """Seek at random and compare with the reference."""
    import numpy as np

    from kpcore.data.media import open_media

    want = reference(path)
    media = open_media(path)
    rng = np.random.default_rng(1)
    equal, took = 0, []
    for frame in rng.integers(0, len(want), seeks).tolist():
        began = time.perf_counter()
        picture = media.frame(frame)
        took.append((time.perf_counter() - began) * 1000.0)
        equal += hashlib.sha256(picture.tobytes()).digest() == want[frame]
    media.close()
    return {
        "frames": len(want),
        "frames_found": media.count,
        "seeks": seeks,
        "seeks_equal": equal,
        "seek_p50_ms": percentile(took, 50),
        "seek_p95_ms": percentile(took, 95),
    }


class Watch:
    """Ticks of the UI thread, and what the canvases painted."""

    def __init__(self, window: MainWindow) -> None:
        from PySide6.QtCore import QEventLoop, Qt, QTimer

        self.window = window
        self.session = window.session
        self.ticks: list[float] = []
        self.painted: list[tuple[float, int, str]] = []
        self.painted_input: list[tuple[float, int]] = []
        self._last = 0.0
        self._loop = QEventLoop()
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        window.compare.main.painted.connect(self._on_painted)
        window.compare.canvas("input").painted.connect(self._on_input)

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last:
            self.ticks.append((now - self._last) * 1000.0)
        self._last = now

    def _on_painted(self, picture: Picture | None) -> None:
        if picture is not None:
            self.painted.append((time.perf_counter(), picture.frame, picture.tier))

    def _on_input(self, picture: Picture | None) -> None:
        if picture is not None:
            self.painted_input.append((time.perf_counter(), picture.frame))

    def clear(self) -> None:
        """Forget what was seen."""
        self._last = 0.0
        self.ticks.clear()
        self.painted.clear()
        self.painted_input.clear()

    def run(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Let the window live; return whether it came true in time."""
        from PySide6.QtCore import QTimer

        poll = QTimer(interval=2)
        end = time.monotonic() + limit_s
        poll.timeout.connect(
            lambda: self._loop.quit() if until() or time.monotonic() > end else None
        )
        poll.start()
        self._loop.exec()
        poll.stop()
        return until()

    def wait(self, seconds: float) -> None:
        """Let the window live for so long."""
        end = time.monotonic() + seconds
        self.run(lambda: time.monotonic() >= end, seconds + 1.0)


def scrub(watch: Watch, count: int, jumps: int) -> dict[str, Any]:
    """Jump to random frames and note when each is painted."""
    import numpy as np

    exact, inputs = [], []
    session = watch.session
    for frame in np.random.default_rng(2).integers(0, count, jumps).tolist():
        if frame == session.view.frame:
            continue
        watch.clear()
        began = time.perf_counter()
        session.update_view(frame=frame)

        def shown(frame: int = frame) -> bool:
            particles = session.latents is not None
            large = any(at == frame and tier == "exact" for _, at, tier in watch.painted)
            return particles and large and any(at == frame for _, at in watch.painted_input)

        if not watch.run(shown, 5.0):
            continue
        exact.append(1000 * (min(t for t, at, _ in watch.painted if at == frame) - began))
        inputs.append(1000 * (min(t for t, at in watch.painted_input if at == frame) - began))
        watch.wait(0.02)
    return {
        "scrubs": len(exact),
        "scrub_p50_ms": percentile(exact, 50),
        "scrub_p95_ms": percentile(exact, 95),
        "scrub_input_p95_ms": percentile(inputs, 95),
    }


def play(watch: Watch, seconds: float) -> dict[str, Any]:
    """Play from the beginning and count."""
    player = watch.window.player
    player.go(0)
    watch.wait(0.5)
    watch.clear()
    began = time.perf_counter()
    player.playback.play()
    watch.wait(seconds)
    stats = player.playback.stats
    took = time.perf_counter() - began
    player.playback.pause()
    different = {frame for _, frame, _ in watch.painted}
    return {
        "playback_fps": round(len(different) / took, 2),
        "shown": stats.shown,
        "dropped": stats.dropped,
        "dropped_percent": round(100 * stats.dropped / max(1, stats.shown + stats.dropped), 3),
        "playback_tick_p95_ms": percentile(watch.ticks, 95),
    }


def edit(watch: Watch, edits: int) -> dict[str, Any]:
    """Move a particle many times; every frame is encoded by now."""
    from kpstudio.session.edits import MoveParticles

    session, took = watch.session, []
    for index in range(edits):
        at = (0.8 * (index / edits) - 0.4, 0.1)
        began = time.perf_counter()
        session.commit(MoveParticles(session.view.frame, (0,), (at,)))
        took.append((time.perf_counter() - began) * 1000.0)
        watch.wait(0.02)
    return {"edit_p95_ms": percentile(took, 95)}


def resident_mb() -> float:
    """Return the memory of this process in MB; NaN where it cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError):
        return float("nan")


def in_window(options: argparse.Namespace, clip: Path, folder: Path) -> dict[str, Any]:
    """Open the clip in the studio and measure."""
    from PySide6.QtWidgets import QApplication

    from kpstudio.resource_files import resource_path
    from kpstudio.ui.main_window import MainWindow
    from kpstudio.ui.theme import Theme

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    studio = make_studio(folder, 0.0)
    session, engine = studio.session, studio.engine
    session.noticed.connect(lambda notice: print(notice.text, file=sys.stderr))
    window = MainWindow(studio, Theme(application, "dark"))
    window.show()
    watch = Watch(window)
    checkpoint = options.checkpoint or str(resource_path("checkpoints/demo.safetensors"))
    engine.open_pair(checkpoint, str(clip), "cpu")
    watch.run(lambda: session.picture("edited") is not None, 60.0)
    before, already = resident_mb(), len(session.document.encoded)
    watch.clear()
    began = time.perf_counter()
    done = watch.run(lambda: engine.clip.background.progress.is_over, 600.0)
    took = time.perf_counter() - began
    figures: dict[str, Any] = {
        "encoded_all": done,
        "encoded_per_s": round((len(session.document.encoded) - already) / took, 1),
        "ui_tick_p50_ms": percentile(watch.ticks, 50),
        "ui_tick_p95_ms": percentile(watch.ticks, 95),
        "memory_growth_mb": round(resident_mb() - before, 1),
    }
    watch.wait(1.0)
    count = session.document.media.count if session.document.media else 0
    figures |= scrub(watch, count, options.scrubs)
    figures |= play(watch, options.seconds)
    figures |= edit(watch, 60)
    if options.screenshot:
        window.grab().save(options.screenshot)
    session.mark_saved()
    began = time.perf_counter()
    window.close()
    studio.close()
    figures["close_s"] = round(time.perf_counter() - began, 2)
    return figures


def main() -> None:
    """Make the clip, run everything and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--side", type=int, default=512, help="pixels of the clip")
    parser.add_argument("--gop", type=int, default=250, help="frames from key to key")
    parser.add_argument("--seeks", type=int, default=500)
    parser.add_argument("--scrubs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0, help="of playback")
    parser.add_argument("--checkpoint", help="in place of the demo's")
    parser.add_argument("--clip", type=Path, help="in place of the procedural one")
    parser.add_argument("--screenshot", help="PNG to write at the end")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:2]))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    load = [round(value, 1) for value in os.getloadavg()]
    with tempfile.TemporaryDirectory() as name, display():
        folder = Path(name)
        clip = options.clip or folder / "clip.mp4"
        if options.clip is None:
            write_clip(clip, options.frames, options.side, options.gop)
        seeks = check_seeks(clip, options.seeks)
        from PySide6.QtWidgets import QApplication

        application = QApplication([])
        figures = in_window(options, clip, folder)
        application.quit()
    from kpcore.training.device import machine

    facts = {
        "side": options.side, "gop": options.gop, "load_before": load, "machine": machine(),
    }  # fmt: skip
    print(json.dumps({**seeks, **figures, **facts}))


if __name__ == "__main__":
    main()
