"""How good are predicted frames, step by step, beside the baselines that must be beaten?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from kpcore.api import Image, KeypointModel
from kpcore.errors import InputError
from kpcore.evaluation import tracks
from kpcore.evaluation.episodes import Episode
from kpcore.evaluation.forecast import Clips, Forecast, Forecaster
from kpcore.evaluation.quality import psnr_db, ssim

Distance = Callable[[Image, Image], Float[Tensor, " B"]]
"""Pictures and true ones to one number for each pair."""


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One predictor's figures at each step of the horizon, means over the episodes.

    Attributes:
        predictor: Its name.
        history: Given frames that it looked at.
        psnr_db: Mean of the pictures' PSNR, each at most 60.
        ssim: Mean of the pictures' structural similarity.
        lpips: Mean perceptual distance; None when its weights are not given.
        track_px: Mean distance of followed particles from their objects, in pixels; None where no
            tracks are known.
        found: Share of the counted objects of the last given frame on which a particle stood, and
            which are therefore followed, in percent; None where no tracks are known.
    """

    predictor: str
    history: int
    psnr_db: tuple[float, ...]
    ssim: tuple[float, ...]
    lpips: tuple[float, ...] | None = None
    track_px: tuple[float, ...] | None = None
    found: float | None = None


@dataclass(frozen=True, slots=True)
class PredictionFigures:
    """The table of one evaluation.

    Attributes:
        episodes: How many clips.
        steps: Frames predicted after the last given one.
        predictors: Figures of each, in the order asked for.
        ceiling_psnr_db: PSNR of the true frames encoded and decoded by the first model: what no
            predictor over that model can pass except by chance.
    """

    episodes: int
    steps: int
    predictors: tuple[StepFigures, ...]
    ceiling_psnr_db: tuple[float, ...]

    def steps_beating(self, ours: str, other: str) -> tuple[bool, ...]:
        """Return at which steps one predictor beats another in PSNR and, where known, tracks."""
        a, b = self.of(ours), self.of(other)
        better = np.greater(a.psnr_db, b.psnr_db)
        if a.track_px is not None and b.track_px is not None:
            better &= np.less(a.track_px, b.track_px)
        return tuple(bool(one) for one in better)

    def of(self, name: str) -> StepFigures:
        """Return the figures of a predictor.

        Raises:
            InputError: It is not in the table.
        """
        for figures in self.predictors:
            if figures.predictor == name:
                return figures
        known = ", ".join(figures.predictor for figures in self.predictors)
        raise InputError(f"there are no figures of '{name}'; known: {known}")


def measure(
    forecasters: Sequence[Forecaster],
    episodes: Iterable[Episode],
    steps: int,
    *,
    ceiling: KeypointModel,
    lpips: Distance | None = None,
    batch: int = 8,
) -> PredictionFigures:
    """Return how well each forecaster predicts the last `steps` frames of every episode.

    Args:
        forecasters: All are given the same frames, and look at as many as they need.
        episodes: Clips of `steps` frames and at least as many before them as any one needs.
        steps: Horizon.
        ceiling: The model whose reconstruction of the true frames is the ceiling.
        lpips: Perceptual distance; None leaves that column empty.
        batch: Episodes predicted at a time.

    Raises:
        InputError: No episodes, or too few frames in one.
    """
    if steps < 1:
        raise InputError(f"{steps} steps were asked for; predict at least 1")
    tallies = [_Tally(forecaster, lpips) for forecaster in forecasters]
    ceilings: list[ndarray] = []
    count = 0
    device = next(ceiling.parameters()).device
    with torch.inference_mode():
        for group in _groups(episodes, batch):
            count += len(group)
            frames = torch.stack([episode.frames for episode in group]).to(device)
            given = frames.shape[1] - steps
            needed = max(forecaster.history for forecaster in forecasters)
            if given < needed:
                raise InputError(
                    f"episodes of {frames.shape[1]} frames leave {given} before {steps} steps; "
                    f"these predictors need {needed}"
                )
            past, future = frames[:, :given], frames[:, given:]
            for tally in tallies:
                tally.add(tally.forecaster(past, steps), future, group, given)
            ceilings.append(_by_step(psnr_db, _reconstructed(ceiling, future), future))
    if not count:
        raise InputError("there are no episodes to measure on; ask for at least one")
    return PredictionFigures(
        count,
        steps,
        tuple(tally.figures() for tally in tallies),
        _means(np.concatenate(ceilings)),
    )


def _groups(episodes: Iterable[Episode], size: int) -> Iterator[list[Episode]]:
    group: list[Episode] = []
    for episode in episodes:
        group.append(episode)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _reconstructed(model: KeypointModel, frames: Clips) -> Clips:
    def one(image: Tensor) -> Tensor:
        encoding = model.encode(image)
        return model.decode(encoding.latents, encoding.context).image

    return torch.stack([one(image) for image in frames.unbind(1)], 1)


def _by_step(distance: Distance, a: Clips, b: Clips) -> Float[ndarray, "B T"]:
    columns = [distance(x, y) for x, y in zip(a.unbind(1), b.unbind(1), strict=True)]
    return torch.stack(columns, 1).cpu().numpy()


def _means(rows: Float[ndarray, "N T"]) -> tuple[float, ...]:
    with warnings.catch_warnings():
        # A step at which no object counts has no mean.
        warnings.simplefilter("ignore", RuntimeWarning)
        return tuple(np.nanmean(rows, axis=0).astype(float).tolist())


@dataclass(slots=True)
class _Tally:
    """Running figures of one forecaster."""

    forecaster: Forecaster
    lpips: Distance | None
    psnr: list[ndarray] = field(default_factory=list[ndarray])
    ssim: list[ndarray] = field(default_factory=list[ndarray])
    distance: list[ndarray] = field(default_factory=list[ndarray])
    errors: list[ndarray] = field(default_factory=list[ndarray])
    objects: int = 0
    followed: int = 0

    def add(
        self, forecast: Forecast, future: Clips, episodes: Sequence[Episode], given: int
    ) -> None:
        """Count one batch."""
        self.psnr.append(_by_step(psnr_db, forecast.image, future))
        self.ssim.append(_by_step(ssim, forecast.image, future))
        if self.lpips is not None:
            self.distance.append(_by_step(self.lpips, forecast.image, future))
        for row, episode in enumerate(episodes):
            if episode.truth is not None:
                self._follow(forecast, row, episode, given)

    def _follow(self, forecast: Forecast, row: int, episode: Episode, given: int) -> None:
        truth = episode.truth
        if truth is None:
            return
        counted = tracks.seen(truth)
        pairs = followed(forecast, row, episode, given)
        self.objects += int(counted[given - 1].sum())
        self.followed += len(pairs)
        position = forecast.position[row].cpu().numpy()
        size = episode.frames.shape[-1]
        error = tracks.errors_px(position, pairs, truth.position[given:], counted[given:], size)
        self.errors.append(error.T)

    def figures(self) -> StepFigures:
        """The means."""
        return StepFigures(
            predictor=self.forecaster.name,
            history=self.forecaster.history,
            psnr_db=_means(np.concatenate(self.psnr)),
            ssim=_means(np.concatenate(self.ssim)),
            lpips=_means(np.concatenate(self.distance)) if self.distance else None,
            track_px=_means(np.concatenate(self.errors)) if self.errors else None,
            found=100.0 * self.followed / max(self.objects, 1) if self.errors else None,
        )


def followed(
    forecast: Forecast, row: int, episode: Episode, given: int
) -> tuple[tuple[int, int], ...]:
    """Return which particle of a forecast stands for which object, as of the last given frame."""
    truth, start = episode.truth, forecast.start
    if truth is None:
        return ()
    presence = start.presence
    return tracks.assign(
        start.position[row].cpu().numpy(),
        None if presence is None else presence[row].cpu().numpy(),
        truth.position[given - 1],
        tracks.seen(truth)[given - 1],
    )
