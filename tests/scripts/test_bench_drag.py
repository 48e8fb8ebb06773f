from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_drag.py"


@pytest.mark.xvfb
@pytest.mark.slow
def test_the_drag_benchmark_drags_in_a_real_window() -> None:
    options = ["--preset", "tiny", "--moves", "40", "--slow-moves", "10", "--slow-decoder-ms", "30"]
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
    assert 30 <= figures["moves"] <= 40  # moves that the release overtakes are not counted
    assert 1 <= figures["decoded"] <= 40
    assert 0 < figures["preview_p50_ms"] <= figures["preview_p95_ms"]
    assert 0 < figures["decode_p50_ms"] <= figures["decode_p95_ms"]
    assert figures["settled_p95_ms"] >= figures["preview_p50_ms"]
    assert figures["ui_tick_p95_ms"] > 0
    assert figures["machine"]["cores"] >= 1
