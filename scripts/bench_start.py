"""Measure how the studio starts and what it holds after minutes of dragging.

Starts the real studio on the shipped demo in a window on a virtual X server (Xvfb), some times for
the start alone, then once more to drag its particles with synthetic mouse events.

The last line is one JSON object:
    window_ms: from starting the process to the window being visible, median of the starts;
    first_picture_ms: the same to the demo's picture being on screen;
    torch_before_window: whether torch's import had begun when the window became visible;
    rss_mb: resident memory at the end of the dragging;
    rss_slope_mb_per_10min: growth of resident memory over the second half, by least squares.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCREEN = "1440x900x24"


# -- in the studio's process ---------------------------------------------------------------------
class Hand:
    """Drags one particle after the other round circles, by mouse events on the large canvas."""

    def __init__(self, moves_per_second: float, moves_per_drag: int) -> None:
        from PySide6.QtCore import Qt, QTimer

        self._moves = moves_per_drag
        self._step = 0
        self._drag = 0
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(round(1000.0 / moves_per_second))

    def _tick(self) -> None:
        from PySide6.QtCore import QEvent, QPointF, Qt
        from PySide6.QtWidgets import QApplication

        canvas = next(
            (one for one in QApplication.allWidgets() if one.objectName() == "canvas-edited"), None
        )
        if canvas is None or not canvas.overlay.marks:
            return
        if self._step == 0:
            marks = canvas.overlay.marks
            self._start = QPointF(*canvas.viewport.to_view(marks[self._drag % len(marks)].at))
            self._send(canvas, QEvent.Type.MouseButtonPress, self._start, Qt.MouseButton.LeftButton)
        turn = 2.0 * math.pi * self._step / self._moves
        radius = 0.2 * min(canvas.width(), canvas.height())
        middle = QPointF(canvas.width() / 2.0, canvas.height() / 2.0)
        inward = math.atan2(middle.y() - self._start.y(), middle.x() - self._start.x())
        centre = self._start + QPointF(math.cos(inward), math.sin(inward)) * radius
        angle = inward + math.pi + turn
        place = centre + QPointF(math.cos(angle), math.sin(angle)) * radius
        self._send(canvas, QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)
        self._step += 1
        if self._step > self._moves:
            self._send(canvas, QEvent.Type.MouseButtonRelease, place, Qt.MouseButton.LeftButton)
            self._step, self._drag = 0, self._drag + 1

    @staticmethod
    def _send(canvas, kind, place, button) -> None:
        from PySide6.QtCore import QEvent, Qt
        from PySide6.QtGui import QMouseEvent
        from PySide6.QtWidgets import QApplication

        held = Qt.MouseButton.LeftButton
        if kind == QEvent.Type.MouseButtonRelease:
            held = Qt.MouseButton.NoButton
        event = QMouseEvent(
            kind, place, canvas.mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier
        )
        QApplication.postEvent(canvas, event)


def studio(moves_per_second: float) -> int:
    """Run the studio; with `moves_per_second` above 0 a hand drags its particles."""
    from PySide6.QtWidgets import QApplication

    from kpstudio.app import main

    hands: list[Hand] = []
    run = QApplication.exec

    def run_with_hand(*_: object) -> int:
        if moves_per_second:
            hands.append(Hand(moves_per_second, moves_per_drag=120))
        return run()

    QApplication.exec = run_with_hand
    return main(["--demo"])


# -- in the measuring process --------------------------------------------------------------------
@contextmanager
def virtual_screen() -> Iterator[str]:
    """Start an X server of our own and give its display name."""
    if shutil.which("Xvfb") is None:
        sys.exit("Xvfb is not installed; on Debian or Ubuntu run: apt-get install -y xvfb")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp"],
        pass_fds=(writer,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as answer:
            number = answer.readline().strip()
        if not number:
            sys.exit("Xvfb did not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


class Studio:
    """The studio as a child process that writes its timings to a file."""

    def __init__(self, display: str, home: Path, moves_per_second: float = 0.0) -> None:
        self._timings = home / f"timings-{time.monotonic_ns()}.jsonl"
        environment = {
            **os.environ,
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "KPSTUDIO_TIMINGS": str(self._timings),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
        }
        environment.pop("WAYLAND_DISPLAY", None)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--studio", str(moves_per_second)],
            cwd=ROOT,
            env=environment,
        )

    def events(self) -> list[dict]:
        """Return the timings written so far; a half line is left for later."""
        if not self._timings.exists():
            return []
        lines = self._timings.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def wait_for(self, event: str, timeout_s: float = 120.0) -> float:
        """Return the milliseconds from the start of the process to the first such event."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                sys.exit(f"the studio ended with status {self.process.returncode}")
            for item in self.events():
                if item["event"] == event:
                    return 1000.0 * (item["t"] - self.started)
            time.sleep(0.02)
        sys.exit(f"the studio did not report '{event}' within {timeout_s:.0f} s")

    def has_torch_early(self) -> bool:
        """Return whether torch's import had begun when the window became visible."""
        return any(item.get("torch", False) for item in self.events())

    def count(self, event: str) -> int:
        """Return how many such events there were."""
        return sum(item["event"] == event for item in self.events())

    def rss_mb(self) -> float:
        """Return the resident memory of the process."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024.0
        sys.exit("the studio ended while it was being dragged")

    def end(self) -> None:
        """Ask the process to end, and see that it does."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def slope(times: list[float], values: list[float]) -> float:
    """Return the least-squares slope of `values` over `times`."""
    return statistics.linear_regression(times, values).slope


def measure_starts(display: str, home: Path, starts: int) -> tuple[list[float], list[float], bool]:
    """Return window and first-picture times of some starts, and whether torch came too early.

    The first start only warms the disk.
    """
    windows, pictures, early = [], [], False
    for number in range(starts + 1):
        studio = Studio(display, home)
        window, picture = studio.wait_for("window_shown"), studio.wait_for("picture_shown")
        early |= studio.has_torch_early()
        studio.end()
        warm = "" if number else " (warms the disk, not counted)"
        print(f"start {number}: window {window:.0f} ms, picture {picture:.0f} ms{warm}", flush=True)
        if number:
            windows.append(window)
            pictures.append(picture)
    return windows, pictures, early


def measure_dragging(
    display: str, home: Path, minutes: float, rate: float
) -> tuple[list[float], list[float], int]:
    """Return times in minutes and resident memory in MB while particles are dragged."""
    studio = Studio(display, home, rate)
    studio.wait_for("picture_shown")
    begin, every = time.monotonic(), max(0.5, min(5.0, minutes * 60.0 / 20.0))
    times: list[float] = []
    sizes: list[float] = []
    while (now := (time.monotonic() - begin) / 60.0) < minutes:
        times.append(now)
        sizes.append(studio.rss_mb())
        if len(times) % 12 == 1:
            print(f"{now:5.1f} min: {sizes[-1]:.0f} MB", flush=True)
        time.sleep(every)
    painted = sum(studio.count(f"{tier}_painted") for tier in ("preview", "draft", "exact"))
    studio.end()
    return times, sizes, painted


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return {"cpu": model or platform.processor(), "cores": os.cpu_count(), "load": os.getloadavg()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of dragging")
    parser.add_argument("--starts", type=int, default=5, help="starts that count")
    parser.add_argument("--rate", type=float, default=60.0, help="mouse moves per second")
    parser.add_argument("--studio", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.studio is not None:
        sys.exit(studio(options.studio))
    with virtual_screen() as display, tempfile.TemporaryDirectory() as folder:
        windows, pictures, early = measure_starts(display, Path(folder), options.starts)
        times, sizes, painted = measure_dragging(
            display, Path(folder), options.minutes, options.rate
        )
    half = len(times) // 2
    if painted == 0:
        sys.exit("no picture was painted while dragging: the figures would mean nothing")
    figures = {
        "window_ms": round(statistics.median(windows)),
        "first_picture_ms": round(statistics.median(pictures)),
        "torch_before_window": early,
        "rss_mb": round(sizes[-1], 1),
        "rss_slope_mb_per_10min": round(10.0 * slope(times[half:], sizes[half:]), 2),
        "minutes": options.minutes,
        "pictures_painted": painted,
        "machine": machine(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
