from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from kpcore import checkpoint
from kpcore.checkpoint import Manifest
from kpcore.errors import CheckpointError, DeviceError


@pytest.fixture
def written(tmp_path: Path, toy: ModuleType) -> Path:
    """A good checkpoint, in a folder whose name is not ASCII."""
    torch.manual_seed(0)
    path = tmp_path / "modèles 模型" / "toy.safetensors"
    manifest = Manifest("toy", {"particles": 3}, step=7, data={"source": "x"}, card={"seed": 1})
    checkpoint.save(path, toy.Toy(toy.ToyConfig()), manifest)
    return path


def _with_manifest(path: Path, **changes: object) -> Path:
    """Rewrite a checkpoint with another manifest."""
    blob = path.read_bytes()
    size = struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8 : 8 + size])
    manifest = json.loads(header["__metadata__"]["keypoint_studio"])
    header["__metadata__"]["keypoint_studio"] = json.dumps({**manifest, **changes})
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob[8 + size :])
    return path


def test_what_is_saved_is_loaded(written: Path, toy: ModuleType):
    model = checkpoint.load(written)
    torch.manual_seed(0)
    same = toy.Toy(toy.ToyConfig()).state_dict()
    assert all(torch.equal(same[name], value) for name, value in model.state_dict().items())
    assert not model.training
    assert model.manifest == checkpoint.read_manifest(written)
    assert (model.manifest.step, model.manifest.card) == (7, {"seed": 1})
    assert checkpoint.read_shapes(written)["paint.bias"] == (768,)


def test_saving_leaves_nothing_beside_the_file(written: Path):
    assert os.listdir(written.parent) == [written.name]


def test_half_precision_loads_as_float32(tmp_path: Path, toy: ModuleType):
    model = toy.Toy(toy.ToyConfig())
    path = tmp_path / "half.safetensors"
    checkpoint.save(path, model, Manifest("toy", {"particles": 3}), torch.float16)
    state = checkpoint.load(path).state_dict()
    assert state["paint.weight"].dtype == torch.float32
    assert state["see.1.num_batches_tracked"].dtype == torch.int64
    assert torch.allclose(state["paint.weight"], model.paint.weight, atol=1e-3)


class _Trap:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("kind", ["plain", "zip"])
def test_code_in_a_pickle_never_runs(tmp_path: Path, kind: str):
    trap, path = tmp_path / "ran", tmp_path / "model.pth"
    if kind == "plain":
        path.write_bytes(pickle.dumps(_Trap(trap)))
    else:
        torch.save(_Trap(trap), path)
    with pytest.raises(CheckpointError, match=r"pickle.*kp import"):
        checkpoint.load(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "content", [b"", b"x", b"hello world, not a model", b"\x10" * 7, b"\0" * 64]
)
def test_what_is_not_a_checkpoint(tmp_path: Path, content: bytes):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"'a\.safetensors' is not a checkpoint"):
        checkpoint.load(path)


def test_headers_that_lie(tmp_path: Path):
    for header in (
        b"[]",
        b"{}  ",
        b'{"a": 3}',
        b'{"a": {"data_offsets": [0, "x"]}}',
        b"[" * 90_000,
    ):
        path = tmp_path / "a.safetensors"
        path.write_bytes(struct.pack("<Q", len(header)) + header)
        with pytest.raises(CheckpointError, match=r"a\.safetensors"):
            checkpoint.load(path)


def test_missing_files_and_folders(tmp_path: Path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match="cannot read"):
            checkpoint.read_manifest(path)


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.05])
def test_cut_short(written: Path, kept: float):
    blob = written.read_bytes()
    written.write_bytes(blob[: int(len(blob) * kept)])
    with pytest.raises(CheckpointError, match=r"cut short|not a checkpoint"):
        checkpoint.load(written)


def test_safetensors_of_others(tmp_path: Path):
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="without a Keypoint Studio manifest"):
        checkpoint.load(tmp_path / "other.safetensors")


def test_foreign_family_names_the_nearest(written: Path):
    with pytest.raises(CheckpointError, match=r"family 'toyy'; known: .*Did you mean 'toy'"):
        checkpoint.load(_with_manifest(written, family="toyy"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {"particle": 3}}, "no field 'particle'.*Did you mean 'particles'"),
        ({"config": {"particles": "many"}}, "not a valid ToyConfig"),
        ({"config": {"particles": -1}}, "makes no toy model"),
        ({"config": {"particles": 4}}, "do not fit its configuration: 'p.*has shape"),
        ({"config": [1]}, "damaged"),
        ({"step": "x"}, "damaged"),
        ({"surprise": 1}, "damaged.*surprise"),
        ({"format": 99}, "format 99.*update"),
    ],
)
def test_damaged_manifests(written: Path, changes: dict[str, object], said: str):
    with pytest.raises(CheckpointError, match=said):
        checkpoint.load(_with_manifest(written, **changes))


def test_nan_weights_are_refused(tmp_path: Path, toy: ModuleType):
    model = toy.Toy(toy.ToyConfig())
    model.paint.bias.data[3] = float("nan")
    checkpoint.save(tmp_path / "nan.safetensors", model, Manifest("toy", {}))
    with pytest.raises(CheckpointError, match=r"NaN or infinite weights in 'paint.bias'"):
        checkpoint.load(tmp_path / "nan.safetensors")


def test_a_read_only_or_full_place_keeps_the_old_file(
    written: Path, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    before = written.read_bytes()

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*No space left"):
        checkpoint.save(written, toy.Toy(toy.ToyConfig()), Manifest("toy", {}))
    assert written.read_bytes() == before
    assert os.listdir(written.parent) == [written.name]


def test_absent_devices(written: Path):
    with pytest.raises(DeviceError, match="cuda:99"):
        checkpoint.load(written, "cuda:99")
    with pytest.raises(DeviceError, match="'gpu' is not a device"):
        checkpoint.load(written, "gpu")


@pytest.mark.parametrize("length", [0x80, 0x0280, 0x4B50, 0x1080])
def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path, length):
    """The first bytes of a safetensors file are a length; 128 begins as a pickle does."""
    manifest = json.dumps({"family": "dlp-compact", "config": {}})
    table = {"__metadata__": {"keypoint_studio": manifest}}
    header = json.dumps(table).encode()
    table["__metadata__"]["pad"] = "x" * max(0, length - len(header) - 10)
    blob = json.dumps(table).encode().ljust(length)
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(blob)) + blob)
    if len(blob) == length:
        assert path.read_bytes()[:2] in (b"\x80\x00", b"\x80\x02", b"PK", b"\x80\x10")
    assert checkpoint.read_manifest(path).family == "dlp-compact"
