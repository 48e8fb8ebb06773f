"""Every choice of the Transporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError
from kpcore.geometry.heatmaps import SoftmaxForm
from kpcore.nn.conv_norm import Norm


@dataclass(frozen=True, slots=True)
class TransporterConfig:
    """Sizes of the networks, form of the keypoints.

    Attributes:
        image_size: Side of the square pictures in pixels.
        keypoints: K.
        widths: Channels of the encoders, two convolutions each; the map halves between widths.
        decoder_widths: Channels of the decoder, two convolutions each; the map doubles between
            widths, back to the picture's size.
        trunk: Where keypoints are read from: an encoder like the features' (the paper), or the
            finest map of a feature pyramid (the baseline of Keypoint Pyramids' Table 1).
        pyramid_widths: Channels of the feature pyramid's stages, each half the size of the last.
        pyramid_channels: Of every map of the feature pyramid.
        head_widths: Convolutions between features and keypoint maps; the paper has none.
        softmax: Form of the spatial softmax; "joint" learns in far fewer steps.
        softmax_gain: Factor on the maps before the softmax.
        sigma: Width of the Gaussian maps, exp(-d^2 / sigma^2), picture edges at +-1.
        norm: Normalisation of all networks; the authors' code uses "instance".
        reference_within: Frames from which the source is drawn, before or after the picture.
    """

    image_size: int = 128
    keypoints: int = 5
    widths: tuple[int, ...] = (16, 32)
    decoder_widths: tuple[int, ...] = (128, 64)
    trunk: Literal["encoder", "pyramid"] = "encoder"
    pyramid_widths: tuple[int, ...] = (32, 64, 128, 256)
    pyramid_channels: int = 128
    head_widths: tuple[int, ...] = ()
    softmax: SoftmaxForm = "marginal"
    softmax_gain: float = 1.0
    sigma: float = 0.1
    norm: Norm = "instance"
    reference_within: int = 20

    def __post_init__(self) -> None:
        if self.keypoints < 1:
            raise InputError(f"keypoints is {self.keypoints}; accepted is 1 or more")
        if self.reference_within < 1:
            raise InputError(
                f"reference_within is {self.reference_within}; accepted is 1 or more frames"
            )
        if len(self.decoder_widths) != len(self.widths):
            raise InputError(
                f"decoder_widths has {len(self.decoder_widths)} entries and widths "
                f"{len(self.widths)}; the decoder doubles as often as the encoder halves: give "
                f"as many"
            )
        deepest = max(len(self.widths), len(self.pyramid_widths) * (self.trunk == "pyramid"), 1)
        if self.image_size % 2 ** (deepest - 1):
            raise InputError(
                f"image_size is {self.image_size}, which the networks cannot halve {deepest - 1} "
                f"times; choose a multiple of {2 ** (deepest - 1)}"
            )

    @property
    def side(self) -> int:
        """Side of the feature maps and of the Gaussian maps."""
        return self.image_size // 2 ** (len(self.widths) - 1)
