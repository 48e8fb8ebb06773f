"""Checkpoints: one safetensors file with its manifest (JSON) in the header; no code inside.

The manifest names the family and holds its whole configuration, so one file opens alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kpcore
from kpcore import files
from kpcore.configuration import from_plain, override, to_plain
from kpcore.errors import CheckpointError, DeviceError, InputError, nearest

if TYPE_CHECKING:
    import torch

    from kpcore.api import KeypointModel

FORMAT = 1
_KEY = "keypoint_studio"
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint says of itself.

    Attributes:
        family: Registry name.
        config: The family's configuration as JSON values.
        step: Optimiser steps that made these weights.
        data: What it was trained on: source, framing, split (see `kpcore.data`).
        card: Free facts shown by `kp info`: figures, command, machine, licence.
        contains: Manifests (JSON values) of the trained models inside this one, by the role that
            `Family.needs` names; their weights lie under that name in the state dict.
        format: Version of this layout.
        library: Version of kpcore that wrote the file.
    """

    family: str
    config: dict[str, Any]
    step: int = 0
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    card: dict[str, Any] = field(default_factory=dict[str, Any])
    contains: dict[str, Any] = field(default_factory=dict[str, Any])
    format: int = FORMAT
    library: str = kpcore.__version__


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Return a checkpoint's manifest; reads the header only and needs no torch.

    Raises:
        CheckpointError: The file is missing, not safetensors, or not ours.
    """
    path = Path(path)
    header = _read_header(path)
    metadata = header.get("__metadata__")
    text = metadata.get(_KEY) if isinstance(metadata, dict) else None
    if text is None:
        raise CheckpointError(
            f"'{path.name}' is a safetensors file without a Keypoint Studio manifest; open a "
            f"checkpoint written by 'kp train' or 'kp import'"
        )
    try:
        plain = json.loads(text)
        version = plain.get("format") if isinstance(plain, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise CheckpointError(
                f"'{path.name}' has checkpoint format {version}, this version reads up to "
                f"{FORMAT}; update Keypoint Studio"
            )
        return from_plain(Manifest, plain)
    except (ValueError, InputError) as error:
        raise CheckpointError(f"the manifest of '{path.name}' is damaged: {error}") from error


def read_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a checkpoint; needs no torch.

    Raises:
        CheckpointError: The file is missing or not safetensors.
    """
    header = _read_header(Path(path))
    return {
        name: tuple(entry.get("shape", ()))
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _read_header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            start, brace = file.read(8), file.read(1)
            # A header's length may begin like a pickle; only a header goes on with a brace.
            if brace != b"{" and (start[:2] == b"PK" or start[:1] == b"\x80"):
                raise CheckpointError(
                    f"'{path.name}' is a PyTorch pickle, which can hold code and is not opened "
                    f"here; convert published weights with 'kp import dlp FILE -o OUT.safetensors'"
                )
            size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            whole = path.stat().st_size
            if 2 <= size <= _HEADER_LIMIT and whole - 8 < size and brace == b"{":
                raise CheckpointError(_cut_short(path, whole, 8 + size))
            if not 2 <= size <= min(_HEADER_LIMIT, whole - 8):
                raise CheckpointError(
                    f"'{path.name}' is not a checkpoint: no safetensors header in its {whole} "
                    f"bytes; open a .safetensors file written by 'kp train' or 'kp import'"
                )
            header = json.loads(brace + file.read(size - 1))
    except OSError as error:
        raise CheckpointError(
            f"cannot read '{path}': {error.strerror or error}; give a .safetensors file, such as "
            f"the model.safetensors in a run directory"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"'{path.name}' is not a checkpoint: its header is not safetensors; open a "
            f".safetensors file written by 'kp train' or 'kp import'"
        ) from error
    if not isinstance(header, dict):
        raise CheckpointError(f"'{path.name}' is not a checkpoint: its header is not a table")
    try:
        ends = [int(e["data_offsets"][1]) for name, e in header.items() if name != "__metadata__"]
    except (TypeError, ValueError, LookupError) as error:
        raise CheckpointError(
            f"'{path.name}' is not a checkpoint: its table of tensors is damaged"
        ) from error
    if ends and max(ends) + 8 + size > whole:
        raise CheckpointError(_cut_short(path, whole, max(ends) + 8 + size))
    return header


def _cut_short(path: Path, have: int, want: int) -> str:
    return f"'{path.name}' is cut short: {have} bytes of at least {want}; copy or download it again"


def save(
    path: str | os.PathLike[str],
    model: KeypointModel,
    manifest: Manifest,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights and manifest as one file, atomically.

    Args:
        path: Ends in .safetensors.
        model: Its state dict is stored.
        manifest: What the file says of itself.
        dtype: Stores floating-point weights in this type; loading gives float32 again.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    from safetensors.torch import save as pack

    state = {
        name: (value.detach().to("cpu", dtype) if value.is_floating_point() else value.cpu())
        .contiguous()
        .clone()
        for name, value in model.state_dict().items()
    }
    blob = pack(state, metadata={_KEY: json.dumps(to_plain(manifest))})
    write_atomically(Path(path), blob)


def write_atomically(path: Path, blob: bytes) -> None:
    """Write `blob` to `path` whole or not at all.

    Raises:
        CheckpointError: The folder is missing, read-only or full.
    """
    files.write_atomically(path, blob, CheckpointError)


def load(
    path: str | os.PathLike[str], device: str = "cpu", changes: Sequence[str] = ()
) -> KeypointModel:
    """Return the model of a checkpoint, in eval mode, on `device`.

    Its `manifest` attribute holds the checkpoint's manifest, with the changes in it.

    Args:
        path: The file.
        device: Where the model is wanted; see `find_device`.
        changes: "field=value" changes of its configuration that the same weights allow, such as
            "keypoints=12" for a family that finds any number of keypoints with one map.

    Raises:
        CheckpointError: Not a checkpoint, damaged, foreign, of an unknown family, or changed to
            what its weights do not fit.
        InputError: A change names no field, or its value does not fit.
        DeviceError: The device is absent.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from kpcore import registry

    path = Path(path)
    manifest = read_manifest(path)
    if changes and manifest.family in registry.FAMILIES:
        config = from_plain(registry.get(manifest.family).config, manifest.config)
        manifest = replace(manifest, config=to_plain(override(config, changes)))
    model = _untrained(manifest, path.name)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"'{path.name}' cannot be opened: {error}") from error
    state = {
        name: value.float() if value.is_floating_point() else value for name, value in state.items()
    }
    check_state(model.state_dict(), state, path.name)
    model.load_state_dict(state)
    for name, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(
                f"'{path.name}' holds NaN or infinite weights in '{name}'; open an earlier "
                f"checkpoint of that run"
            )
    model.manifest = manifest
    return model.to(find_device(device)).eval()


def _untrained(manifest: Manifest, name: str) -> KeypointModel:
    """Build the model that a manifest describes, with those that it contains."""
    from kpcore import registry

    if manifest.family not in registry.FAMILIES:
        known = ", ".join(registry.FAMILIES)
        raise CheckpointError(
            f"'{name}' was written for family '{manifest.family}'; known: {known}."
            f"{nearest(manifest.family, registry.FAMILIES)}"
        )
    family = registry.get(manifest.family)
    inside: dict[str, KeypointModel] = {}
    for role in family.needs:
        if role not in manifest.contains:
            raise CheckpointError(
                f"'{name}' holds a {family.name} model without its {role}; train it again with "
                f"'kp train {family.name} --{role} CHECKPOINT'"
            )
        try:
            own = from_plain(Manifest, manifest.contains[role])
        except InputError as error:
            raise CheckpointError(
                f"the {role}'s manifest in '{name}' is damaged: {error}"
            ) from error
        inside[role] = _untrained(own, name)
        inside[role].manifest = own
    try:
        return family.build(from_plain(family.config, manifest.config), **inside)
    except Exception as error:
        raise CheckpointError(
            f"'{name}' cannot be opened: its configuration makes no {family.name} model: {error}"
        ) from error


def load_renderer(path: str | os.PathLike[str]) -> KeypointModel:
    """Return the model that a family with `needs=("renderer",)` is built around.

    Raises:
        CheckpointError: Not a checkpoint, or one of a video model.
    """
    from kpcore import registry

    path = Path(path)
    manifest = read_manifest(path)
    if manifest.family in registry.FAMILIES and registry.get(manifest.family).stage == "video":
        raise CheckpointError(
            f"'{path.name}' is a video model ({manifest.family}), which cannot be a renderer; give "
            f"the checkpoint of an image model, such as dlp-object or dlp-compact"
        )
    return load(path)


def contents(model: KeypointModel, family: str) -> dict[str, Any]:
    """Return the manifests of the models inside `model`, as its own manifest holds them."""
    from kpcore import registry

    return {role: to_plain(getattr(model, role).manifest) for role in registry.get(family).needs}


def fingerprint(model: KeypointModel) -> str:
    """Return a hash of a model's family, configuration and weights."""
    digest = hashlib.sha256()
    manifest = model.manifest
    about = [manifest.family, manifest.config] if manifest else []
    digest.update(json.dumps(about, sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def check_state(want: Any, have: Any, name: str) -> None:
    """Raise `CheckpointError` unless both state dicts have the same names and shapes."""
    missing, extra = sorted(want.keys() - have.keys()), sorted(have.keys() - want.keys())
    wrong = [key for key in want.keys() & have.keys() if want[key].shape != have[key].shape]
    if not (missing or extra or wrong):
        return
    if wrong:
        key = sorted(wrong)[0]
        what = f"'{key}' has shape {tuple(have[key].shape)}, wanted {tuple(want[key].shape)}"
    else:
        what = f"'{(missing or extra)[0]}' is {'missing' if missing else 'not known'}"
    raise CheckpointError(
        f"the weights in '{name}' do not fit its configuration: {what} "
        f"({len(missing)} missing, {len(extra)} unknown, {len(wrong)} of another shape)"
    )


def find_device(name: str) -> torch.device:
    """Return the device called `name`: "cpu", "cuda", "cuda:1", "mps", or "auto".

    Raises:
        DeviceError: It is absent or not a device.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(
            f"'{name}' is not a device; use cpu, cuda, cuda:N, mps or auto"
        ) from error
    absent = (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if absent:
        raise DeviceError(f"this machine has no {name} device that torch can use; use cpu or auto")
    return device
