"""Every family, in its tiny preset, lowers its loss on procedural scenes through `kp train`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpcore.cli import main
from kpcore.registry import FAMILIES
from kpcore.training.events import Finished, Validation, read_events


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_held_out_loss_falls(tmp_path: Path, family: str):
    words = ["train", family, "--data", "shapes", "--preset", "tiny", "--steps", "40"]
    words += ["--batch", "8", "--device", "cpu", "--threads", "1", "--out", str(tmp_path / "run")]
    assert main([*words, "--pool", "64"]) == 0
    told, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert isinstance(told[-1], Finished)
    first, *_, last = (event for event in told if isinstance(event, Validation))
    assert last.loss < first.loss
    assert last.psnr_db > first.psnr_db
