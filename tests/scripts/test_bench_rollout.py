"""The roll-out benchmark prints one JSON object that says what was timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import bench_rollout

    return bench_rollout


def test_it_times_fifteen_particles(bench, monkeypatch: pytest.MonkeyPatch, capsys):
    words = ["bench_rollout.py", "--steps", "2", "--rounds", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", words)
    bench.main()
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["particles"] == 15
    assert figures["image_size"] == [128, 128]
    per_frame_ms = figures["predict_ms"] + figures["decode_ms"]
    assert figures["frames_per_s"] == pytest.approx(1000.0 / per_frame_ms, rel=0.05)
