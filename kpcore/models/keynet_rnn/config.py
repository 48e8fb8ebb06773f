"""Every choice of the keypoint and recurrent-network baseline."""

from __future__ import annotations

from dataclasses import dataclass

from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class KeyNetRNNConfig:
    """Sizes and loss weights; the defaults follow Minderer et al. (2019) where they say.

    Attributes:
        image_size: side of the square pictures in pixels.
        particles: K, keypoints per picture.
        map_side: side of the heat-maps, and of the maps that the picture is decoded from.
        block_px: side of the squares of pixels that the networks take and give as channels; 2
            makes them work at half the picture's size.
        width: channels at that size; they double with every halving, up to `width_most`.
        width_most: most channels of a map.
        map_sigma_cells: standard deviation of a keypoint's Gaussian, in cells of the map.
        hidden: units of the recurrent network.
        observed: frames that a prediction is conditioned on.
        future: frames predicted in training after the observed ones, each from the one before.
        decoded: frames of each clip that are decoded in training, beside the first.
        separation: weight of the temporal separation loss.
        separation_sigma: distance of two centred trajectories at which it falls off.
        sparsity: weight of the mean of the heat-maps.
        dynamics: weight of the squared error of predicted keypoints.
    """

    image_size: int = 64
    particles: int = 12
    map_side: int = 16
    block_px: int = 1
    width: int = 32
    width_most: int = 128
    map_sigma_cells: float = 1.5
    hidden: int = 512
    observed: int = 8
    future: int = 8
    decoded: int = 4
    separation: float = 10.0
    separation_sigma: float = 0.1
    sparsity: float = 5.0
    dynamics: float = 100.0

    def __post_init__(self) -> None:
        for name, least in (("particles", 1), ("observed", 1), ("future", 1), ("block_px", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; use at least {least}")
        if not 1 <= self.decoded < self.frames:
            raise InputError(
                f"decoded is {self.decoded}; use 1 to {self.frames - 1}, one less than the frames "
                f"of a clip (observed + future)"
            )
        side = self.map_side * self.block_px
        while side < self.image_size:
            side *= 2
        if side != self.image_size:
            raise InputError(
                f"image_size is {self.image_size}; use map_side x block_px "
                f"({self.map_side} x {self.block_px}) times a power of two"
            )

    @property
    def frames(self) -> int:
        """Frames of a training clip."""
        return self.observed + self.future

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each size, the largest size first."""
        halvings = (self.image_size // self.block_px // self.map_side).bit_length() - 1
        return tuple(min(self.width << level, self.width_most) for level in range(halvings + 1))
