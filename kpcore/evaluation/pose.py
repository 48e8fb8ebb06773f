"""What keypoints say of people who act: where their joints are, by regression.

Measured on stick figures, whose joints and actions are known, people of held-out streams never
trained on; or on labelled videos, some of whose people were kept out of training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from kpcore.api import KeypointModel
from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.data.synthetic.skeleton import ACTIONS, PAIRS
from kpcore.data.synthetic.stick_figures import FRAMES, StickFigures
from kpcore.evaluation import landmarks
from kpcore.latents import Latents

_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Keypoints that a model found in videos, beside the truth.

    Attributes:
        points: Unit coordinates. Keypoints that have prototypes come in their order, K places for
            each prototype, as a row must mean the same in every frame (`landmarks.by_prototype`).
        joints: The same.
        action: Of each video.
        level: Pyramid level of each keypoint.
        film: Number of the video that each was cut from; empty where each is one of its own.
    """

    points: Float[Tensor, "V T K 2"]
    joints: Float[ndarray, "V T 17 2"]
    action: Int[Tensor, " V"]
    level: tuple[int, ...]
    film: tuple[int, ...] = ()

    def flat(self, level: int | None = None) -> tuple[ndarray, ndarray, list[int]]:
        """Return keypoints (of one level), joints and video number of each frame."""
        points = self._of(level).flatten(0, 1).numpy()
        films = self.film or range(len(self.points))
        videos = np.repeat(np.asarray(films), self.points.shape[1])
        return points, self.joints.reshape(-1, *self.joints.shape[2:]), videos.tolist()

    def clips(self, level: int | None = None) -> tuple[Tensor, Tensor]:
        """Return keypoints (of one level) and action of each video."""
        return self._of(level), self.action

    def _of(self, level: int | None) -> Tensor:
        rows = [row for row, at in enumerate(self.level) if level in (None, at)]
        return self.points[:, :, rows]


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """The same number of videos of two groups of people.

    Attributes:
        known: Those trained on.
        others: Those never trained on.
        actions: Names of the actions.
        pairs: (left, right) joints.
    """

    known: Watched
    others: Watched
    actions: tuple[str, ...] = tuple(ACTIONS)
    pairs: tuple[tuple[int, int], ...] = PAIRS


def watch(model: KeypointModel, seed: int, videos: int, frames: int) -> Watched:
    """Return what a model finds in the first videos of a stream.

    Args:
        model: In eval mode; takes square pictures.
        seed: Of the stream; from `HELD_OUT_SEED` on other people act in it.
        videos: How many; every eleven have each action once.
        frames: Of each video, spread over it.
    """
    source, size = StickFigures(), model.capabilities.image_size[0]
    kinds, device = model.capabilities.prototypes, next(model.parameters()).device
    times = [FRAMES * frame // frames for frame in range(frames)]
    found: list[Tensor] = []
    level: tuple[int, ...] = ()
    for video in range(videos):
        drawn = np.stack([source.frame(seed, video, size, time).image for time in times])
        with torch.inference_mode():
            for part in torch.from_numpy(drawn).split(_BATCH):
                points, level = comparable(model.encode(part.to(device)).latents, kinds)
                found.append(points)
    truths = [source.truth(seed, video, FRAMES) for video in range(videos)]
    seen = torch.cat(found)
    return Watched(
        seen.view(videos, frames, *seen.shape[1:]),
        np.stack([truth.joints[times] for truth in truths]),
        torch.tensor([truth.action for truth in truths]),
        level,
    )


def comparable(latents: Latents, kinds: int) -> tuple[Float[Tensor, "B L 2"], tuple[int, ...]]:
    """Return keypoints in rows that mean the same in every frame, and the level of each row.

    Args:
        latents: Of some frames.
        kinds: Prototypes that the model has.
    """
    position = latents.position.cpu().clone()
    if latents.prototype is None:
        return position, latents.topology.level
    kind = latents.prototype.cpu().numpy()
    placed = landmarks.by_prototype(position.double().numpy(), kind, kinds)
    return torch.from_numpy(placed).float(), (0,) * placed.shape[1]


@dataclass(frozen=True, slots=True)
class PoseFigures:
    """What one level of a model says, or all its keypoints together.

    Attributes:
        keypoints: How many.
        rmse: Regression to the 17 joints, halves of the held-out videos, with bias: root mean
            square distance in percent of the picture's edge.
        rmse_no_bias: The same without, origin in the middle.
        left_right: Regression that need not tell left from right, percent of the edge.
    """

    keypoints: int
    rmse: float
    rmse_no_bias: float
    left_right: float


def measure(stills: Both, level: int | None = None) -> PoseFigures:
    """Return the figures of one level, or of all keypoints.

    Args:
        stills: Few frames of many videos.
        level: Whose keypoints count; None takes all.
    """
    points, joints, videos = stills.others.flat(level)
    halves = landmarks.halves(points, joints, videos)
    sides = landmarks.left_right(stills.known.flat(level)[:2], (points, joints), stills.pairs)
    return PoseFigures(points.shape[1], halves.rmse, halves.rmse_no_bias, sides.error)


def in_the_middle(both: Both) -> Both:
    """Return the same people seen by one keypoint that never moves: what any model must beat."""
    known, others = (
        replace(side, points=torch.zeros_like(side.points[:, :, :1]), level=(0,))
        for side in (both.known, both.others)
    )
    return replace(both, known=known, others=others)


def watch_both(model: KeypointModel, videos: int, frames: int) -> Both:
    """Return what a model finds in videos of the people trained on, and of others."""
    known = watch(model, 0, videos, frames)
    return Both(known, watch(model, HELD_OUT_SEED, videos, frames))
