"""Every choice of the landmark autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class LmdisConfig:
    """Sizes, loss weights and random warps; defaults are CelebA's with ten landmarks.

    Lengths named `_edge` are in units of the picture's edge, as in the paper's table 7; one edge
    is 2 in unit coordinates. Steps are given as fractions of a run, so that a short run keeps the
    paper's proportions (100 k and 200 k of 300 k).

    Attributes:
        image_size: Side of the pictures in pixels; a multiple of 2 ** `decoder_levels`.
        padded_size: Side in pixels of what the encoder sees: the picture with a border of the mean
            colour of its four edges; a multiple of 8 (of 32 with `stem`).
        landmarks: K.
        descriptor: C, numbers of a landmark's descriptor; 0 for none, as on MNIST (appendix B).
        shared: S, channels of the feature space that landmarks share (64 in the released code, 32
            in figure 40).
        width: Channels of the narrowest layer; 32 in the paper, which sets all others.
        stem: The first convolution is followed by pooling, and the encoder's maps have half the
            padded size; for pictures of 128 pixels (figure 40 g).
        decoder_levels: Times that the decoder halves its maps.
        confidence_gain: Factor on the scores before the soft-max over landmarks. They come out of a
            batch norm with unit deviation; 300 k steps have the time to learn a large factor, a
            short run needs it from the start.
        painter_norm: "batch" normalises the decoder's maps by the batch's statistics, its output
            too, as the paper does: whatever a batch has in common (brightness, mean colour) cannot
            be drawn then, so it wants batches of 16 and more. "kept" leaves the statistics as they
            are, at the start 0 and 1: the decoder is without norms, no picture depends on the
            others, and its weights begin as He et al. have them.
        pool: What weights a descriptor's average over the map: "gaussian" is the Gaussian of
            equation 10, "confidence" the map itself, as in the released code.
        decoder_sigmas_edge: Standard deviations of the Gaussians that the decoder is given.
        reconstruction: Weight of half the summed squared error (the released code's scale).
        reconstruction_rise: Fractions of the run at which that weight becomes 10 times as large.
        reconstructed: Most pictures of a batch that are reconstructed; 0 for all. The landmarks
            need the other losses far more (table 6: 3.45 without reconstruction, 3.15 with), and
            the decoder is most of a step's cost.
        reconstruct_warped: Reconstruct the warped pictures as well, as many again. Departs: the
            paper's decoder sees pictures as they are, where all parts of a face move together; in
            warped ones each part moves by itself, so that the decoder learns to heed every
            landmark in a short run too, which edits need.
        landmarks_first: Fraction of the run in which only landmarks learn, without any picture
            being drawn; from there on they stay as they are, and descriptors and decoder learn
            from the whole batch, half of it warped. 0 trains both at once. Departs: the paper's
            300 k steps have time for both; table 6 says that landmarks lose little (3.45 against
            3.15), and a decoder that learns from landmarks that stay is sharp far sooner.
        concentration: Weight of the spread of the confidence maps.
        separation: Weight of the closeness of landmarks.
        separation_edge: Distance below which two landmarks are close.
        equivariance: Weight of the distance between landmarks of a picture and of its warp.
        decay: Weight of the squared weights of all convolutions and linear layers; of the
            detector's alone with `landmarks_first`, as the others would decay before their time.
        grid_shift_edge: Standard deviation of the displacement of a warp's control points. 0.05 as
            the released code has it (0.1 in its coordinates from -1 to 1; the paper's text: 0.1).
        landmark_shift_edge: The same when landmarks are the control points.
        landmark_share: Share of the warps whose control points are landmarks (appendix F.3); it
            rises from 0 over `landmark_from`.
        landmark_from: Fractions of the run between which that share rises.
        translation_edge: Warps move a picture by up to so much each way.
        rotation_deg: Standard deviation of a warp's rotation in degrees.
        log_scale: Standard deviation of the natural logarithm of a warp's scale: ln 1.25. The
            paper's text has 1.25 as a base-2 logarithm, a factor of 2.4, which is a slip.
        brightness: Largest change of brightness.
        contrast: Least and largest factor of contrast.
        mirror: Mirror half of the pictures while training, except those of a video with its flow;
            not in the paper.
        flow_stride: Frames between two of the three frames whose optical flow is a further warp
            (appendix C.1: 5); 0 trains on single pictures.
        flow_preference: Weight of the loss that draws landmarks to where the picture moves (eq.
            16); counts with `flow_stride` only.
    """

    image_size: int = 80
    padded_size: int = 96
    landmarks: int = 10
    descriptor: int = 8
    shared: int = 64
    width: int = 32
    stem: bool = False
    decoder_levels: int = 4
    confidence_gain: float = 1.0
    painter_norm: Literal["batch", "kept"] = "batch"
    pool: Literal["gaussian", "confidence"] = "gaussian"
    decoder_sigmas_edge: tuple[float, ...] = (0.125, 0.1768, 0.25, 0.3536, 0.5)
    reconstruction: float = 0.1
    reconstruction_rise: tuple[float, ...] = (1 / 3, 2 / 3)
    reconstructed: int = 0
    reconstruct_warped: bool = False
    landmarks_first: float = 0.0
    concentration: float = 100.0
    separation: float = 20.0
    separation_edge: float = 0.08
    equivariance: float = 1e4
    decay: float = 1e-6
    grid_shift_edge: float = 0.05
    landmark_shift_edge: float = 0.05
    landmark_share: float = 0.3
    landmark_from: tuple[float, float] = (1 / 60, 1 / 30)
    translation_edge: float = 0.15
    rotation_deg: float = 10.0
    log_scale: float = 0.2231
    brightness: float = 32 / 255
    contrast: tuple[float, float] = (0.5, 1.5)
    mirror: bool = False
    flow_stride: int = 0
    flow_preference: float = 1e4

    def __post_init__(self) -> None:
        least = {"landmarks": 2, "width": 1, "shared": 1, "descriptor": 0, "reconstructed": 0}
        least["flow_stride"] = 0
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {lowest}")
        if not 0.0 <= self.landmarks_first < 1.0:
            raise InputError(
                f"landmarks_first is {self.landmarks_first}; accepted are fractions of the run "
                f"from 0 to below 1"
            )
        if not self.confidence_gain > 0:
            raise InputError(f"confidence_gain is {self.confidence_gain}; it must be above 0")
        step = 2**self.decoder_levels
        if self.image_size % step:
            raise InputError(
                f"image_size is {self.image_size}, not a multiple of {step}, which "
                f"decoder_levels {self.decoder_levels} asks for; choose a size that is"
            )
        step = 32 if self.stem else 8
        if self.padded_size % step or self.padded_size < self.image_size:
            raise InputError(
                f"padded_size is {self.padded_size}; accepted are multiples of {step} from "
                f"image_size {self.image_size} on"
            )
        if (self.padded_size - self.image_size) % 2:
            raise InputError(
                f"padded_size is {self.padded_size} and image_size {self.image_size}; their "
                f"difference must be even, for the border is as wide on all sides"
            )

    @property
    def border(self) -> int:
        """Width of the border in pixels."""
        return (self.padded_size - self.image_size) // 2

    @property
    def map_size(self) -> int:
        """Side of the confidence maps in cells."""
        return self.padded_size // 2 if self.stem else self.padded_size
