"""The shipped faces: landmarks lie where parts of faces are, and move what is near them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpcore.checkpoint import load, read_manifest
from kpcore.evaluation import protocols
from kpcore.evaluation.protocols.landmarks import LandmarkOptions, run

PATH = Path(__file__).parents[2] / "resources" / "checkpoints" / "lmdis.safetensors"


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert PATH.stat().st_size < 8_000_000
    manifest = read_manifest(PATH)
    assert str(manifest.card["command"]).startswith("kp train lmdis --preset cartoon")
    card = PATH.with_suffix(".md").read_text()
    figures = manifest.card["figures"]
    assert figures["landmarks"]["error"] < 4.0
    assert figures["locality"]["ratio"] > 4.5
    assert figures["locality"]["psnr_db"] > 23.5
    assert f"{figures['landmarks']['error']:.2f}" in card


def test_landmarks_tell_where_eyes_nose_and_mouth_are() -> None:
    report = run(protocols.Subject(load(PATH), PATH, "cartoon-faces"), LandmarkOptions(pictures=64))
    error, grid = report.facts["error"], report.facts["error_of_fixed_grid"]
    assert isinstance(error, float)
    assert error == pytest.approx(3.0, abs=2.0)
    assert isinstance(grid, float)
    assert error < 0.3 * grid
