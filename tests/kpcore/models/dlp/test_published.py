"""Reading published checkpoints: what is inferred, and what is refused."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import pytest
import torch

from kpcore import checkpoint
from kpcore.checkpoint import Manifest
from kpcore.configuration import to_plain
from kpcore.errors import CheckpointError
from kpcore.models.dlp.config import MaskedConfig, ObjectConfig
from kpcore.models.dlp.published import Unsaid, import_checkpoint, read_published

_SPEC = importlib.util.spec_from_file_location(
    "published_dlp", Path(__file__).parents[3] / "reference" / "published_dlp.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
published = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(published)


@pytest.fixture(scope="module")
def shapes_state():
    return published.weights("shapes")


def stored(tmp_path: Path, state: object) -> Path:
    path = tmp_path / "published.pth"
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("case", "want"),
    [
        ("masked", MaskedConfig()),
        ("object", ObjectConfig()),
        (
            "shapes",
            ObjectConfig(
                image_size=64,
                particles=10,
                features=6,
                encoder_channels=(32, 64, 128),
                prior_patch_px=8,
            ),
        ),
    ],
)
def test_sizes_are_read_from_names_and_shapes(tmp_path, case, want):
    _, config, state = read_published(stored(tmp_path, published.weights(case)))
    assert config == want
    assert all(value.is_contiguous() for value in state.values())


def test_what_the_file_does_not_tell_is_taken_from_the_caller(tmp_path, shapes_state):
    path = stored(tmp_path, shapes_state)
    _, config, _ = read_published(path, Unsaid(sigma=0.2, prior_kept=9))
    assert (config.sigma, config.prior_kept) == (0.2, 9)


def test_an_imported_model_survives_our_own_format(tmp_path, shapes_state):
    family, config, model = import_checkpoint(stored(tmp_path, shapes_state))
    checkpoint.save(tmp_path / "ours.safetensors", model, Manifest(family, to_plain(config)))
    again = checkpoint.load(tmp_path / "ours.safetensors")
    image = published.picture("shapes").float()
    with torch.no_grad():
        a, b = model.encode(image), again.encode(image)
        assert a.latents.equals(b.latents)
        assert torch.equal(model.decode(a.latents).image, again.decode(b.latents).image)


def test_several_devices_leave_a_prefix_that_is_dropped(tmp_path, shapes_state):
    state = {f"module.{name}": value for name, value in shapes_state.items()}
    family, _, _ = read_published(stored(tmp_path, state))
    assert family == "dlp-object"


class _Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_pickle_does_not_run(tmp_path):
    mark = tmp_path / "ran"
    path = stored(tmp_path, {"weights": _Code(mark)})
    with pytest.raises(CheckpointError, match="it was not opened"):
        read_published(path)
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(_Code(mark)))
    with pytest.raises(CheckpointError):
        read_published(plain)
    assert not mark.exists()


def without(state, key):
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda s: without(s, "enc.keymap.weight"), "'enc.keymap.weight' is missing"),
        (lambda s: without(s, "pointnet.fc.0.bias"), "'pointnet.fc.0.bias' is missing"),
        (lambda s: s | {"extra.weight": torch.zeros(1)}, "'extra.weight' is not known"),
        (lambda s: s | {"pointnet.fc.0.bias": torch.zeros(3)}, r"has shape \(3,\)"),
        (lambda s: s | {"aux_enc.4.weight": torch.zeros(110, 128)}, "learned an order"),
        (lambda s: {"layer.weight": torch.zeros(2, 2)}, "is missing"),
        (lambda s: [torch.zeros(2)], "holds a list"),
        (lambda s: {"a": 1}, "not a state dict of tensors"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, shapes_state, spoil, told):
    with pytest.raises(CheckpointError, match=told) as caught:
        read_published(stored(tmp_path, spoil(shapes_state)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_published(path)


def test_a_truncated_file_is_refused(tmp_path, shapes_state):
    path = stored(tmp_path, shapes_state)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError):
        read_published(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="cannot read"):
        read_published(tmp_path / "none.pth")
