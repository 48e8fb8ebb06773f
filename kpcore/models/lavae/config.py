"""Every choice of LAVAE and of its fully convolutional baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class LavaeConfig:
    """Sizes, schedules and loss weights for multi-dSprites.

    Defaults are the paper's where it gives a value; those called ours stand where it gives none, or
    depart from it. Figures beside them are of short runs on one core.

    Schedules are fractions of a run until locations settle, so that a short run keeps the paper's
    proportions (30 k and 60 k of 100 k steps).

    Attributes:
        image_size: Side of the square pictures in pixels; a multiple of 4.
        channels: 3 for coloured pictures, 1 for black and white ones. Pictures are made binary at
            one half in either case, as the paper's are.
        objects: M, the most objects of a picture.
        features: L, numbers of an object's appearance.
        sprite: Side of a decoded sprite in pixels; odd, so that it has a middle pixel.
        width: Channels of all three networks; ours, for the paper's half a million weights in all.
        sprite_width: Channels of the sprite decoder where it has others; 0 for `width`.
        half_appearance: Compute the appearance map at half resolution (a departure that halves the
            time of a step and costs nothing).
        gamma: Factor on the location logits; 0 for half the logarithm of the number of pixels.
            The paper has 4.
        threshold: Of an object's logit, before gamma; the paper's 4 gamma after it.
        smoothing: Standard deviation in pixels of a blur of the logits before their maxima are
            sought; 0, as in the paper, is without. A long object's logits have a flat top, where
            chance makes two maxima.
        radius: Pixels within which an object's logit must be the greatest; 1 (3 x 3) is the least.
            Ours, a sixth of the largest object: the paper says "local maxima" and no more, and 2 is
            too little for objects of 19 pixels (97.5 % of pictures counted right, not 99.5 %).
        temperature: Of the Gumbel soft-max at the start and the end; falls exponentially.
        forced_until: Fraction of the run in which n is always 1.
        forced_to: Fraction by which its probability has fallen to `forced_floor`.
        forced_floor: Probability that n is forced to 1 from then on.
        restricted: Share of the other pictures whose locations are drawn from the counted maxima
            alone, which sharpens sprites; the rest draw from all pixels, as all do in the paper,
            which shapes locations. Ours: drawing all from the maxima took 50 nats off, but counts
            of seven objects sank from 93 % to 89 %.
        settled: Fraction of the run from which the location network and the auxiliary VAE stay as
            they are and objects lie at the counted maxima; what is left of the run is appearance
            and sprites, at half the time of a step. The paper has 1: never, though its rate of the
            location network falls to a hundredth.
        sharpening_rate: Learning rate of appearance and sprites by the run's, from there on: a
            fixed location stands a higher one, and short runs need it to tell shapes apart.
        auxiliary_steps: Steps in which only the auxiliary VAE learns. Ours: the paper begins all
            at once, and in a short run locations would follow a map that tells nothing yet.
        auxiliary_floor: Weight of its map in the location loss at the end; the paper: 0. With
            little of it, counts of more objects than were seen worsen late in a run. The weight
            falls from half of `forced_until` on (ours; from `forced_until` on in the paper).
        auxiliary_height: Logit that the map asks of an object, before gamma. Ours: the paper takes
            the map as it is, whose scale is any. At 10 the threshold lies at 40 % of an object's
            peak and the ground stays near 0; at 6 peaks lay at the threshold, and 90 % of pictures
            were counted right instead of all.
        auxiliary_blur: Standard deviation in pixels of the blur of the map, about half an object's
            radius: with less, an object's corners count; with more, neighbours merge. Ours, as are
            the next two: the paper's map, unblurred, is greatest at outlines and corners.
        auxiliary_surround: Standard deviation of a wider blur that is taken off, which parts
            neighbours.
        auxiliary_inhibition: How much of it.
        auxiliary_width: Channels of the auxiliary VAE; ours. Its map has a cell for every 4 pixels,
            the paper's has 11 x 11.
        floor: Least probability of a pixel; ours. Without one, a single pixel that no object covers
            makes the bound infinite.
        location_clamp: Largest gradient of one pixel of one picture that reaches a location; ours,
            ln 1000: with the default floor, the most that a pixel can say.
        location_rate: Learning rate of the location network by that of the rest, at the start.
        location_decay: The same at the end; the paper: a hundredth.
    """

    image_size: int = 64
    channels: int = 3
    objects: int = 10
    features: int = 32
    sprite: int = 21
    width: int = 48
    sprite_width: int = 0
    half_appearance: bool = False
    gamma: float = 4.0
    threshold: float = 4.0
    smoothing: float = 0.0
    radius: int = 3
    temperature: tuple[float, float] = (0.5, 0.02)
    forced_until: float = 0.3
    forced_to: float = 0.6
    forced_floor: float = 0.1
    restricted: float = 0.5
    settled: float = 1.0
    sharpening_rate: float = 1.0
    auxiliary_steps: int = 1_000
    auxiliary_floor: float = 0.0
    auxiliary_height: float = 10.0
    auxiliary_blur: float = 4.0
    auxiliary_surround: float = 6.0
    auxiliary_inhibition: float = 0.85
    auxiliary_width: int = 16
    floor: float = 1e-3
    location_clamp: float = 6.9
    location_rate: float = 0.5
    location_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise InputError(f"channels is {self.channels}; accepted are 1 and 3")
        if self.image_size % 4:
            raise InputError(f"image_size is {self.image_size}, not a multiple of 4; choose one")
        if self.sprite % 2 == 0 or self.sprite > self.image_size:
            raise InputError(
                f"sprite is {self.sprite}; accepted are odd sizes up to image_size "
                f"{self.image_size}"
            )
        for name in ("objects", "features", "width", "radius"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @property
    def sharpness(self) -> float:
        """The factor on the location logits."""
        return self.gamma or 0.5 * math.log(self.image_size**2)


@dataclass(frozen=True, slots=True)
class GridVaeConfig:
    """The fully convolutional VAE that the paper compares with.

    Attributes:
        image_size: Side of the square pictures in pixels; a multiple of 8.
        channels: 3 or 1.
        features: Numbers of each of the 8 x 8 cells; 16 gives the paper's 1,024.
        width: Channels; 64 gives about a million weights.
        warmup: Fraction of the run over which the KL's weight rises from 0 to 1; the paper: all.
        floor: Least probability of a pixel.
    """

    image_size: int = 64
    channels: int = 3
    features: int = 16
    width: int = 64
    warmup: float = 1.0
    floor: float = 1e-3

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise InputError(f"channels is {self.channels}; accepted are 1 and 3")
        if self.image_size % 8:
            raise InputError(f"image_size is {self.image_size}, not a multiple of 8; choose one")

    @property
    def cells(self) -> int:
        """Cells along a side."""
        return self.image_size // 8
