"""Every family, in its tiny preset, lowers its loss on procedural scenes through `kp train`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpcore import registry
from kpcore.cli import main
from kpcore.registry import FAMILIES
from kpcore.training.events import Finished, Validation, read_events


def train(family: str, folder: Path, *more: str, data: str = "shapes") -> int:
    """Train the tiny preset on procedural scenes; return the exit status."""
    words = ["train", family, "--data", data, "--preset", "tiny", "--device", "cpu"]
    return main([*words, "--threads", "1", "--out", str(folder), *more])


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", FAMILIES)
def test_held_out_loss_falls(tmp_path: Path, family: str):
    if "renderer" in registry.get(family).needs:
        # What is to be predicted has to move, and to be seen.
        more = ("--steps", "400", "--batch", "8", "--pool", "640")
        assert train("dlp-compact", tmp_path / "seen", *more, data="bouncing") == 0
        renderer = str(tmp_path / "seen" / "model.safetensors")
        more = ("--renderer", renderer, "--steps", "100", "--batch", "16")
        assert train(family, tmp_path / "run", *more, data="bouncing") == 0
    else:
        more = ("--steps", "40", "--batch", "8", "--pool", "512")
        assert train(family, tmp_path / "run", *more) == 0
    told, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert isinstance(told[-1], Finished)
    first, *_, last = (event for event in told if isinstance(event, Validation))
    assert last.loss < first.loss
    assert last.psnr_db > first.psnr_db
