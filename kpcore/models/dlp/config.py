"""Every choice of the published DLP models; the defaults are what the published weights need.

Where the paper (Daniel and Tamar, ICML 2022) says otherwise, the field says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class DLPConfig:
    """What both models share.

    Attributes:
        image_size: side of the square pictures in pixels.
        particles: K, particles of a picture beside the background particle.
        features: d, appearance numbers of a particle.
        encoder_channels: of the position encoder, first at full size, then one per halving; the
            picture decoder has them reversed.
        sigma: standard deviation, image half-widths, of the heatmaps, of the prior's proposals, of
            the background particle and of the noise on alpha masks.
        anchor: side of a glimpse as a share of the picture's (published: 0.25 object, 0.125
            masked).
        prior: where proposals come from: "ssm" a spatial softmax over each patch, "constant" all
            in the middle, "random" uniform over the picture (DLP table 2).
        prior_trained: train the prior's network; False keeps its random weights, as the paper says
            of Traffic and CLEVRER (the published code trains it).
        prior_filter: which proposals are kept: "distance" those farthest from their patch's
            middle, "random" any.
        prior_patch_px: D, side of the prior's patches in pixels.
        prior_channels: of the prior's network.
        prior_kept: L, proposals kept (paper, table 3: 64 for Traffic and CLEVRER, which is all).
        kl: "chamfer" compares particles and proposals as sets, "standard" one by one, which needs
            as many proposals as particles (DLP table 2).
        background_in_kl: count the background particle in the Chamfer-KL, as the published CelebA
            figures did.
        reconstruction: "vgg" perceptual loss or "mse".
        vgg_weights: path of torchvision's VGG16 weights; empty uses the cache, downloading once.
        beta: weight of the KL terms.
        feature_balance: weight of the features' KL within them (paper: beta_KL = beta x 0.001).
        tps_pairs: the posterior sees a lightly warped picture and the prior a strongly warped one.
    """

    image_size: int = 128
    particles: int = 15
    features: int = 20
    encoder_channels: tuple[int, ...] = (32, 64, 128, 256)
    sigma: float = 0.1
    anchor: float = 0.25
    prior: Literal["ssm", "constant", "random"] = "ssm"
    prior_trained: bool = True
    prior_filter: Literal["distance", "random"] = "distance"
    prior_patch_px: int = 16
    prior_channels: tuple[int, ...] = (16, 32, 64)
    prior_kept: int = 20
    kl: Literal["chamfer", "standard"] = "chamfer"
    background_in_kl: bool = False
    reconstruction: Literal["vgg", "mse"] = "vgg"
    vgg_weights: str = ""
    beta: float = 30.0
    feature_balance: float = 0.001
    tps_pairs: bool = False

    def __post_init__(self) -> None:
        if len(self.encoder_channels) < 2 or len(self.prior_channels) < 1:
            raise InputError(
                f"encoder_channels is {self.encoder_channels} and prior_channels "
                f"{self.prior_channels}; at least two and one widths are needed"
            )
        for name in ("particles", "features", "prior_kept", "prior_patch_px"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is 1 or more")
        for name in ("sigma", "anchor"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}; accepted is above 0 and at most 1"
                )
        side = self.map_side
        if side < 8 or side & (side - 1) or side << self.halvings != self.image_size:
            raise InputError(
                f"image_size {self.image_size} halved {self.halvings} times gives maps of "
                f"{self.image_size / 2**self.halvings:g}; choose a size for which it is a power of "
                f"two, at least 8"
            )
        if self.image_size % self.prior_patch_px:
            raise InputError(
                f"image_size is {self.image_size}, not a multiple of prior_patch_px "
                f"{self.prior_patch_px}; choose a patch that divides it"
            )
        if self.kl == "standard" and self.proposals != self.particles:
            raise InputError(
                f"the standard KL pairs particles with proposals, but there are {self.particles} "
                f"and {self.proposals}; make prior_kept equal to particles"
            )

    @property
    def halvings(self) -> int:
        """How often the position encoder halves the picture."""
        return len(self.encoder_channels) - 1

    @property
    def map_side(self) -> int:
        """F, side of the position encoder's maps and of the heatmaps."""
        return self.image_size >> self.halvings

    @property
    def glimpse_px(self) -> int:
        """S, side of a glimpse cut from the picture."""
        return round(self.anchor * (self.image_size - 1))

    @property
    def map_glimpse(self) -> int:
        """Side of a glimpse cut from the position encoder's maps."""
        return round(self.anchor * (self.map_side - 1))

    @property
    def proposals(self) -> int:
        """How many proposals the Chamfer-KL sees."""
        if self.prior != "ssm":
            return self.prior_kept
        return min(self.prior_kept, (self.image_size // self.prior_patch_px) ** 2)


@dataclass(frozen=True, slots=True)
class ObjectConfig(DLPConfig):
    """The Object model: RGBA glimpses stitched over a decoded background.

    Attributes:
        warmup_epochs: W, epochs in which glimpses are reconstructed instead of the picture; in the
            first 5 W, alpha masks are noisy and presence is drawn at random.
        warmup: what trains during warm-up: "all", with the KL terms, as in the published code, or
            "glimpses" alone, as in the paper.
        exclusive_patches: while training, earlier particles claim the pixels of their glimpses
            (published code, shapes).
    """

    warmup_epochs: float = 2.0
    warmup: Literal["all", "glimpses"] = "all"
    exclusive_patches: bool = False

    def __post_init__(self) -> None:
        DLPConfig.__post_init__(self)
        if self.glimpse_px < 16 or self.glimpse_px & (self.glimpse_px - 1):
            raise InputError(
                f"anchor {self.anchor} of {self.image_size} pixels gives glimpses of "
                f"{self.glimpse_px}; choose one that gives a power of two, at least 16"
            )
        if self.map_glimpse % 2 or self.map_glimpse < 2:
            raise InputError(
                f"anchor {self.anchor} of maps of {self.map_side} gives boxes of "
                f"{self.map_glimpse}; choose one that gives an even number"
            )


@dataclass(frozen=True, slots=True)
class MaskedConfig(DLPConfig):
    """The Masked model: one picture decoded from masked maps, with a bypass for the background.

    Attributes:
        mask_threshold: a heatmap above this belongs to a particle.
        appearance: where features are read from: "maps" a small glimpse of the encoder's maps, as
            the published weights need, or "image" a glimpse of the picture, as the paper says.
        positions: how maps become positions: "linear" by fully connected layers, as published, or
            "softmax" by a spatial softmax over each map (KeyNet), which needs far fewer pictures.
        graph_widths: of the layers of the graph network.
        light_warp: strength of the warp that the posterior sees, as a share of the prior's.
        equivariance: weight of the squared distance between particles of the lightly warped
            picture and those of the strongly warped one, traced back. Neither paper nor published
            code has this term or the next two; 0 leaves each out.
        concentration: weight of the variance, within its map's softmax, of each particle.
        separation: weight of a penalty on particles nearer to each other than about 0.15.
    """

    particles: int = 30
    features: int = 10
    anchor: float = 0.125
    prior_patch_px: int = 8
    prior_kept: int = 50
    beta: float = 40.0
    tps_pairs: bool = True
    mask_threshold: float = 0.2
    appearance: Literal["maps", "image"] = "maps"
    positions: Literal["linear", "softmax"] = "linear"
    graph_widths: tuple[int, ...] = (64, 128, 256, 512)
    light_warp: float = 0.1
    equivariance: float = 0.0
    concentration: float = 0.0
    separation: float = 0.0

    def __post_init__(self) -> None:
        DLPConfig.__post_init__(self)
        side = self.map_glimpse if self.appearance == "maps" else self.glimpse_px
        if side % 2 or side < 2 or (self.appearance == "image" and side < 4):
            raise InputError(
                f"anchor {self.anchor} gives glimpses of side {side} in the {self.appearance}; "
                f"choose one that gives an even number, at least 2 (4 in the image)"
            )
        if not self.graph_widths or min(self.graph_widths) < 1:
            raise InputError(f"graph_widths is {self.graph_widths}; give one width or more")
        if self.equivariance and not self.tps_pairs:
            raise InputError(
                "equivariance compares two warps of a picture, and tps_pairs is off; turn it on, "
                "or set equivariance to 0"
            )
        if self.concentration and self.positions != "softmax":
            raise InputError(
                f"concentration is of maps under a softmax, and positions is "
                f"'{self.positions}'; use softmax, or set concentration to 0"
            )
