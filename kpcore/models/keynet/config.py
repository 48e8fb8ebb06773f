"""Every choice of KeyNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError
from kpcore.geometry.heatmaps import SoftmaxForm
from kpcore.nn.conv_norm import Norm


@dataclass(frozen=True, slots=True)
class KeyNetConfig:
    """Sizes of the networks, form of the keypoints, loss.

    Attributes:
        image_size: Side of the square pictures in pixels.
        keypoints: K.
        widths: Channels of the encoders; the map halves between widths, so four widths turn 128
            pixels into a 16 x 16 map.
        renderer_widths: Channels of the renderer; the map doubles between widths, back to the
            picture's size.
        trunk: Where keypoints are read from: an encoder like the appearance's (the paper), or the
            finest map of a feature pyramid (the baseline of Keypoint Pyramids' Table 1).
        pyramid_widths: Channels of the feature pyramid's stages, each half the size of the last.
        pyramid_channels: Of every map of the feature pyramid.
        head_widths: Convolutions between features and keypoint maps; the paper has none.
        softmax: Form of the spatial softmax; "joint" learns in far fewer steps.
        softmax_gain: Factor on the maps before the softmax.
        sigma: Width of the Gaussian maps, exp(-d^2 / sigma^2), picture edges at +-1.
        norm: Normalisation of all networks.
        residual: Render what differs from the reference, colours and a mask of where they show,
            with the reference's keypoints as further input (a sum in Minderer et al., 2019): the
            ground stays as sharp as the reference, and what leaves a place is gone from it.
        reconstruction: "vgg" perceptual loss, "mse" of pixels, or "edges": pixels and the slopes
            of grey values at three scales, each divided by a running mean of itself.
        border: Shares of the side, at each edge of the picture, that weigh nothing in the loss,
            and over which the weight then rises (Jakab et al.: 10 and 20 of 128 pixels);
            "vgg" weighs all alike.
        mirror: Mirror half of the pictures while training.
        equivariance: Weight of the squared distances, summed over keypoints, between those of a
            picture and those of its warp, brought back; 0, as in the paper, leaves it out.
        concentration: Weight of the variance of each keypoint's map, summed over keypoints; 0, as
            in the paper.
        separation: Weight of a penalty on keypoints nearer to each other than about 0.15; 0, as
            in the paper. Equivariance without it brings all keypoints to one place.
        vgg_weights: Path of torchvision's VGG16; empty downloads it once.
        reference_within: Frames from which the reference is drawn, before or after the picture.
    """

    image_size: int = 128
    keypoints: int = 10
    widths: tuple[int, ...] = (32, 64, 128, 256)
    renderer_widths: tuple[int, ...] = (256, 128, 64, 32)
    trunk: Literal["encoder", "pyramid"] = "encoder"
    pyramid_widths: tuple[int, ...] = (32, 64, 128, 256)
    pyramid_channels: int = 128
    head_widths: tuple[int, ...] = ()
    softmax: SoftmaxForm = "marginal"
    softmax_gain: float = 1.0
    sigma: float = 0.1
    norm: Norm = "batch"
    residual: bool = False
    reconstruction: Literal["vgg", "mse", "edges"] = "vgg"
    border: tuple[float, float] = (0.0, 0.0)
    mirror: bool = False
    equivariance: float = 0.0
    concentration: float = 0.0
    separation: float = 0.0
    vgg_weights: str = ""
    reference_within: int = 250

    def __post_init__(self) -> None:
        if self.keypoints < 1:
            raise InputError(f"keypoints is {self.keypoints}; accepted is 1 or more")
        if self.reference_within < 1:
            raise InputError(
                f"reference_within is {self.reference_within}; accepted is 1 or more frames"
            )
        if min(self.border) < 0.0 or sum(self.border) >= 0.5:
            raise InputError(
                f"border is {self.border}; accepted are two shares from 0 whose sum is under 0.5"
            )
        for name in ("equivariance", "concentration", "separation"):
            if getattr(self, name) < 0.0:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is 0 or more")
        halvings = len(self.widths) - 1
        if halvings < 0 or self.image_size % 2**halvings:
            raise InputError(
                f"image_size is {self.image_size}, which {len(self.widths)} widths cannot halve "
                f"{halvings} times; choose a multiple of {2 ** max(0, halvings)}"
            )
        if len(self.renderer_widths) != len(self.widths):
            raise InputError(
                f"renderer_widths has {len(self.renderer_widths)} entries and widths "
                f"{len(self.widths)}; the renderer doubles as often as the encoder halves: give "
                f"as many"
            )
        if self.trunk == "pyramid" and self.image_size % 2 ** (len(self.pyramid_widths) - 1):
            raise InputError(
                f"image_size is {self.image_size}, which {len(self.pyramid_widths)} "
                f"pyramid_widths cannot halve; choose a multiple of "
                f"{2 ** (len(self.pyramid_widths) - 1)}"
            )

    @property
    def side(self) -> int:
        """Side of the appearance map and of the Gaussian maps."""
        return self.image_size // 2 ** (len(self.widths) - 1)
