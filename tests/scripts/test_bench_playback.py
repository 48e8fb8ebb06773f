from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_playback.py"


@pytest.mark.xvfb
@pytest.mark.slow
def test_the_playback_benchmark_plays_in_a_real_window() -> None:
    options = ["--frames", "45", "--side", "128", "--gop", "30", "--seeks", "20"]
    options += ["--scrubs", "6", "--seconds", "1"]
    hidden = ("DISPLAY", "QT_QPA_PLATFORM")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["frames"] == figures["frames_found"] == 45
    assert figures["seeks_equal"] == figures["seeks"] == 20
    assert figures["encoded_all"]
    assert figures["scrubs"] >= 3
    assert 0 < figures["scrub_p50_ms"] <= figures["scrub_p95_ms"]
    assert figures["shown"] > 0
    assert figures["playback_fps"] > 0
    assert figures["ui_tick_p95_ms"] > 0
    assert figures["close_s"] < 2.5
