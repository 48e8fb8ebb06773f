"""The shipped model of digits is what its card says, on other digits than it learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kpcore.checkpoint import load, read_manifest
from kpcore.data.synthetic import find_scenes
from kpcore.evaluation.mnist_hard import matched

PATH = Path(__file__).parents[2] / "resources" / "checkpoints" / "tusk.safetensors"
STREAM = 2_000_003
"""Of printed digits; the model learned from written ones."""
SHARP_DB = 16.0


def _scenes(count: int) -> tuple[list, torch.Tensor]:
    source = find_scenes("mnist-hard")
    scenes = [source.sample(STREAM, index, 80) for index in range(count)]
    return scenes, torch.from_numpy(np.stack([scene.image for scene in scenes]))


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert PATH.stat().st_size < 8_000_000
    manifest = read_manifest(PATH)
    assert str(manifest.card["command"]).startswith("kp train tusk --data mnist-hard:")
    card = PATH.with_suffix(".md").read_text()
    assert str(manifest.card["command"]) in card
    local = manifest.card["figures"]["locality"]
    assert f"{local['psnr_db']:.2f}" in card
    assert local["ratio"] > 50.0
    assert f"{local['ratio']:.2f}" in card
    figures = manifest.card["figures"]["digits"]
    assert figures["percent"]["localisation"] >= 97.0
    for value in figures["percent"].values():
        assert f"{value:.2f}" in card


@torch.inference_mode()
def test_each_digit_has_a_keypoint_and_is_drawn() -> None:
    model = load(PATH)
    scenes, image = _scenes(48)
    latents = model.encode(image).latents
    places = latents.position.numpy()
    found = [
        (matched(place, scene.position) >= 0).mean()
        for place, scene in zip(places, scenes, strict=True)
    ]
    assert np.mean(found) > 0.97
    error = (model.decode(latents).image - image).square().mean()
    assert -10.0 * float(error.log10()) > SHARP_DB


@torch.inference_mode()
def test_a_digit_that_is_moved_leaves_its_place_and_the_others() -> None:
    model = load(PATH)
    _, image = _scenes(24)
    latents = model.encode(image).latents
    position = latents.position.clone()
    position[:, 0] = 0.0
    before = model.decode(latents).image.mean(1)
    after = model.decode(replace(latents, position=position)).image.mean(1)
    pixel = (torch.arange(80) + 0.5) / 40.0 - 1.0
    plane = torch.stack(torch.meshgrid(pixel, pixel, indexing="xy"), dim=-1)
    old, new, others = (
        (plane - place[:, :, None, None]).abs().amax(-1) < 0.25
        for place in (latents.position[:, :1], position[:, :1], latents.position[:, 1:])
    )
    changed = (after - before).abs()
    left = old[:, 0] & ~new[:, 0] & ~others.any(1)
    assert after[left].mean() < 0.25 * before[left].mean()
    elsewhere = ~(old | new)[:, 0]
    assert changed[elsewhere].mean() < 0.05 * changed[~elsewhere].mean()
