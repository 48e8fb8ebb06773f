from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kpcore import checkpoint
from kpcore.api import KeypointModel
from kpcore.configuration import to_plain
from kpcore.errors import TrainingError
from kpcore.training import snapshots
from kpcore.training.config import Optimisation
from kpcore.training.optimisers import Kept, optimiser_of
from kpcore.training.snapshots import Pointers, RunFiles, Standing, half_type


@pytest.fixture
def model(toy: ModuleType) -> KeypointModel:
    return toy.Toy(toy.ToyConfig())


def _manifest(toy: ModuleType, step: int) -> checkpoint.Manifest:
    return checkpoint.Manifest("toy", to_plain(toy.ToyConfig()), step=step)


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def test_weights_of_snapshots_are_thinned_evenly(
    tmp_path: Path, toy: ModuleType, model: KeypointModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(snapshots, "WEIGHTS_KEPT", 5)
    files = RunFiles(tmp_path)
    for step in range(0, 101, 10):
        files.write_snapshot(b"pictures", model, _manifest(toy, step))
    steps = sorted(snapshots.step_of(path) for path in tmp_path.glob("snapshots/*.safetensors"))
    assert len(steps) == 5
    assert (steps[0], steps[-1]) == (0, 100)
    assert max(b - a for a, b in pairwise(steps)) <= 40
    assert len(_names(tmp_path / "snapshots", "*.npz")) == 11


def test_a_snapshot_opens_like_any_checkpoint(
    tmp_path: Path, toy: ModuleType, model: KeypointModel
):
    _, weights = RunFiles(tmp_path).write_snapshot(b"", model, _manifest(toy, 3))
    opened = checkpoint.load(tmp_path / weights)
    image = torch.rand(2, 3, 16, 16)
    want = model.eval().encode(image).latents.position
    assert torch.allclose(opened.encode(image).latents.position, want, atol=1e-2)


def test_half_type_holds_large_weights(model: KeypointModel):
    assert half_type(model) == torch.float16
    model.get_buffer("see.1.running_var").fill_(1e6)
    assert half_type(model) == torch.bfloat16


def test_last_two_checkpoints_and_the_best_are_kept(
    tmp_path: Path, toy: ModuleType, model: KeypointModel
):
    files = RunFiles(tmp_path)
    phase = toy.phases(model, toy.ToyConfig())[0]
    kept = Kept([optimiser_of(phase, Optimisation(1, 1, 0.1))], [{}])
    for step, psnr in ((1, None), (2, 20.0), (3, None), (4, None), (5, None)):
        files.write_checkpoint(model, _manifest(toy, step), kept, Standing(step), psnr)
    assert files.pointers == Pointers("step_00000005", "step_00000002", 20.0)
    stems = ("step_00000002", "step_00000004", "step_00000005")
    want = sorted(
        f"{stem}{end}" for stem in stems for end in (".safetensors", ".state.safetensors")
    )
    assert _names(tmp_path / "checkpoints", "*.safetensors") == want


def test_damaged_pointers_fall_back_to_the_newest_whole_checkpoint(
    tmp_path: Path, toy: ModuleType, model: KeypointModel
):
    files = RunFiles(tmp_path)
    phase = toy.phases(model, toy.ToyConfig())[0]
    kept = Kept([optimiser_of(phase, Optimisation(1, 1, 0.1))], [{}])
    for step in (1, 2):
        files.write_checkpoint(model, _manifest(toy, step), kept, Standing(step), None)
    (tmp_path / "checkpoints" / "pointers.json").write_text("{")
    (tmp_path / "checkpoints" / "step_00000002.safetensors").unlink()
    assert files.pointers.last == "step_00000001"


def test_a_damaged_state_is_said(tmp_path: Path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step_00000001.state.safetensors").write_bytes(b"x" * 30)
    with pytest.raises(TrainingError, match="step_00000001"):
        RunFiles(tmp_path).read_state("step_00000001")
