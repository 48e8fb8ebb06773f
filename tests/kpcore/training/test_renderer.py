"""Runs of a family that contains a trained model: one file holds both."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kpcore import checkpoint, registry
from kpcore.cli import main
from kpcore.configuration import to_plain
from kpcore.data import latent_cache
from kpcore.errors import CheckpointError, DataError, InputError
from kpcore.models.dlp_gcn.model import DLPGCN
from kpcore.training import launch
from kpcore.training.config import DataChoice, TrainRequest
from kpcore.training.encoded import EncodedSource
from kpcore.training.events import Snapshot, Validation, read_events
from kpcore.training.trainer import Trainer


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tiny model of particles."""
    torch.manual_seed(0)
    family = registry.get("dlp-compact")
    config = family.presets["tiny"].config
    path = tmp_path_factory.mktemp("renderer") / "dlp.safetensors"
    checkpoint.save(path, family.build(config), checkpoint.Manifest(family.name, to_plain(config)))
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "latents"
    monkeypatch.setattr(latent_cache, "default_folder", lambda: folder)
    return folder


def request(renderer: Path | str, **changes: object) -> TrainRequest:
    plain: dict[str, object] = {
        "family": "dlp-gcn",
        "preset": "tiny",
        "data": DataChoice("bouncing", pool=64),
        "steps": 6,
        "batch": 4,
        "device": "cpu",
        "threads": 1,
        "checkpoint_every": 3,
        "snapshot_every": 3,
        "renderer": str(renderer),
    }
    return TrainRequest(**{**plain, **changes})  # type: ignore[arg-type]


def test_one_file_holds_both_models_and_opens_alone(tmp_path: Path, renderer: Path):
    own = tmp_path / "own.safetensors"
    shutil.copy(renderer, own)
    Trainer(launch.start(request(own), tmp_path / "run")).fit()
    own.unlink()
    model = checkpoint.load(tmp_path / "run" / "model.safetensors")
    assert isinstance(model, DLPGCN)
    assert model.manifest.contains["renderer"]["family"] == "dlp-compact"
    assert model.renderer.manifest.family == "dlp-compact"
    kept, was = model.renderer.state_dict(), load_file(renderer)
    assert all(torch.equal(kept[name], was[name]) for name in was), "frozen"
    told, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert [event for event in told if isinstance(event, Validation)]
    snapshot = [event for event in told if isinstance(event, Snapshot)][-1]
    assert checkpoint.load(tmp_path / "run" / snapshot.weights).capabilities.video_history == 2


@pytest.mark.parametrize("pool", [0, 64])
def test_a_resumed_run_equals_a_straight_one_bit_for_bit(tmp_path: Path, renderer: Path, pool: int):
    asked = request(renderer, data=DataChoice("bouncing", pool=pool))
    Trainer(launch.start(asked, tmp_path / "straight")).fit()
    Trainer(launch.start(replace(asked, steps=3), tmp_path / "parts")).fit()
    Trainer(launch.resume(tmp_path / "parts", steps=6)).fit()
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("straight", "parts"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_clips_are_encoded_once(
    tmp_path: Path, renderer: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    job = launch.start(request(renderer), tmp_path / "one")
    assert isinstance(job.source, EncodedSource)
    latents = job.source.latents([0, 5])
    found = job.model.encode(job.source.windows([0, 5])[:, 1].float() / 255.0).latents
    assert latents.position.shape == (2, 4, 4, 2)
    torch.testing.assert_close(latents.position[:, 1], found.position)
    (file,) = cache.iterdir()

    encoded: list[int] = []
    family = registry.get("dlp-compact")
    inner = type(family.build(family.presets["tiny"].config))
    plain = inner.encode
    monkeypatch.setattr(inner, "encode", lambda *a: encoded.append(len(a[1])) or plain(*a))
    launch.start(request(renderer), tmp_path / "two")
    assert sum(encoded) == 1, "one frame, to see what there is"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    again = launch.start(request(renderer), tmp_path / "three")
    assert sum(encoded) == 1 + 1 + 64
    assert isinstance(again.source, EncodedSource)
    assert again.source.latents([0, 5]).equals(latents)


def test_another_renderer_finds_nothing_kept(tmp_path: Path, renderer: Path, cache: Path):
    launch.start(request(renderer), tmp_path / "one")
    model = checkpoint.load(renderer)
    with torch.no_grad():
        next(model.parameters()).add_(0.01)
    other = tmp_path / "other.safetensors"
    checkpoint.save(other, model, model.manifest)
    launch.start(request(other), tmp_path / "two")
    assert len(list(cache.iterdir())) == 2


# -- what cannot be a renderer ---------------------------------------------------------------------
def test_a_renderer_must_be_named(tmp_path: Path, renderer: Path):
    with pytest.raises(InputError, match=r"give its checkpoint with --renderer"):
        launch.start(request(""), tmp_path / "run")
    with pytest.raises(InputError, match=r"contains no renderer; leave out --renderer"):
        launch.start(request(renderer, family="dlp-compact"), tmp_path / "run")


def test_a_missing_renderer(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"cannot read .*gone\.safetensors"):
        launch.start(request(tmp_path / "gone.safetensors"), tmp_path / "run")


def test_a_foreign_renderer(tmp_path: Path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="without a Keypoint Studio manifest"):
        launch.start(request(path), tmp_path / "run")


def test_a_predictor_is_no_renderer(tmp_path: Path, renderer: Path):
    Trainer(launch.start(request(renderer, steps=1), tmp_path / "run")).fit()
    with pytest.raises(CheckpointError, match=r"is a video model \(dlp-gcn\)"):
        launch.start(request(tmp_path / "run" / "model.safetensors"), tmp_path / "next")


def test_a_predictor_without_its_renderer_is_one_sentence(tmp_path: Path, renderer: Path):
    Trainer(launch.start(request(renderer, steps=1), tmp_path / "run")).fit()
    path = tmp_path / "run" / "model.safetensors"
    manifest = replace(checkpoint.read_manifest(path), contains={})
    save_file(load_file(path), path, {"keypoint_studio": json.dumps(to_plain(manifest))})
    with pytest.raises(CheckpointError, match=r"without its renderer; train it again") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)


def test_data_without_clips(tmp_path: Path, renderer: Path):
    from PIL import Image

    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    asked = request(renderer, data=DataChoice(str(tmp_path / "a.png"), held_out="0"))
    with pytest.raises(DataError, match=r"4 successive frames .*longest clip .*has 1"):
        launch.start(asked, tmp_path / "run")


def test_the_command_line_takes_a_renderer(tmp_path: Path, renderer: Path):
    words = ["train", "dlp-gcn", "--renderer", str(renderer), "--data", "bouncing", "--pool", "64"]
    words += ["--preset", "tiny", "--steps", "2", "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    assert main(["info", str(tmp_path / "run" / "model.safetensors")]) == 0
