"""Every choice of the compact DLP Object model."""

from __future__ import annotations

from dataclasses import dataclass

from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class CompactConfig:
    """Sizes, priors and loss weights of the compact model.

    How to choose for another scene: `glimpse_px` a little over the longest object; `cell_px` at
    most the least distance between two objects; `apart_px` a little under that distance;
    `particles` the most objects of a picture plus a few; `background_bases` 0 for a plain ground
    that changes freely, 8 to 24 for a fixed camera (each basis is one learned picture).

    Attributes:
        image_size: side of the square pictures in pixels; a multiple of `cell_px`.
        particles: K, how many proposals are kept per picture.
        cell_px: distance between neighbouring proposals in pixels: 4, 8 or 16.
        reach_px: how far a proposal may lie from the middle of its cell, each way.
        apart_px: proposals nearer than this to a surer one are not kept.
        glimpse_px: side of a particle's glimpse in pixels: 8, 16 or 32.
        features: d, appearance numbers of a particle.
        background_features: numbers that describe the background.
        background_bases: learned pictures whose mixture is the sharp part of the background; 0
            for a background from the coarse decoder alone.
        encoder_width: channels of the proposal map; earlier layers have half and a quarter.
        prior_patch_px: side D of the prior's patches.
        prior_kept: L, proposals of the prior kept by the distance filter.
        sigma: standard deviation of the prior's proposals, unit coordinates (DLP: 0.1).
        warmup_steps: steps in which glimpses and background are learned apart.
        beta: weight of the Chamfer-KL.
        feature_kl: weight of the features' KL to N(0, 1).
        presence_cost: price of one particle that is present.
        presence_noise: standard deviation of the noise on the presence logits while choosing.
        centring: weight of the squared distance between the alpha's centre of mass and the middle
            of the glimpse, in sixteenths of a glimpse.
        sprawl_cost: price of opacity far from the middle of a glimpse; keeps ground out of it.
        glimpse_fidelity: weight of the colour error inside the alpha, which keeps a glimpse's
            colours true, so that what is present is opaque.
        crop_cells: rows and columns of cells cropped away in the crop term; 0 for no such term.
        crop_weight: weight of the squared distance, in sixteenths of a glimpse, between where a
            cell proposes its particle in the whole picture and in a crop of it; teaches where the
            middle of an object is that the picture's edge cuts.
        crop_from: share of the run after which the crop term counts, though not before two and a
            half warm-ups; while positions mean nothing yet, agreeing on places that do not depend
            on the picture would be its best answer.
    """

    image_size: int = 128
    particles: int = 10
    cell_px: int = 8
    reach_px: float = 7.0
    apart_px: float = 10.0
    glimpse_px: int = 32
    features: int = 10
    background_features: int = 16
    background_bases: int = 16
    encoder_width: int = 64
    prior_patch_px: int = 16
    prior_kept: int = 20
    sigma: float = 0.1
    warmup_steps: int = 400
    beta: float = 0.005
    feature_kl: float = 0.01
    presence_cost: float = 1.0
    presence_noise: float = 0.5
    centring: float = 1.0
    sprawl_cost: float = 4.0
    glimpse_fidelity: float = 0.5
    crop_cells: int = 4
    crop_weight: float = 0.3
    crop_from: float = 0.25

    def __post_init__(self) -> None:
        for name, accepted in (("cell_px", (4, 8, 16)), ("glimpse_px", (8, 16, 32))):
            value = getattr(self, name)
            if value not in accepted:
                raise InputError(f"{name} is {value}; accepted are {accepted}")
        for name in ("cell_px", "prior_patch_px"):
            if self.image_size % getattr(self, name):
                raise InputError(
                    f"image_size is {self.image_size}, not a multiple of {name} "
                    f"{getattr(self, name)}; choose a size that is"
                )
        if not 0 <= self.crop_cells < self.cells:
            raise InputError(
                f"crop_cells is {self.crop_cells}; accepted is 0 to {self.cells - 1}, less than "
                f"the cells along a side"
            )
        if not 1 <= self.particles <= self.cells**2:
            raise InputError(
                f"particles is {self.particles}; accepted is 1 to {self.cells**2}, the number of "
                f"cells of {self.cell_px} px"
            )

    @property
    def cells(self) -> int:
        """Proposals along one side of the picture."""
        return self.image_size // self.cell_px
