"""The studio in a real X window, started as a user starts it and dragged by mouse events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.xvfb
@pytest.mark.slow
def test_the_real_window_starts_and_paints_while_it_is_dragged():
    command = [sys.executable, "scripts/bench_start.py", "--starts", "1", "--minutes", "0.05"]
    environment = {name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert 0 < figures["window_ms"] < figures["first_picture_ms"]
    assert figures["torch_before_window"] is False
    assert figures["rss_mb"] > 50
    assert figures["pictures_painted"] > 10
    assert "Traceback" not in done.stderr
