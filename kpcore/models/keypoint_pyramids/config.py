"""Every choice of Keypoint Pyramids, and the switches of its ablations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError
from kpcore.geometry.heatmaps import SoftmaxForm
from kpcore.nn.conv_norm import Norm

Kind = Literal["points", "transport", "none"]
"""How a picture is remade: from keypoint maps over the reference's appearance, from transported
features, or not at all."""


@dataclass(frozen=True, slots=True)
class PyramidsConfig:
    """Levels, networks, losses.

    Table 1's ablations: No-Reconstruction is `combined` "none", No-Transport is `levelwise`
    "none", No-Spring is `spring` 0, All-Transport is `combined` "transport", All-Reconstruction is
    `levelwise` "points", Unconditioned is `conditioned` false.

    Attributes:
        image_size: Side of the square pictures in pixels.
        points: Keypoints of each level, coarsest first; each level has a whole multiple of the
            one before.
        widths: Channels of the feature pyramid's stages, each half the size of the last; the last
            stages are the levels.
        channels: Of every map of the feature pyramid.
        head_widths: Convolutions between features and keypoint maps.
        conditioned: A level's head sees the keypoint maps of the level before.
        softmax: Form of the spatial softmax; "joint" learns in far fewer steps.
        softmax_gain: Factor on the maps before the softmax.
        sigma: Width of the Gaussian maps, exp(-d^2 / sigma^2), picture edges at +-1.
        norm: Normalisation of all networks.
        appearance_widths: Channels of the reference's encoder; the map halves between widths down
            to the finest level's size.
        renderer_widths: Channels of the decoders at the finest level; the map doubles between
            widths. Decoders of coarser levels begin with the first width, repeated.
        level_channels: Channels of each level's own features, fewer at finer levels.
        combined: How the picture is remade from all levels together.
        levelwise: How the picture is remade from each level alone.
        combined_weight: Of the combined loss.
        level_weights: Of each level's loss.
        spring: Weight of the squared distance of children from their parent, picture edges at
            +-1.
        residual: The combined decoder renders what differs from the reference, colours and a mask
            of where they show, with the reference's keypoints as further input (a departure; see
            KeyNet).
        reference_within: Frames from which the reference is drawn, before or after the picture.
    """

    image_size: int = 128
    points: tuple[int, ...] = (10, 20)
    widths: tuple[int, ...] = (32, 64, 128, 256)
    channels: int = 128
    head_widths: tuple[int, ...] = (128, 128)
    conditioned: bool = True
    softmax: SoftmaxForm = "joint"
    softmax_gain: float = 1.0
    sigma: float = 0.1
    norm: Norm = "batch"
    appearance_widths: tuple[int, ...] = (32, 64, 128)
    renderer_widths: tuple[int, ...] = (128, 64, 32)
    level_channels: tuple[int, ...] = (128, 64)
    combined: Kind = "points"
    levelwise: Kind = "transport"
    combined_weight: float = 1.0
    level_weights: tuple[float, ...] = (0.1, 1.0)
    spring: float = 1.0
    residual: bool = False
    reference_within: int = 250

    def __post_init__(self) -> None:
        levels = len(self.points)
        if not levels or levels > len(self.widths):
            raise InputError(
                f"points has {levels} levels; accepted is 1 to {len(self.widths)}, the number of "
                f"widths"
            )
        for fewer, more in zip(self.points, self.points[1:], strict=False):
            if more % fewer:
                raise InputError(
                    f"a level of {more} keypoints cannot hang on one of {fewer}; each level needs "
                    f"a whole multiple of the one before"
                )
        if min(self.points) < 1 or self.reference_within < 1:
            raise InputError(
                f"points is {self.points} and reference_within {self.reference_within}; accepted "
                f"is 1 or more"
            )
        for name in ("level_channels", "level_weights"):
            if len(getattr(self, name)) != levels:
                raise InputError(
                    f"{name} has {len(getattr(self, name))} entries for {levels} levels; give one "
                    f"for each level"
                )
        if self.image_size % 2 ** (len(self.widths) - 1):
            raise InputError(
                f"image_size is {self.image_size}, which {len(self.widths)} widths cannot halve; "
                f"choose a multiple of {2 ** (len(self.widths) - 1)}"
            )
        depth = len(self.widths) - levels + 1
        for name in ("appearance_widths", "renderer_widths"):
            if len(getattr(self, name)) != depth:
                raise InputError(
                    f"{name} has {len(getattr(self, name))} entries; the finest of {levels} levels "
                    f"lies {depth - 1} halvings below the picture: give {depth}"
                )
        if self.combined == self.levelwise == "none":
            raise InputError(
                "combined and levelwise are both none, so nothing is learned; set one of them to "
                "points or transport"
            )
        if self.residual and self.combined != "points":
            raise InputError(
                f"residual needs combined to be points; it is {self.combined}: set residual to "
                f"false"
            )

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of each level's maps."""
        deepest = len(self.widths) - 1
        return tuple(self.image_size // 2 ** (deepest - level) for level in range(len(self.points)))

    @property
    def total(self) -> int:
        """Keypoints of all levels."""
        return sum(self.points)

    @property
    def parents(self) -> tuple[int, ...]:
        """Index of each keypoint's parent among all keypoints; -1 on the coarsest level.

        Children of one parent are neighbours: with two children, parent n has 2 n and 2 n + 1 of
        the next level (Keypoint Pyramids sec. 3.4, whose index set is garbled).
        """
        parents = [-1] * self.points[0]
        start = 0
        for fewer, more in zip(self.points, self.points[1:], strict=False):
            parents += [start + child * fewer // more for child in range(more)]
            start += fewer
        return tuple(parents)
