"""Values of the procedural scenes: one picture or one clip, with what is truly in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

HELD_OUT_SEED = 1 << 30
"""Added to a seed for the held-out part, so that it never shares a picture with training."""


def rows_of(seed: int, count: int) -> tuple[int, int]:
    """Return the first row and the end of those among `count` that a seed's pictures are made of.

    Held-out pictures take the last sixth, others the rest: MNIST's 60,000 training digits give
    50,000 and 10,000.
    """
    border = count * 5 // 6
    return (border, count) if seed >= HELD_OUT_SEED else (0, border)


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture and its objects, nearest object last.

    Attributes:
        image: RGB in [0, 1].
        position: centre of each object's silhouette, (x, y) in unit coordinates (image edges at
            -1 and 1); a centre may lie outside the picture while part of the object shows.
        mask: the visible pixels of each object: those nearer objects cover are left out.
        visible: share of the whole silhouette, as it would be with nothing in front and no
            picture edge, that `mask` shows.
        identity: number of each object, the same in every frame of a clip.
        attributes: what is said of each object, e.g. {"shape": "T1", "colour": "red"}; empty where
            nothing is.
    """

    image: Float[ndarray, "3 H W"]
    position: Float[ndarray, "N 2"]
    mask: Bool[ndarray, "N H W"]
    visible: Float[ndarray, " N"]
    identity: Int[ndarray, " N"]
    attributes: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SceneClip:
    """Successive pictures of one scene with the tracks of its objects.

    Every object of the clip has one row in all frames; where it is out of the picture its
    `visible` is 0, its mask is empty and its position goes on along its track.
    """

    image: Float[ndarray, "T 3 H W"]
    position: Float[ndarray, "T N 2"]
    mask: Bool[ndarray, "T N H W"]
    visible: Float[ndarray, "T N"]
    identity: Int[ndarray, " N"]

    def frame(self, time: int) -> Scene:
        """The scene at one moment, objects out of the picture left out."""
        shown = self.visible[time] > 0
        return Scene(
            image=self.image[time],
            position=self.position[time][shown],
            mask=self.mask[time][shown],
            visible=self.visible[time][shown],
            identity=self.identity[shown],
        )


class SceneSource(Protocol):
    """An endless supply of scenes; the same arguments always give the same pixels."""

    @property
    def title(self) -> str:
        """What the scenes show, in a few words."""
        ...

    def sample(self, seed: int, index: int, size: int) -> Scene:
        """Picture `index` of the stream `seed`, `size` pixels square."""
        ...

    def clip(self, seed: int, index: int, size: int, frames: int) -> SceneClip:
        """Clip `index` of the stream `seed`; its first frame is `sample(seed, index, size)`."""
        ...


def generator(seed: int, index: int, stream: int) -> np.random.Generator:
    """Random numbers for picture `index` of `seed`, independent between kinds of scene."""
    return np.random.default_rng((seed, index, stream))


def still_clip(scene: Scene, frames: int) -> SceneClip:
    """A clip in which nothing moves."""

    def repeated(value: ndarray) -> ndarray:
        return np.repeat(value[None], frames, axis=0)

    return SceneClip(
        image=repeated(scene.image),
        position=repeated(scene.position),
        mask=repeated(scene.mask),
        visible=repeated(scene.visible),
        identity=scene.identity,
    )
