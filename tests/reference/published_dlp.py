"""State dicts in the DLP authors' format, with spread-out random weights, and what they gave.

`dlp_<case>.json` lists names and shapes as the authors' code (taldatech/deep-latent-particles-
pytorch at a3d9cff) saves them. `dlp_<case>.npz` holds what that code computed in float64, in eval
mode, from `weights(case)` and `picture(case)`: `encode_all` and `decode_all` on the mean,
`decode_all` once more after `moved`, the prior's proposals, and the Chamfer-KL and feature KL of a
deterministic pass. `training_terms` and `gradient_norms` are of one deterministic pass in training
mode: squared error, 3 x Chamfer-KL and 0.003 x feature KL, and the norm of their sum's gradient for
every entry of the state dict (-1 for what is no weight; "shapes" with exclusive patches). Two
changes were needed: the undefined `patch_size` of the graph component was read as the side of its
maps, without which the model cannot be built, and `.float()` as the default type, for float64.
Pictures are kept at every sixth pixel. Nothing here comes from this project's own code.

Plain initialisation is nearly constant in eval mode and would let wrong code pass, so weights are
He-scaled, and running means, variances and scales of batch norms are spread.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HERE = Path(__file__).parent
CASES = ("masked", "object", "shapes")
SIZE = {"masked": 128, "object": 128, "shapes": 64}
_GAINS = {
    "to_normal_stats.4": 0.6,
    "object_enc.4": 0.6,
    "object_enc_sep.fc.4": 0.6,
    "dec.final_conv": 0.2,
}
"""Of the ends of networks, so that positions, features and pictures keep to their usual ranges."""
EVERY = 6
"""Pixels of a kept picture are this far apart."""


def shapes(case: str) -> dict[str, list[int]]:
    """Names and shapes of a published checkpoint."""
    return json.loads((HERE / f"dlp_{case}.json").read_text())


def _values(name: str, shape: list[int], stream: np.random.RandomState) -> np.ndarray:
    entry = name.rsplit(".", 1)[1]
    if entry == "num_batches_tracked":
        return np.array(7, dtype=np.int64)
    if entry == "running_var":
        return stream.uniform(0.5, 1.5, shape)
    if entry == "running_mean":
        return stream.normal(0.0, 0.2, shape)
    if entry == "bias":
        middle = 0.5 if name.startswith("dec.final_conv") else 0.0
        return stream.normal(middle, 0.2, shape)
    if len(shape) == 1:
        return stream.uniform(0.6, 1.4, shape)
    gain = next((gain for end, gain in _GAINS.items() if name.startswith(end)), np.sqrt(2.0))
    return stream.normal(0.0, gain / np.sqrt(np.prod(shape[1:])), shape)


def weights(case: str) -> dict[str, Tensor]:
    """A state dict in the published format, the same on every machine."""
    state: dict[str, Tensor] = {}
    for name, shape in shapes(case).items():
        # The glimpse decoder is stored under two names.
        source = name.replace("object_dec.decode.", "object_dec.main.")
        stream = np.random.RandomState(zlib.crc32(source.encode()))
        values = np.asarray(_values(source, shape, stream))
        kind = torch.int64 if values.dtype == np.int64 else torch.float32
        state[name] = torch.from_numpy(values).to(kind)
    return state


def picture(case: str) -> Tensor:
    """Two pictures in float64: coloured waves of several lengths."""
    size = SIZE[case]
    along = np.arange(size) / size
    y, x = np.meshgrid(along, along, indexing="ij")
    stream = np.random.RandomState(11)
    result = np.zeros((2, 3, size, size))
    for image in result:
        for channel in image:
            for length in (1, 3, 7, 17):
                a, b, phase = stream.uniform(-length, length, 3)
                channel += np.sin(2 * np.pi * (a * x + b * y) + phase) / 4
    return torch.from_numpy(result / 2 + 0.5).clamp(0, 1)


def moved(position: Tensor) -> Tensor:
    """The positions of a second decode: some of them far away, one beyond the edge."""
    result = position.clone()
    result[:, 1] = torch.tensor([0.31, -0.67], dtype=position.dtype)
    result[:, 2] = torch.tensor([-1.02, 0.93], dtype=position.dtype)
    return result


def reference(case: str) -> dict[str, np.ndarray]:
    """What the authors' code computed; positions are theirs, (y, x) with pixel centres at +-1."""
    with np.load(HERE / f"dlp_{case}.npz") as file:
        return dict(file)
