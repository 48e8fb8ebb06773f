"""The shipped Tetrominoes model is what its card says: each piece has a keypoint of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kpcore.checkpoint import load, read_manifest
from kpcore.data.synthetic import SCENES
from kpcore.evaluation.segmentation import foreground_ari

PATH = Path(__file__).parents[2] / "resources" / "checkpoints" / "tusk-tetrominoes.safetensors"
STREAM = 2_000_003
"""No training uses it; the sample pictures are of it too."""


def test_it_is_small_and_says_how_it_was_made() -> None:
    assert PATH.stat().st_size < 8_000_000
    manifest = read_manifest(PATH)
    assert str(manifest.card["command"]).startswith("kp train tusk --data tetrominoes")
    card = PATH.with_suffix(".md").read_text()
    figures = manifest.card["figures"]["discovery"]["percent"]
    assert figures["foreground ARI"] >= 95.0
    for value in figures.values():
        assert str(value) in card


@torch.inference_mode()
def test_masks_of_pictures_never_trained_on_are_pieces() -> None:
    model = load(PATH)
    scenes = [SCENES["tetrominoes"].sample(STREAM, index, 64) for index in range(48)]
    image = torch.from_numpy(np.stack([scene.image for scene in scenes]))
    latents = model.encode(image).latents
    alphas = model.decode(latents).alphas
    assert alphas is not None
    seen = [
        foreground_ari(scene.mask, alpha.numpy())
        for scene, alpha in zip(scenes, alphas, strict=True)
    ]
    assert np.mean([index for index in seen if index is not None]) > 0.9


@torch.inference_mode()
def test_a_deleted_keypoint_takes_its_piece_along_and_no_other() -> None:
    model = load(PATH)
    clean = 0
    for index in range(12):
        scene = SCENES["tetrominoes"].sample(STREAM, index, 64)
        latents = model.encode(torch.from_numpy(scene.image)[None]).latents
        place = latents.position[0].numpy()
        piece = int(np.linalg.norm(scene.position - place[0], axis=-1).argmin())
        left = model.decode(latents.select([1, 2])).image[0].amax(0).numpy()
        others = np.delete(np.arange(3), piece)
        clean += left[scene.mask[piece]].mean() < 0.2 and all(
            left[scene.mask[other]].mean() > 0.6 for other in others
        )
    assert clean >= 10
