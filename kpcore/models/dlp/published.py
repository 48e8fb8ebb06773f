"""Read checkpoints as the DLP authors publish them: a state dict, nothing else, in a .pth file.

What the names and shapes tell (model, sizes, widths) is read from them; what they do not tell is an
argument. Their coordinates are (y, x) and their glimpses alpha first; the weights that see either
are reordered here, once, so that the networks need not know.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kpcore.errors import CheckpointError, InputError
from kpcore.models.dlp.config import DLPConfig, MaskedConfig, ObjectConfig
from kpcore.models.dlp.model import DLP, build_masked, build_object
from kpcore.models.dlp.presets import MASKED_PRESETS, OBJECT_PRESETS
from kpcore.nn.blocks import ConvBlock

FamilyName = Literal["dlp-object", "dlp-masked"]

_NOT_OURS = (
    "give a state dict of the DLP authors' code, as its training script saves it (saves/*.pth)"
)


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What a published checkpoint does not tell; the defaults are all published models' values.

    Attributes:
        sigma: Standard deviation of heatmaps and proposals.
        mask_threshold: Of the Masked model's heatmaps.
        prior_kept: L; None takes the family's default. Only training asks.
    """

    sigma: float = 0.1
    mask_threshold: float = 0.2
    prior_kept: int | None = None


def import_checkpoint(
    path: str | os.PathLike[str], unsaid: Unsaid | None = None
) -> tuple[FamilyName, ObjectConfig | MaskedConfig, DLP]:
    """Return family name, configuration and model, in eval mode, of a published checkpoint.

    Raises:
        CheckpointError: Not such a checkpoint, damaged, or with code inside.
    """
    family, config, state = read_published(path, unsaid)
    model = _build(config)
    model.load_state_dict(state)
    return family, config, model.eval()


def read_published(
    path: str | os.PathLike[str], unsaid: Unsaid | None = None
) -> tuple[FamilyName, ObjectConfig | MaskedConfig, dict[str, Tensor]]:
    """Return family name, configuration and our state dict of a published checkpoint.

    Raises:
        CheckpointError: Not such a checkpoint, damaged, or with code inside.
    """
    path = Path(path)
    theirs = _load(path)
    try:
        config = _config(theirs, unsaid or Unsaid())
        with torch.device("meta"):
            wanted = _build(config)
        state = _translated(wanted, theirs, config.image_size)
    except (CheckpointError, InputError) as error:
        raise CheckpointError(f"'{path.name}' is no published DLP model: {error}") from error
    family: FamilyName = "dlp-object" if isinstance(config, ObjectConfig) else "dlp-masked"
    return family, config, state


def _build(config: ObjectConfig | MaskedConfig) -> DLP:
    return build_object(config) if isinstance(config, ObjectConfig) else build_masked(config)


# -- the file --------------------------------------------------------------------------------------
def _load(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"cannot read '{path}': {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"'{path.name}' holds more than tensors, or is no PyTorch file; it was not opened, "
            f"since a pickle can run code; {_NOT_OURS}"
        ) from error
    except (RuntimeError, ValueError, EOFError, LookupError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"'{path.name}' is damaged or no PyTorch file; {_NOT_OURS}"
        ) from error
    if not isinstance(loaded, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise CheckpointError(
            f"'{path.name}' holds a {type(loaded).__name__}, not a state dict of tensors; "
            f"{_NOT_OURS}"
        )
    return {name.removeprefix("module."): value for name, value in loaded.items()}


# -- what names and shapes tell ------------------------------------------------------------------
def _shape(state: Mapping[str, Tensor], key: str) -> tuple[int, ...]:
    if key not in state:
        raise CheckpointError(f"'{key}' is missing; {_NOT_OURS}")
    return tuple(state[key].shape)


def _halvings(state: Mapping[str, Tensor], prefix: str) -> tuple[int, tuple[int, ...]]:
    """Input side and channels of a network of theirs that halves."""
    pattern = re.compile(
        rf"{re.escape(prefix)}\.conv_in_(\d+)_0\.main\.conv_(\d+)_to_(\d+)\.weight"
    )
    found = sorted(
        (
            tuple(int(number) for number in match.groups())
            for match in map(pattern.fullmatch, state)
            if match
        ),
        reverse=True,
    )
    if not found:
        raise CheckpointError(f"'{prefix}.conv_in_*_0' is missing; {_NOT_OURS}")
    return found[0][0], (found[0][1], *(width for _, _, width in found))


def _config(state: Mapping[str, Tensor], unsaid: Unsaid) -> ObjectConfig | MaskedConfig:
    image_size, channels = _halvings(state, "enc.main")
    patch, prior_channels = _halvings(state, "prior.enc.main")
    particles, colours = (
        _shape(state, "enc.keymap.weight")[0],
        _shape(state, f"enc.main.in_block_1.main.conv_3_to_{channels[0]}.weight")[1],
    )
    if colours != 3:
        raise CheckpointError(f"it sees {colours} channels; accepted are pictures of 3")
    is_object = any(name.startswith("object_dec.") for name in state)
    shared: dict[str, Any] = {
        "image_size": image_size,
        "particles": particles,
        "features": _shape(state, "object_enc.4.weight")[0] // 2,
        "encoder_channels": channels,
        "sigma": unsaid.sigma,
        "prior_patch_px": patch,
        "prior_channels": prior_channels,
    }
    if is_object:
        if _shape(state, "aux_enc.4.weight")[0] != particles:
            raise CheckpointError("it learned an order of particles, which no published model does")
        glimpse, _ = _halvings(state, "object_enc_sep.cnn.main")
        kept = unsaid.prior_kept or OBJECT_PRESETS["default"].config.prior_kept
        return ObjectConfig(**shared, anchor=glimpse / image_size, prior_kept=kept)
    numbers = _shape(state, "object_enc_sep.fc.0.weight")[1] - 2
    side = round((numbers / particles) ** 0.5)
    if side**2 * particles != numbers:
        raise CheckpointError(
            f"'object_enc_sep.fc.0.weight' takes {numbers + 2} numbers, which is no square glimpse "
            f"of {particles} maps and a position"
        )
    kept = unsaid.prior_kept or MASKED_PRESETS["default"].config.prior_kept
    map_side = image_size >> (len(channels) - 1)
    return MaskedConfig(
        **shared,
        anchor=side / map_side,
        prior_kept=kept,
        mask_threshold=unsaid.mask_threshold,
    )


# -- names -----------------------------------------------------------------------------------------
def names(model: DLP) -> dict[str, str]:
    """Return, for every entry of our state dict, the name of the published one."""
    config, pairs = model.config, list[tuple[str, str]]()
    nets = "networks."
    pairs += _down(model, f"{nets}position.cnn", "enc", config.image_size)
    pairs += _layers(f"{nets}position.head", "to_normal_stats", (0, 2, 4))
    pairs += _layers(f"{nets}background.head", "object_enc", (0, 2, 4))
    pairs += _layers(f"{nets}appearance.head", "object_enc_sep.fc", (0, 2, 4))
    pairs += _down(model, "prior.cnn", "prior.enc", config.prior_patch_px)
    for index in range(4):
        ours, theirs = f"{nets}renderer.graph.layers.{index}.mlp", f"pointnet.conv{index + 1}.mlp"
        pairs += _layers(ours, theirs, (0, 1, 3, 4))
    pairs.append((f"{nets}renderer.graph.seed.0", "pointnet.fc.0"))
    grown = [f"depth_up_{index}" for index in range((config.map_side // 8).bit_length() - 1)]
    pairs += _blocks(model, f"{nets}renderer.graph.grow", "pointnet.cnn", grown)
    pairs += _up(model, f"{nets}renderer.picture", "dec.main", "dec.final_conv", 8)
    if isinstance(config, ObjectConfig):
        pairs += _layers(f"{nets}presence.head", "aux_enc", (0, 2, 4))
        glimpse = "object_enc_sep.cnn"
        pairs += _down(model, f"{nets}appearance.cnn", glimpse, config.glimpse_px)
        pairs += _layers(f"{nets}renderer.glimpses.seed.0", "object_dec.fc", (0, 2))
        main = "object_dec.main"
        pairs += _up(model, f"{nets}renderer.glimpses.grow", main, f"{main}.final_conv", 16)
    prefixes = dict(pairs)
    return {
        key: f"{prefixes[prefix]}.{entry}"
        for key in model.state_dict()
        for prefix, _, entry in [key.rpartition(".")]
    }


def _layers(ours: str, theirs: str, indices: Sequence[int]) -> Iterator[tuple[str, str]]:
    for index in indices:
        yield f"{ours}.{index}", f"{theirs}.{index}"


def _blocks(
    model: nn.Module, ours: str, theirs: str, titles: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for index, title in enumerate(titles):
        block = model.get_submodule(f"{ours}.{index}")
        if isinstance(block, ConvBlock):
            before, width = block.channels
            yield f"{ours}.{index}.conv", f"{theirs}.{title}.main.conv_{before}_to_{width}"
            yield f"{ours}.{index}.norm", f"{theirs}.{title}.main.bathcnorm_{width}"


def _down(model: nn.Module, ours: str, theirs: str, side: int) -> Iterator[tuple[str, str]]:
    titles = ["in_block_1", "in_block_2"]
    blocks = [b for b in model.get_submodule(f"{ours}.body").children() if isinstance(b, ConvBlock)]
    for block in blocks[2::2]:
        titles += [f"conv_in_{side}_0", f"conv_in_{block.channels[1]}_1"]
        side //= 2
    yield from _blocks(model, f"{ours}.body", f"{theirs}.main", titles)
    yield f"{ours}.head", f"{theirs}.keymap"


def _up(
    model: nn.Module, ours: str, theirs: str, head: str, side: int
) -> Iterator[tuple[str, str]]:
    blocks = list(model.get_submodule(f"{ours}.body").children())
    titles = ["depth_up", *(f"conv_to_{side << index}" for index in range(len(blocks) - 1))]
    yield from _blocks(model, f"{ours}.body", theirs, titles)
    last = model.get_submodule(f"{ours}.head")
    if isinstance(last, nn.Conv2d):
        yield f"{ours}.head", f"{head}.main.conv_{last.in_channels}_to_{last.out_channels}"


# -- values ----------------------------------------------------------------------------------------
def _pairs_swapped(value: Tensor) -> Tensor:
    """Rows come in pairs (y, x); ours are (x, y)."""
    return value.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def _last_columns_swapped(value: Tensor) -> Tensor:
    return torch.cat([value[:, :-2], value[:, -2:].flip(1)], dim=1)


def _both_ends_swapped(value: Tensor) -> Tensor:
    return torch.cat([value[:, :2].flip(1), value[:, 2:-2], value[:, -2:].flip(1)], dim=1)


def _alpha_last(value: Tensor) -> Tensor:
    return value.roll(-1, 0)


def _changes(config: DLPConfig) -> dict[str, Callable[[Tensor], Tensor]]:
    """Entries whose values are reordered, and how."""
    renderer = "networks.renderer."
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "networks.position.head.4.weight": _pairs_swapped,
        "networks.position.head.4.bias": _pairs_swapped,
        f"{renderer}graph.layers.0.mlp.0.weight": _both_ends_swapped,
    }
    for index in (1, 2, 3):
        changes[f"{renderer}graph.layers.{index}.mlp.0.weight"] = _last_columns_swapped
    if isinstance(config, ObjectConfig):
        for entry in ("weight", "bias"):
            changes[f"{renderer}glimpses.grow.head.{entry}"] = _alpha_last
    else:
        changes["networks.appearance.head.0.weight"] = _last_columns_swapped
    return changes


def _translated(model: DLP, theirs: Mapping[str, Tensor], image_size: int) -> dict[str, Tensor]:
    """Return our state dict.

    Raises:
        CheckpointError: An entry is missing, unknown or of another shape.
    """
    wanted = model.state_dict()
    changes = _changes(model.config)
    known = names(model)
    state: dict[str, Tensor] = {}
    for ours, name in known.items():
        shape = _shape(theirs, name)
        if shape != tuple(wanted[ours].shape):
            raise CheckpointError(
                f"'{name}' has shape {shape}, wanted {tuple(wanted[ours].shape)} for pictures of "
                f"{image_size}"
            )
        value = theirs[name].to(wanted[ours].dtype)
        state[ours] = changes.get(ours, lambda same: same)(value).contiguous()
    # The published glimpse decoder is stored under two names.
    left = set(theirs) - set(known.values())
    left = {name for name in left if not name.startswith("object_dec.decode.")}
    if left:
        raise CheckpointError(f"'{min(left)}' is not known ({len(left)} such entries); {_NOT_OURS}")
    return state
