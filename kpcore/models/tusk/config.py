"""Every choice of TUSK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError

Blend = Literal["sum", "alpha"]
"""How keypoints make a picture: their maps are summed and decoded once, or each is decoded by
itself to colours and alpha, which a soft-max over the keypoints blends."""

Clustering = Literal["sliced-wasserstein", "k-means", "vector-quantisation"]
"""How prototypes follow the descriptors (table 6)."""


@dataclass(frozen=True, slots=True)
class TuskConfig:
    """Sizes, loss weights and random warps; defaults are those of MNIST-Hard.

    Attributes:
        image_size: Side of the pictures in pixels; a multiple of 8 * `fold`.
        fold: The networks see squares of `fold` x `fold` pixels as one place with more channels,
            which makes them so many times squared cheaper. 1 in the paper. Lengths in pixels below
            are in such places.
        keypoints: K, keypoints of a picture. Nothing learned depends on it: another number can be
            asked for when a trained model is opened.
        prototypes: M, centres of the clusters of descriptors.
        descriptor: C, numbers of a descriptor.
        width: Channels of the U-Nets at full size; 2, 4 and 8 times as many below. 32 in the paper.
        groups: Norm groups of every layer; divides `width`. 32 in the released code: at full size
            every channel is normalised by itself, which shows faint keypoints as
            well as strong ones.
        window: B, odd side in pixels of the window in which only the highest score stays and over
            which its place is averaged.
        softness: Temperature of that average.
        smoothing: Standard deviation in pixels of a blur of the scores before the highest are
            sought, so that one long object has one maximum; what follows takes the scores as they
            are. 0, without, in the paper. It can be chosen after training.
        splat_var_px: Variance in squared pixels of the Gaussian that a keypoint becomes for the
            decoder. 0.05 as released is nearly one pixel, so that a picture follows a dragged
            keypoint in steps of whole pixels.
        sampling: How a descriptor is read at a keypoint: "bilinear" as in the paper, or "nearest",
            close to the released code, which truncates coordinates.
        blend: See `Blend`.
        salient: Scores begin as how much a place stands out from its picture: the last weights of
            the score map's head begin positive, and the encoder's maps repeat at their edges, so
            that the border does not stand out. Only chosen places learn, so without it, as
            published, objects whose scores happen to begin low are found late.
        first_colour: Brightness of an untrained decoder's pictures. At 0.5, as published, all
            descriptors turn to one direction while pictures get as dark as the data; near the
            data's mean they stay apart, and training is shorter.
        centred: Features at keypoints pass a batch norm before they become descriptors, so that
            descriptors begin far apart. Without it, as published, most of a descriptor is what all
            have in common, and much training goes by before they differ.
        views: Whether the decoder learns from both views of a picture, as published, or only from
            the "second", the strongly warped one, at half the cost.
        reconstruction: "mse", or "perceptual": differences of VGG16's features.
        vgg_weights: Path of torchvision's VGG16 state dict; empty for the one in the user's cache.
        reconstruction_weight: Of that term.
        cluster_weight: Of the k-means term.
        heatmap_weight: Of the equivariance of the score map.
        feature_weight: Of the equivariance of the feature map.
        relative_features: Differences of feature maps are measured against the variance of the
            features. As descriptors have length 1 whatever the features' length, the published
            difference is made small by making all features small, and then asks for nothing.
        attention_weight: Of how little the score map follows what the decoder could not explain:
            the negative covariance, within each picture, of scores with the reconstruction's
            squared error around them. Scores of places that were not chosen get no other gradient,
            so that whole kinds of objects may stay unseen; the term fades by itself as pictures
            are explained. 0, as published, is without.
        rise: Fraction of a run over which `cluster_weight` rises linearly from 0. The term is
            content when all descriptors are alike, and in a short run it wins unless the
            reconstruction has made them differ before. 0, all along, in the paper.
        sharpness: Factor of the mean squared distance in the soft assignment to prototypes.
        clustering: See `Clustering`.
        alternate: Prototypes are trained by themselves, some steps after each step of the networks;
            without it both take each step together ("iterative training" in table 4).
        prototype_steps: Steps of the prototypes after each step of the networks.
        prototype_rate: Learning rate of the prototypes.
        mixture_sigma: Standard deviation of the Gaussians around the prototypes; 0.02 is the square
            root of table 10's 4e-4.
        exploration: Least share, per prototype, that is added to the weights of the mixture; 0.01
            in the released code, nothing in the paper.
        memory: Batches before the last one whose descriptors the prototypes follow as well. A small
            batch has fewer descriptors than there are prototypes, of which each then gets one
            sample or none. 0 in the paper, whose batches are large.
        projections: N, random directions of the sliced Wasserstein distance.
        warp_scale: Middle and half range of the scale of the second view.
        warp_bend: Largest displacement of the warp's control points, in unit coordinates.
        warp_shift: Largest translation, in unit coordinates.
        warp_turn: Largest rotation in radians.
        border: What lies around a picture that is warped: its "reflection", "black" or "white".
    """

    image_size: int = 80
    fold: int = 1
    keypoints: int = 9
    prototypes: int = 10
    descriptor: int = 32
    width: int = 32
    groups: int = 32
    window: int = 13
    softness: float = 0.2
    smoothing: float = 0.0
    splat_var_px: float = 0.05
    sampling: Literal["bilinear", "nearest"] = "bilinear"
    blend: Blend = "sum"
    salient: bool = False
    first_colour: float = 0.5
    centred: bool = False
    views: Literal["both", "second"] = "both"
    reconstruction: Literal["mse", "perceptual"] = "mse"
    vgg_weights: str = ""
    reconstruction_weight: float = 1.0
    cluster_weight: float = 0.01
    heatmap_weight: float = 0.01
    feature_weight: float = 100.0
    relative_features: bool = False
    attention_weight: float = 0.0
    rise: float = 0.0
    sharpness: float = 20.0
    clustering: Clustering = "sliced-wasserstein"
    alternate: bool = True
    prototype_steps: int = 8
    prototype_rate: float = 0.1
    mixture_sigma: float = 0.02
    exploration: float = 0.01
    memory: int = 0
    projections: int = 100
    warp_scale: tuple[float, float] = (0.95, 0.05)
    warp_bend: float = 0.1
    warp_shift: float = 0.01
    warp_turn: float = 0.25
    border: Literal["reflection", "black", "white"] = "black"

    def __post_init__(self) -> None:
        least = {"keypoints": 1, "prototypes": 1, "descriptor": 1, "width": 1, "window": 1}
        least |= {"prototype_steps": 1, "projections": 1}
        least |= {"memory": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {lowest}")
        step = 8 * max(1, self.fold)
        if self.fold < 1 or self.image_size % step or self.image_size < step:
            raise InputError(
                f"image_size is {self.image_size} and fold {self.fold}; accepted are folds from 1 "
                f"on and sizes that are multiples of 8 times as many"
            )
        if self.groups < 1 or self.width % self.groups:
            raise InputError(
                f"groups is {self.groups}; accepted are numbers that divide width {self.width}"
            )
        if self.window % 2 == 0:
            raise InputError(f"window is {self.window}; it must be odd, to have a middle")
        if self.keypoints > self.map_size**2:
            raise InputError(
                f"keypoints is {self.keypoints}; a picture of {self.image_size} pixels a side has "
                f"room for {self.map_size**2}"
            )
        if self.smoothing < 0.0:
            raise InputError(f"smoothing is {self.smoothing}; it must be at least 0")
        if not 0.0 < self.first_colour < 1.0:
            raise InputError(f"first_colour is {self.first_colour}; it must be between 0 and 1")
        if not (self.splat_var_px > 0.0 and self.softness > 0.0):
            raise InputError(
                f"splat_var_px is {self.splat_var_px} and softness {self.softness}; both must be "
                f"above 0"
            )

    @property
    def map_size(self) -> int:
        """Side of the score map in places."""
        return self.image_size // self.fold
