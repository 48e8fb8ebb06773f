"""Measure a drag in a real window: from each mouse event to the end of the paint that shows it.

The studio's own window, with all its panels, runs on the X display of the environment, or on a
virtual one (Xvfb) that is started when there is none. The model is untrained (speed does not depend
on the weights), or read from checkpoints, one after the other; its particles are spread over the
picture first. A thread posts mouse events at an even rate, as a mouse does, whether or not the
window keeps up.

A line is one JSON object, of one model, times in milliseconds:
    preview_p50_ms, preview_p95_ms: from a move to the end of the first paint with the particle at
        that place or at a newer one, in the picture as well as its dot.
    decode_p50_ms, decode_p95_ms: from a move to the end of the first paint that shows the model's
        own decode of that move: as the picture itself when the move is still the newest, else as
        the refreshed background under glimpses that have moved on since (`Picture.base`). Only
        moves that were decoded count (`decoded` of `moves`): of those that arrive during a decode
        the newest is taken and the rest are skipped. Of those decoded, `drafts` were painted
        roughly and the others exactly; with --exact no drafts are made.
    settled_p50_ms, settled_p95_ms: the same for all moves; a skipped one is settled by the decode
        of any newer one.
    ui_tick_p95_ms: time between ticks of a 16 ms timer on the UI thread while dragging with a
        decoder that is slowed to `slow_decoder_ms`; ui_tick_fast_p95_ms: with the model as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent, QObject

    from kpstudio.session.session import Session
    from kpstudio.ui.canvas.image_view import Canvas
    from kpstudio.ui.studio import Studio

ROOT = Path(__file__).resolve().parents[1]
TICK_MS = 16


@dataclass(slots=True)
class Measured:
    """What one drag gave.

    Attributes:
        preview: Per move, in ms.
        decode: Per decoded move, in ms.
        drafts: How many of them were drafts.
        settled: Per move, in ms.
        ticks: Between ticks of the UI thread, in ms.
    """

    preview: list[float] = field(default_factory=list[float])
    decode: list[float] = field(default_factory=list[float])
    drafts: int = 0
    settled: list[float] = field(default_factory=list[float])
    ticks: list[float] = field(default_factory=list[float])


@contextmanager
def display() -> Iterator[None]:
    """Make sure that there is an X display; start a virtual one when there is none."""
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    if os.environ.get("DISPLAY"):
        yield
        return
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        sys.exit("there is no display and no Xvfb; on Debian: apt-get install -y xvfb")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        [xvfb, "-displayfd", str(writer), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=(writer,),
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writer)
        with os.fdopen(reader) as answer:
            os.environ["DISPLAY"] = f":{answer.readline().strip()}"
        yield
    finally:
        server.terminate()
        server.wait()
        del os.environ["DISPLAY"]


class Drag:
    """Carries one particle round over the picture and notes when each move was shown."""

    def __init__(self, session: Session, canvas: Canvas, moves: int, rate: float) -> None:
        from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer

        self._session, self._canvas = session, canvas
        self._moves, self._rate = moves, rate
        self._sent: list[float] = []
        self._delivered = 0
        self._revisions: list[int] = []
        self._previewed = self._settled = 0
        self._last_tick = 0.0
        self._loop = QEventLoop()
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.measured = Measured()

        def delivered(index: int) -> None:
            self._delivered = max(self._delivered, index)

        class Watch(QObject):
            def eventFilter(self, watched: QObject, event: QEvent) -> bool:
                if event.type() == event.Type.MouseMove:
                    delivered(event.timestamp())  # type: ignore[attr-defined]
                return False

        self._watch = Watch()

    def run(self) -> Measured:
        """Drag, wait for the last exact picture, and return the figures."""
        from PySide6.QtCore import QTimer

        self._canvas.installEventFilter(self._watch)
        self._session.document_changed.connect(self._on_document)
        self._canvas.painted.connect(self._on_painted)
        self._timer.start()
        mouse = threading.Thread(target=self._mouse, daemon=True)
        mouse.start()
        poll = QTimer(interval=50)
        poll.timeout.connect(lambda: mouse.is_alive() or self._loop.quit())
        poll.start()
        self._loop.exec()
        self._timer.stop()
        deadline = time.monotonic() + 5.0
        while self._settled < len(self._revisions) and time.monotonic() < deadline:
            QTimer.singleShot(20, self._loop.quit)
            self._loop.exec()
        self._canvas.removeEventFilter(self._watch)
        self._session.document_changed.disconnect(self._on_document)
        self._canvas.painted.disconnect(self._on_painted)
        return self.measured

    def _mouse(self) -> None:
        import math

        from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
        from PySide6.QtGui import QMouseEvent

        canvas = self._canvas
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        viewport = canvas.viewport
        latents = self._session.latents
        assert latents is not None
        there = self._session.document.found(latents.count)
        positions = latents.rows("position")[:there]
        x, y = positions[len(positions) // 2]
        origin = viewport.to_view((x, y))
        corner = canvas.mapToGlobal(QPointF(0, 0))

        def post(kind: QEvent.Type, at: QPointF, index: int) -> None:
            released = kind == QEvent.Type.MouseButtonRelease
            held = Qt.MouseButton.NoButton if released else left
            button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else left
            event = QMouseEvent(kind, at, at + corner, button, held, none)
            event.setTimestamp(index)
            QCoreApplication.postEvent(canvas, event)

        at = QPointF(*origin)
        post(QEvent.Type.MouseButtonPress, at, 0)
        begin = time.perf_counter() + 0.05
        for index in range(1, self._moves + 1):
            time.sleep(max(0.0, begin + index / self._rate - time.perf_counter()))
            turn = index / self._rate * 2.0
            at = QPointF(
                origin[0] + 0.3 * viewport.width * math.sin(turn),
                origin[1] + 0.3 * viewport.height * math.sin(1.7 * turn),
            )
            self._sent.append(time.perf_counter())
            post(QEvent.Type.MouseMove, at, index)
        post(QEvent.Type.MouseButtonRelease, at, self._moves)

    def _on_document(self, _: object) -> None:
        while len(self._revisions) < self._delivered:
            self._revisions.append(self._session.revision)

    def _on_painted(self, picture: Any) -> None:
        now = time.perf_counter()
        if picture is None:
            return
        base = picture.base if picture.tier == "preview" else picture.revision
        while self._previewed < len(self._revisions):
            if self._revisions[self._previewed] > picture.revision:
                break
            self.measured.preview.append((now - self._sent[self._previewed]) * 1000.0)
            self._previewed += 1
        while self._settled < len(self._revisions) and self._revisions[self._settled] <= base:
            took = (now - self._sent[self._settled]) * 1000.0
            self.measured.settled.append(took)
            self._settled += 1
            is_newest = (
                self._settled == len(self._revisions) or self._revisions[self._settled] > base
            )
            if self._revisions[self._settled - 1] == base and is_newest:
                self.measured.decode.append(took)
                self.measured.drafts += picture.tier == "draft"

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last_tick:
            self.measured.ticks.append((now - self._last_tick) * 1000.0)
        self._last_tick = now


def make_studio(folder: Path, slow_ms: float) -> Studio:
    """Return a session and services that keep their files in `folder`."""
    from kpstudio.services.engine import Engine
    from kpstudio.services.model_host import ModelHost
    from kpstudio.services.settings import SettingsStore
    from kpstudio.services.thumbnails import Thumbnails
    from kpstudio.session.session import Session
    from kpstudio.ui.qt_post import QtPost
    from kpstudio.ui.studio import Studio

    class SlowHost(ModelHost):
        """Takes as long for each decode as a large model would."""

        def decode(self, wanted: Any, reconstruction: Any) -> Any:
            started = time.perf_counter()
            exact = super().decode(wanted, reconstruction)
            time.sleep(max(0.0, slow_ms / 1000.0 - (time.perf_counter() - started)))
            return exact

    post, session = QtPost(), Session()
    engine = Engine(session, post, SlowHost() if slow_ms else None)
    return Studio(session, engine, SettingsStore(folder / "settings"), Thumbnails(post), post)


def write_inputs(folder: Path, options: argparse.Namespace, file: Path | None) -> tuple[Path, Path]:
    """Return a checkpoint, by itself an untrained one, and write a picture of its size."""
    import numpy as np
    import torch
    from PIL import Image

    from kpcore import checkpoint, registry
    from kpcore.configuration import to_plain

    weights, picture = file or folder / "model.safetensors", folder / "picture.png"
    if file is None:
        torch.manual_seed(0)
        made = registry.get(options.family)
        config = made.presets[options.preset].config
        model = made.build(config).eval()
        checkpoint.save(weights, model, checkpoint.Manifest(options.family, to_plain(config)))
    else:
        model = checkpoint.load(file)
    height, width = model.capabilities.image_size
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(picture)
    return weights, picture


def spread_particles(session: Session) -> None:
    """Hand the session the same particles on a grid and present, so that the hand finds each."""
    import math
    from dataclasses import replace

    wanted = session.want()
    if wanted is None:
        sys.exit("the model found no particles")
    latents = wanted.encoding.latents
    side = math.ceil(math.sqrt(latents.count))
    rows = range(latents.count)
    place = [0.8 * ((2 * index + 1) / side - 1) for index in range(side)]
    latents = latents.with_rows(
        "position", rows, [(place[row % side], place[row // side]) for row in rows]
    )
    if latents.presence is not None:
        latents = latents.with_rows("presence", rows, [1.0] * latents.count)
    if latents.position_log_var is not None:
        # a trained model's usual spread, so that ellipses of a usual size are painted
        latents = latents.with_rows("position_log_var", rows, [(-6.0, -6.0)] * latents.count)
    encoding = replace(wanted.encoding, latents=latents)
    session.receive_encoding(wanted.model, wanted.media, wanted.frame, encoding)


def drag(
    options: argparse.Namespace, file: Path | None, moves: int, slow_ms: float
) -> tuple[Measured, dict[str, Any]]:
    """Open the studio in a window and drag."""
    from PySide6.QtCore import QEventLoop, QTimer
    from PySide6.QtWidgets import QApplication

    from kpstudio.ui.main_window import MainWindow
    from kpstudio.ui.theme import Theme

    def wait(milliseconds: int) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studio = make_studio(folder, slow_ms)
        session, engine = studio.session, studio.engine
        session.noticed.connect(lambda notice: print(notice.text, file=sys.stderr))
        window = MainWindow(studio, Theme(application, "dark"))
        window.show()
        weights, picture = write_inputs(folder, options, file)
        engine.open_pair(str(weights), str(picture), "cpu")
        deadline = time.monotonic() + 120.0
        while session.latents is None and time.monotonic() < deadline:
            wait(50)
        spread_particles(session)
        wait(1500)
        canvas, model = window.compare.main, session.document.model
        assert model is not None
        Drag(session, canvas, min(60, moves), options.rate).run()
        session.undo()
        wait(500)
        measured = Drag(session, canvas, moves, options.rate).run()
        facts = {
            "particles": model.capabilities.particles,
            "features": model.capabilities.features,
            "image": list(model.capabilities.image_size),
            "window": [window.width(), window.height()],
            "canvas": [canvas.width(), canvas.height()],
            "decode_ms": round(engine.timings.decode_ms, 1),
        }
        if options.screenshot:
            window.grab().save(options.screenshot)
        session.mark_saved()
        window.close()
        studio.close()
    return measured, facts


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, rounded; NaN of too few values."""
    if len(values) < 2:
        return float("nan")
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)


def main() -> None:
    """Run both drags and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--family", default="dlp-object")
    parser.add_argument("--preset", default="traffic")
    parser.add_argument(
        "--checkpoint", type=Path, nargs="+", default=[None], help="measure these models instead"
    )
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=120.0, help="moves per second")
    parser.add_argument("--slow-decoder-ms", type=float, default=200.0)
    parser.add_argument("--slow-moves", type=int, default=600, help="with the slow decoder")
    parser.add_argument("--exact", action="store_true", help="make no drafts")
    parser.add_argument("--screenshot", help="PNG to write after the drag")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:2]))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if options.exact:
        from kpcore import drafting

        drafting.gains_by_drafts = lambda work: False
    with display():
        from PySide6.QtWidgets import QApplication

        application = QApplication([])
        for file in options.checkpoint:
            print(json.dumps(figures(options, file)), flush=True)
        application.quit()


def figures(options: argparse.Namespace, file: Path | None) -> dict[str, Any]:
    """Run both drags of one model and return what was measured."""
    load = [round(value, 1) for value in os.getloadavg()]
    fast, facts = drag(options, file, options.moves, 0.0)
    slow, _ = drag(options, file, options.slow_moves, options.slow_decoder_ms)
    from kpcore.training.device import machine

    named = {"family": options.family, "preset": options.preset}
    return {
        "preview_p50_ms": percentile(fast.preview, 50),
        "preview_p95_ms": percentile(fast.preview, 95),
        "decode_p50_ms": percentile(fast.decode, 50),
        "decode_p95_ms": percentile(fast.decode, 95),
        "settled_p50_ms": percentile(fast.settled, 50),
        "settled_p95_ms": percentile(fast.settled, 95),
        "ui_tick_p95_ms": percentile(slow.ticks, 95),
        "ui_tick_fast_p95_ms": percentile(fast.ticks, 95),
        "moves": len(fast.preview),
        "decoded": len(fast.decode),
        "drafts": fast.drafts,
        "slow_decoder_ms": options.slow_decoder_ms,
        **(named if file is None else {"checkpoint": file.name}),
        **facts,
        "load_before": load,
        "machine": machine(),
    }


if __name__ == "__main__":
    main()
