"""The shipped predictor is what its card says; scripts/eval_prediction.py measures it in full."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from kpcore.api import VideoPredictor
from kpcore.checkpoint import load, read_manifest
from kpcore.data.synthetic import SCENES
from kpcore.evaluation.baselines import ConstantVelocity
from kpcore.evaluation.episodes import TEST_SEED, procedural_episodes
from kpcore.evaluation.forecast import CopyLast, RollOut
from kpcore.evaluation.prediction import measure

RESOURCES = Path(__file__).parents[2] / "resources"
PREDICTOR = RESOURCES / "checkpoints" / "demo-predictor.safetensors"
CLIP = RESOURCES / "samples" / "traffic-long.mp4"


def test_it_is_small_holds_its_renderer_and_says_how_it_was_made() -> None:
    assert PREDICTOR.stat().st_size < 8_000_000
    manifest = read_manifest(PREDICTOR)
    renderer = read_manifest(RESOURCES / "checkpoints" / "demo.safetensors")
    assert manifest.family == "dlp-gcn"
    assert manifest.contains["renderer"]["config"] == renderer.config
    assert manifest.data["source"] == "traffic"
    assert manifest.data["options"]["seed"] != TEST_SEED
    command = str(manifest.card["command"])
    assert command.startswith("kp train dlp-gcn --renderer resources/checkpoints/demo.safetensors")
    assert {"seed", "steps", "wall_minutes", "machine", "figures"} <= manifest.card.keys()
    assert command in PREDICTOR.with_suffix(".md").read_text()


def test_its_recorded_figures_reach_the_bars() -> None:
    figures = read_manifest(PREDICTOR).card["figures"]["prediction"]
    assert figures["steps"] == 30
    assert figures["clips"] >= 32
    assert not [step for step in figures["lost_to_copy_at"] if step >= 2]
    assert not [step for step in figures["lost_to_velocity_at"] if step >= 10]


@pytest.mark.slow
def test_a_few_clips_agree_with_them() -> None:
    model = load(PREDICTOR)
    assert isinstance(model, VideoPredictor)
    forecasters = [
        RollOut(model, "ours"),
        CopyLast(model.renderer),
        RollOut(ConstantVelocity(model.renderer), "velocity"),
    ]
    episodes = procedural_episodes("traffic", 128, 22, 10)
    figures = measure(forecasters, episodes, 20, ceiling=model.renderer)
    ours, copy, velocity = (figures.of(f.name) for f in forecasters)
    assert np.greater(ours.psnr_db[1:], copy.psnr_db[1:]).all()
    assert np.mean(ours.psnr_db[9:]) > np.mean(velocity.psnr_db[9:])
    assert ours.track_px is not None
    assert copy.track_px is not None
    assert np.less(ours.track_px[1:], np.multiply(copy.track_px[1:], 0.7)).all()


def test_the_sample_clip_is_long_small_and_that_of_its_stream() -> None:
    assert CLIP.stat().st_size < 400_000
    frames = iio.imread(CLIP, plugin="pyav")
    assert frames.shape == (300, 128, 128, 3)
    first = SCENES["traffic"].sample(2_000_003, 7, 128).image.transpose(1, 2, 0) * 255.0
    assert np.abs(frames[0] - first).mean() < 4.0
