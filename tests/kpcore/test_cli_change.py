"""The same weights under another configuration: `kp change` and `kp encode --set`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore import checkpoint, registry
from kpcore.checkpoint import Manifest
from kpcore.cli import main
from kpcore.configuration import to_plain
from kpcore.data.export import save_picture


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A checkpoint of a family that finds any number of keypoints."""
    torch.manual_seed(0)
    config = registry.get("tusk").presets["tiny"].config
    path = tmp_path / "tusk.safetensors"
    model = registry.get("tusk").build(config)
    checkpoint.save(path, model, Manifest("tusk", to_plain(config), step=7, card={"seed": 1}))
    return path


def test_a_changed_checkpoint_finds_more_and_keeps_the_rest(saved: Path, tmp_path: Path):
    out = tmp_path / "more.safetensors"
    assert main(["change", str(saved), "--set", "keypoints=7", "-o", str(out)]) == 0
    before, after = checkpoint.load(saved), checkpoint.load(out)
    assert (before.capabilities.particles, after.capabilities.particles) == (4, 7)
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name])
    manifest = checkpoint.read_manifest(out)
    assert manifest.config["keypoints"] == 7
    assert (manifest.step, manifest.card) == (7, {"seed": 1})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "keypoint=7"], "Did you mean 'keypoints'"),
        (["--set", "keypoints=many"], "keypoints"),
        (["--set", "width=16"], "do not fit its configuration"),
        ([], "--set"),
    ],
)
def test_changes_that_mean_nothing_or_do_not_fit_are_refused(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    out = tmp_path / "more.safetensors"
    assert main(["change", str(saved), *words, "-o", str(out)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_encode_takes_changes(saved: Path, tmp_path: Path):
    picture = tmp_path / "picture.png"
    save_picture(picture, np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    out = tmp_path / "out.npz"
    words = ["encode", str(saved), str(picture), "-o", str(out), "--set", "keypoints=6"]
    assert main([*words, "--device", "cpu"]) == 0
    with np.load(out) as arrays:
        assert arrays["position"].shape[-2:] == (6, 2)
