"""Do several futures spread as far as they err? Sampled starts, rolled out, against true tracks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import spearmanr

from kpcore.api import VideoPredictor
from kpcore.errors import InputError
from kpcore.evaluation import tracks
from kpcore.evaluation.episodes import Episode
from kpcore.evaluation.forecast import encoded
from kpcore.futures import drawn
from kpcore.latents import Latents


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """Spread of futures beside their error, at each step; distances in pixels.

    Attributes:
        futures: How many were rolled out from each start.
        spread_px: Root mean square distance of the futures' particles from their mean.
        error_px: Root mean square distance of that mean from the object. A calibrated predictor's
            equals its spread but for the factor sqrt(1 + 1/futures); a larger one is too sure.
        rank_correlation: Spearman's, of spread and error over all particles and steps: 1 when
            particles that spread more err more.
        inside: Share of objects, in percent, no farther from the mean than the farthest future;
            about 100 futures / (futures + 1) when truth and futures are drawn alike.
    """

    futures: int
    spread_px: tuple[float, ...]
    error_px: tuple[float, ...]
    rank_correlation: float
    inside: tuple[float, ...]


def roll_out_futures(
    predictor: VideoPredictor, past: list[Latents], steps: int, futures: int, seed: int = 0
) -> Float[ndarray, "F T K 2"]:
    """Return the particles' places in several futures of one clip, unit coordinates.

    Every given frame's particles are drawn from their posterior, for each future anew; the
    likeliest future, which `kpcore.futures` puts first, is none of these.

    Raises:
        CapabilityError: The particles have no posterior.
    """
    with torch.inference_mode():
        many = drawn(past, futures + 1, seed)
        places = [latents.position[1:] for latents in predictor.predict(many, steps)]
    return torch.stack(places, 1).cpu().numpy()


def measure(
    predictor: VideoPredictor, episodes: Iterable[Episode], steps: int, futures: int = 16
) -> CalibrationFigures:
    """Return spread and error of a predictor's futures on clips with true tracks.

    Raises:
        CapabilityError: The particles have no posterior.
        InputError: Fewer than two futures, or no object is followed.
    """
    if futures < 2:
        raise InputError(f"{futures} futures have no spread; use at least 2")
    squares: list[tuple[ndarray, ndarray, ndarray]] = []
    device = next(predictor.renderer.parameters()).device
    for number, episode in enumerate(episodes):
        truth, given = episode.truth, len(episode.frames) - steps
        if truth is None:
            raise InputError(
                f"'{episode.name}' has no true tracks; measure calibration on procedural scenes"
            )
        frames = episode.frames[None, :given].to(device)
        with torch.inference_mode():
            past = [encoding.latents for encoding in encoded(predictor, frames)]
        start, counted = past[-1], tracks.seen(truth)
        presence = start.presence
        pairs = tracks.assign(
            start.position[0].cpu().numpy(),
            None if presence is None else presence[0].cpu().numpy(),
            truth.position[given - 1],
            counted[given - 1],
        )
        if pairs:
            places = roll_out_futures(predictor, past, steps, futures, seed=number)
            size = episode.frames.shape[-1]
            squares.append(_squares(places, pairs, truth.position[given:], counted[given:], size))
    if not squares:
        raise InputError("no particle stood on an object, so no future can be judged")
    spread, error, inside = (np.concatenate(parts, axis=1) for parts in zip(*squares, strict=True))
    valid = ~np.isnan(error)
    ranks = spearmanr(spread[valid], error[valid])
    return CalibrationFigures(
        futures,
        _root(spread, valid),
        _root(error, valid),
        float(np.asarray(ranks)[0]),
        _mean(100.0 * inside, valid),
    )


def _squares(
    places: Float[ndarray, "F T K 2"],
    pairs: tuple[tuple[int, int], ...],
    truth: Float[ndarray, "T N 2"],
    counted: Bool[ndarray, "T N"],
    size: int,
) -> tuple[ndarray, ndarray, ndarray]:
    """Squared spread, squared error (NaN where none counts) and whether the truth lies inside."""
    particles = [particle for particle, _ in pairs]
    mean = places.mean(0)
    away = (places - mean)[:, :, particles] * (size / 2.0)
    far = np.square(away).sum(-1)
    error = tracks.errors_px(mean, pairs, truth, counted, size) ** 2
    spread = far.sum(0) / (len(places) - 1)
    return spread, error, error <= far.max(0)


def _root(values: Float[ndarray, "T P"], valid: Bool[ndarray, "T P"]) -> tuple[float, ...]:
    return tuple(float(v) ** 0.5 for v in _mean(values, valid))


def _mean(values: ndarray, valid: Bool[ndarray, "T P"]) -> tuple[float, ...]:
    count = valid.sum(1)
    total = np.where(valid, values, 0.0).sum(1)
    return tuple((total / np.where(count, count, np.nan)).tolist())
