"""The shipped keypoint models are what their cards say, and their points move what they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from kpcore.checkpoint import load, read_manifest
from kpcore.data.synthetic import SCENES
from kpcore.evaluation import locality

RESOURCES = Path(__file__).parents[2] / "resources"
NAMES = ("transporter", "keynet", "keypoint-pyramids")
STREAM = 2_000_003
"""No training uses it; the sample clip is of it too."""


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_says_how_it_was_made(name: str) -> None:
    path = RESOURCES / "checkpoints" / f"{name}.safetensors"
    assert path.stat().st_size < 8_000_000
    manifest = read_manifest(path)
    assert manifest.data["source"] in {"tabletop", "tabletop-rearranged"}
    command = str(manifest.card["command"])
    assert command.startswith(f"kp train {name} ")
    assert f"--data {manifest.data['source']} " in command
    assert {"seed", "steps", "wall_minutes", "machine", "figures"} <= manifest.card.keys()
    card = path.with_suffix(".md").read_text()
    assert command in card
    figures = manifest.card["figures"]["locality"]
    assert f"{figures['psnr_db']:.2f}" in card
    assert f"{figures['ratio']:.2f}" in card


@pytest.mark.parametrize(("name", "psnr_db"), [("transporter", 33.0), ("keynet", 40.0),
                                                 ("keypoint-pyramids", 36.0)])  # fmt: skip
def test_pictures_never_trained_on_agree_with_the_card(name: str, psnr_db: float) -> None:
    model = load(RESOURCES / "checkpoints" / f"{name}.safetensors")
    drawn = [SCENES["tabletop"].sample(STREAM, index, 64).image for index in range(8)]
    figures = locality.measure(model, torch.from_numpy(np.stack(drawn)))
    assert figures.psnr_db > psnr_db
    assert figures.ratio > 50.0


@pytest.mark.parametrize("name", ["transporter", "keypoint-pyramids"])
def test_a_dragged_keypoint_takes_its_toy_along(name: str) -> None:
    """The point on the block, with its family: blue leaves the old place, comes to the new."""
    model = load(RESOURCES / "checkpoints" / f"{name}.safetensors")
    scenes = SCENES["tabletop"]
    moved = 0
    for index in range(8):
        block = torch.from_numpy(scenes.landmarks(STREAM, index)[0, 5])
        image = torch.from_numpy(scenes.sample(STREAM, index, 64).image)[None]
        with torch.inference_mode():
            encoding = model.encode(image)
            place, parents = encoding.latents.position[0], encoding.latents.topology.parent
            nearest = int((place - block).norm(dim=-1).argmin())
            head = nearest if parents[nearest] < 0 else parents[nearest]
            rows = [head, *(row for row, parent in enumerate(parents) if parent == head)]
            way = torch.tensor([0.4 if block[0] < 0 else -0.4, 0.0])
            there = (place[rows] + way).tolist()
            latents = encoding.latents.with_rows("position", rows, there)
            before = model.decode(encoding.latents, encoding.context).image[0]
            after = model.decode(latents, encoding.context).image[0]
        new = blueness(after, block + way) - blueness(before, block + way)
        old = blueness(after, block) - blueness(before, block)
        moved += new > 0.1 and old < -0.1
    assert moved >= 6


def blueness(picture: torch.Tensor, at: torch.Tensor) -> float:
    """Blue over red in the 5 x 5 pixels round a place."""
    column, row = (int(v) for v in ((at + 1.0) * 32.0).clamp(3, 60))
    part = picture[:, row - 2 : row + 3, column - 2 : column + 3].mean((1, 2))
    return float(part[2] - part[0])


@pytest.mark.parametrize(("name", "least", "idle"), [("keynet", 40.0, 1),
                                                     ("keypoint-pyramids", 40.0, 0)])  # fmt: skip
def test_dragged_keypoints_change_the_picture(name: str, least: float, idle: int) -> None:
    """How far any pixel changes, of 255, where a keypoint is dragged with what hangs on it."""
    model = load(RESOURCES / "checkpoints" / f"{name}.safetensors")
    drawn = [SCENES["tabletop"].sample(STREAM, index, 64).image for index in range(6)]
    weak = 0
    with torch.inference_mode():
        encoding = model.encode(torch.from_numpy(np.stack(drawn)))
        latents = encoding.latents
        before = model.decode(latents, encoding.context).image
        parents = latents.topology.parent
        for row in range(latents.position.shape[1]):
            rows = [row, *(child for child, parent in enumerate(parents) if parent == row)]
            position = latents.position.clone()
            position[:, rows] += torch.tensor([0.2, 0.15])
            moved = replace(latents, position=position)
            after = model.decode(moved, encoding.context).image
            weak += float((after - before).abs().amax((1, 2, 3)).mean()) * 255.0 < least
    assert weak <= idle


def test_the_sample_clip_shows_the_table_at_work() -> None:
    frames = iio.imread(RESOURCES / "samples" / "tabletop-clip.mp4", plugin="pyav")
    assert frames.shape == (120, 128, 128, 3)
    assert np.abs(np.diff(frames[:3].astype(int), axis=0)).max() > 20
