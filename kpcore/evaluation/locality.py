"""Does moving a particle change the picture where it was and is, and not elsewhere?

The one figure that every family with movable particles has; asks for no labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Encoding, KeypointModel
from kpcore.errors import CapabilityError, DataError
from kpcore.evaluation.quality import psnr_db
from kpcore.geometry.coordinates import pixel_centres

NEAR = 0.25
"""Pixels nearer than this to the old or the new place are near it, unit coordinates."""
FAR = 0.6
"""Pixels farther than this from both are elsewhere."""
STEP = (0.3, 0.6)
"""A particle is moved by a length in this range, unit coordinates."""
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class LocalityFigures:
    """What moves did to pictures.

    Attributes:
        psnr_db: Reconstruction against the picture, mean over the pictures.
        near: Mean absolute change of the pixels near the old and new places, of 255.
        elsewhere: The same of the pixels far from both.
        ratio: near over elsewhere (at most a million).
        moves: Particles moved, one at a time.
    """

    psnr_db: float
    near: float
    elsewhere: float
    ratio: float
    moves: int


def measure(
    model: KeypointModel, pictures: Float[Tensor, "N 3 H W"], moves: int = 4, seed: int = 0
) -> LocalityFigures:
    """Return how local the changes are that moved particles make.

    Args:
        model: In eval mode.
        pictures: Of the model's size, in [0, 1].
        moves: Particles moved in each picture, chosen among the present ones.
        seed: Of the choice of particles, directions and lengths.

    Raises:
        CapabilityError: The model's particles cannot be moved.
        DataError: No particle is present in any of the pictures.
    """
    if not model.capabilities.movable:
        raise CapabilityError("this model's particles cannot be moved, so nothing can be measured")
    random = np.random.default_rng(seed)
    psnr: list[float] = []
    near: list[float] = []
    elsewhere: list[float] = []
    for picture in pictures.split(1):
        with torch.inference_mode():
            encoding = model.encode(picture)
            decode = model.decoder_for(encoding)
            before = decode(encoding.latents).image
            psnr.append(float(psnr_db(before, picture)))
            for row in _chosen(encoding, moves, random):
                here, there = _way(encoding, row, random)
                position = encoding.latents.position.clone()
                position[0, row] = torch.from_numpy(there)
                after = decode(replace(encoding.latents, position=position)).image
                close, away = _change(before, after, here, there)
                near.append(close)
                elsewhere.append(away)
    if not near:
        raise DataError(
            "no particle is present inside any of these pictures, so none could be moved; judge "
            "other pictures, or a model that was trained for longer"
        )
    mean = [float(np.mean(values)) for values in (near, elsewhere)]
    return LocalityFigures(
        psnr_db=float(np.mean(psnr)),
        near=255.0 * mean[0],
        elsewhere=255.0 * mean[1],
        ratio=mean[0] / max(_LEAST, mean[1]),
        moves=len(near),
    )


def _chosen(encoding: Encoding, moves: int, random: np.random.Generator) -> list[int]:
    """Some present particles that lie inside the picture."""
    latents = encoding.latents
    good = (latents.position[0].abs() < 0.95).all(-1)
    if latents.presence is not None:
        good &= latents.presence[0] > 0.5
    rows = good.nonzero().flatten().cpu().numpy()
    return [int(row) for row in random.permutation(rows)[:moves]]


def _way(
    encoding: Encoding, row: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where a particle lies, and a place inside the picture that it is moved to."""
    here = encoding.latents.position[0, row].cpu().numpy().astype(np.float32)
    there = np.zeros(2, np.float32)
    for _ in range(100):
        angle, length = random.uniform(-np.pi, np.pi), random.uniform(*STEP)
        there = here + np.float32(length) * np.asarray([np.cos(angle), np.sin(angle)], np.float32)
        if np.abs(there).max() < 0.9:
            break
    return here, there.clip(-0.95, 0.95)


def _change(
    before: Tensor, after: Tensor, here: np.ndarray, there: np.ndarray
) -> tuple[float, float]:
    """Mean absolute change near the two places, and far from both."""
    height, width = before.shape[-2:]
    x, y = pixel_centres(width), pixel_centres(height)[:, None]
    distance = torch.minimum(
        (x - float(here[0])).hypot(y - float(here[1])),
        (x - float(there[0])).hypot(y - float(there[1])),
    )
    change = (after - before).abs().mean((0, 1)).cpu()
    away = change[distance > FAR]
    return float(change[distance < NEAR].mean()), float(away.mean()) if len(away) else 0.0
