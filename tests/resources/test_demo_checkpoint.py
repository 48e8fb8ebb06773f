"""The shipped checkpoint is what its card says; scripts/eval_demo.py measures it in full."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from kpcore.checkpoint import load, read_manifest
from kpcore.data.synthetic import SCENES
from kpcore.evaluation.objects import TEST_SEED, measure

RESOURCES = Path(__file__).parents[2] / "resources"
DEMO = RESOURCES / "checkpoints" / "demo.safetensors"


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert DEMO.stat().st_size < 12_000_000
    manifest = read_manifest(DEMO)
    assert manifest.data["source"] == "traffic"
    assert manifest.data["options"]["seed"] != TEST_SEED
    command = str(manifest.card["command"])
    assert command.startswith("kp train dlp-compact --data traffic")
    assert "/" not in command
    assert {"seed", "steps", "wall_minutes", "machine", "figures"} <= manifest.card.keys()
    card = DEMO.with_suffix(".md").read_text()
    assert command in card
    for name, value in manifest.card["figures"].items():
        if name not in ("scenes", "seed", "offset_px"):
            assert f"| `{name}` | {value} |" in card


def test_its_recorded_figures_reach_the_bars() -> None:
    figures = read_manifest(DEMO).card["figures"]
    assert figures["scenes"] == 512
    assert figures["recall_3px"] >= 98.0
    assert figures["moved_within_1_5px"] >= 95.0
    assert figures["moved_strict"] >= 95.0
    assert figures["psnr_elsewhere_db"] >= 35.0
    assert figures["duplicates"] < 2.0
    assert figures["psnr_db"] >= 30.0


@pytest.mark.slow
def test_a_sample_of_scenes_agrees_with_them() -> None:
    recorded = read_manifest(DEMO).card["figures"]
    scenes = (SCENES["traffic"].sample(TEST_SEED, index, 128) for index in range(48))
    figures = measure(load(DEMO), scenes)
    assert figures.recall_3px >= recorded["recall_3px"] - 4.0
    assert figures.moved_strict >= recorded["moved_strict"] - 5.0
    assert figures.duplicates <= recorded["duplicates"] + 2.0
    assert figures.psnr_db == pytest.approx(recorded["psnr_db"], abs=1.0)
    assert figures.psnr_elsewhere_db >= 35.0


def test_the_samples_open_at_the_models_size() -> None:
    folder = RESOURCES / "samples"
    pictures = sorted(folder.glob("traffic-*.png"))
    assert 4 <= len(pictures) <= 6
    assert all(iio.imread(path).shape == (128, 128, 3) for path in pictures)
    clip = folder / "traffic-clip.mp4"
    assert clip.stat().st_size < 300_000
    frames = iio.imread(clip, plugin="pyav")
    assert frames.shape == (120, 128, 128, 3)
    assert np.abs(np.diff(frames[:2].astype(int), axis=0)).max() > 20
