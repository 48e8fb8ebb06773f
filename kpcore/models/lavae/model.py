"""LAVAE: a picture as a number of sprites at locations; and its baseline, a grid of cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from kpcore.api import Context, Decoder, Decoding, Encoding, Evidence, Image, KeypointModel, Layers
from kpcore.capabilities import Capabilities
from kpcore.errors import InputError, ShapeError
from kpcore.geometry.coordinates import pixel_centres
from kpcore.latents import Latents, Topology
from kpcore.models.lavae.config import GridVaeConfig, LavaeConfig
from kpcore.models.lavae.locations import blurred, maxima
from kpcore.models.lavae.networks import AppearanceMap, GridVae, LocationMap, SpriteDecoder
from kpcore.nn.row_cache import RowCache

_FAINT = 1e-4


class Lavae(KeypointModel):
    """Objects as location and appearance (Dittadi and Winther, 2019).

    An object is a pixel and L numbers; the picture is the sum of the sprites that these decode to,
    each at its pixel. The number of objects is counted from the location map, so that a model that
    learned from up to three objects finds seven.

    Departs: the sum is clamped to one; beyond the counted objects, the slots lie at the next best
    maxima with presence 0, so that switching one on shows what the model almost saw there.
    """

    def __init__(self, config: LavaeConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.appearance = AppearanceMap(c.channels, c.width, c.features, c.half_appearance)
        self.location = LocationMap(c.channels, c.width)
        self.sprites = SpriteDecoder(c.features, c.sprite_width or c.width, c.channels, c.sprite)
        self.auxiliary = GridVae(c.channels, c.auxiliary_width, 8, halvings=2)
        self.count_logits = nn.Parameter(torch.zeros(c.objects + 1))

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.objects,
            features=c.features,
            presence="count",
            layers=True,
            glimpse_px=c.sprite,
            fixed_count=False,
            lattice=(c.image_size, c.image_size),
            confidence=True,
        )

    # -- encoding ------------------------------------------------------------------------------
    def binary(self, image: Image) -> Float[Tensor, "B C H W"]:
        """Return the pictures as the networks see them: every value 0 or 1."""
        seen = image if self.config.channels == 3 else image.mean(1, keepdim=True)
        binary = (seen > 0.5).to(image.dtype)
        return binary.contiguous(memory_format=torch.channels_last)

    def logits(self, seen: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W"]:
        """Return the location logits, before gamma."""
        return self.location(seen)

    def found(self, logits: Float[Tensor, "B H W"]) -> tuple[Int[Tensor, "B M"], Int[Tensor, " B"]]:
        """Return the M best local maxima of each picture, best first, and how many are objects."""
        best, index = self._best(self._smoothed(logits))
        return index, (best > self.config.threshold).sum(1)

    def _smoothed(self, logits: Float[Tensor, "B H W"]) -> Float[Tensor, "B H W"]:
        sigma = self.config.smoothing
        return blurred(logits[:, None], sigma).squeeze(1) if sigma else logits

    def _best(
        self, logits: Float[Tensor, "B H W"]
    ) -> tuple[Float[Tensor, "B M"], Int[Tensor, "B M"]]:
        """Return the logits and places of the M best local maxima."""
        peaks = maxima(logits, -math.inf, self.config.radius)
        score = torch.where(peaks, logits, logits - 1e6).flatten(1)
        best, index = score.topk(self.config.objects, dim=1)
        return best, index

    def evidence(self, image: Image) -> Evidence:
        """Return the location map, and how probable each number of objects is.

        Departs: the paper counts with certainty, q(n | x) a delta at the maxima above the
        threshold. Here every maximum is an object by the logistic of how far its logit, times
        gamma, lies above the threshold, independently of the others; the count of the encoding is
        the one where every maximum falls to its likelier side.
        """
        c = self.config
        logits = self._smoothed(self.logits(self.binary(image)))
        best, _ = self._best(logits)
        present = (c.sharpness * (best - c.threshold)).sigmoid()
        confidence = (c.sharpness * (logits - c.threshold)).sigmoid()
        return Evidence(confidence[:, None], counted(present))

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the counted objects of each image, then the next best places as absent ones."""
        c = self.config
        size = c.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, size, size):
            raise ShapeError(
                f"the image has shape {tuple(image.shape)}; this model takes (B, 3, {size}, {size})"
            )
        seen = self.binary(image)
        index, count = self.found(self.logits(seen))
        told = self.appearance(seen).flatten(2)
        rows = index[:, None].expand(-1, told.shape[1], -1)
        mean, log_var = told.gather(2, rows).transpose(1, 2).chunk(2, dim=-1)
        slots = torch.arange(c.objects, device=image.device)
        return Encoding(
            Latents(
                position=self.places(index),
                topology=Topology.flat(c.objects),
                feature=mean.contiguous(),
                feature_log_var=log_var.contiguous(),
                presence=(slots < count[:, None]).to(image.dtype),
            )
        )

    def places(self, index: Int[Tensor, "*n"]) -> Float[Tensor, "*n 2"]:
        """Return the unit coordinates of pixels by their flat index."""
        centres = pixel_centres(self.config.image_size, index.device)
        size = self.config.image_size
        return torch.stack([centres[index % size], centres[index // size]], dim=-1)

    # -- decoding ------------------------------------------------------------------------------
    def patches(self, feature: Float[Tensor, "B K L"]) -> Float[Tensor, "B K 4 S S"]:
        """Return every object's sprite as straight colour and alpha, whose product it is."""
        batch, count = feature.shape[:2]
        sprite = self.sprites(feature.flatten(0, 1))
        alpha = sprite.amax(1, keepdim=True)
        colour = (sprite / alpha.clamp(min=_FAINT)).expand(-1, 3, -1, -1)
        side = self.config.sprite
        return torch.cat([colour, alpha], dim=1).view(batch, count, 4, side, side)

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the sum of the present objects' sprites, clamped to one."""
        return self._picture(latents, self.patches(self._feature(latents)))

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that runs no network while appearances stay."""
        sprites = RowCache(self.patches)
        return lambda latents: self._picture(latents, sprites(self._feature(latents)))

    def _feature(self, latents: Latents) -> Float[Tensor, "B K L"]:
        value, width = latents.feature, self.config.features
        if value is None or value.shape[-1] != width or len(latents.batch_shape) != 1:
            seen = "none" if value is None else f"shape {tuple(value.shape)}"
            raise ShapeError(
                f"feature: {seen}; this model decodes a batch of images with {width} numbers each"
            )
        return value

    def _picture(self, latents: Latents, patches: Float[Tensor, "B K 4 S S"]) -> Decoding:
        size = self.config.image_size
        black = patches.new_zeros(len(patches), 3, size, size)
        layers = Layers(patches, black, rule="sum")
        return Decoding(layers.composite(latents), layers)

    # -- the generative model -------------------------------------------------------------------
    def sample(
        self, counts: Sequence[float] | None = None, batch: int = 1, seed: int = 0
    ) -> Latents:
        """Draw pictures from the prior (LAVAE sec. 2.1).

        Args:
            counts: Probability of each number of objects from 0; None for the learned ones. The
                paper draws 4 or 5 objects from a model of at most three.
            batch: Pictures.
            seed: Of the draw.

        Raises:
            InputError: There are more numbers than M + 1, or they are no probabilities.
        """
        c, device = self.config, self.count_logits.device
        chance = torch.Generator().manual_seed(seed)
        weights = self.count_logits.detach().softmax(-1).cpu()
        if counts is not None:
            weights = torch.as_tensor(list(counts), dtype=torch.float32)
            if not 1 <= len(weights) <= c.objects + 1 or weights.min() < 0 or weights.sum() <= 0:
                raise InputError(
                    f"{list(counts)} are no probabilities of 0 to {c.objects} objects; give up to "
                    f"{c.objects + 1} numbers of at least 0, not all of them 0"
                )
        number = torch.multinomial(weights, batch, replacement=True, generator=chance)
        pixels = torch.stack(
            [torch.randperm(c.image_size**2, generator=chance)[: c.objects] for _ in range(batch)]
        )
        feature = torch.randn(batch, c.objects, c.features, generator=chance)
        presence = (torch.arange(c.objects) < number[:, None]).float()
        return Latents(
            self.places(pixels.to(device)),
            Topology.flat(c.objects),
            feature=feature.to(device),
            presence=presence.to(device),
        )

    @torch.no_grad()
    def log_weights(self, image: Image, samples: int) -> Float[Tensor, "samples B"]:
        """Return log p(x, z) - log q(z | x) of draws z: their mean of exponentials is p(x).

        Locations are drawn among the counted maxima, in random order, by the soft-max there; this
        is the model's own posterior to within the mass that it has elsewhere, and any q is valid.

        Source: LAVAE sec. 3.3, the importance-weighted bound with 100 samples.
        """
        c, seen = self.config, self.binary(image)
        raw = self.logits(seen)
        index, count = self.found(raw)
        told = self.appearance(seen).flatten(2)
        sharp = c.sharpness * raw.flatten(1)
        log_p = self.count_logits.log_softmax(-1)[count]
        slots = torch.arange(c.objects, device=image.device)
        present = slots < count[:, None]
        own = torch.where(present, sharp.gather(1, index), sharp.new_tensor(-torch.inf))
        weights: list[Tensor] = []
        for _ in range(samples):
            order, log_q = _ordered(own)
            chosen = index.gather(1, order)
            rows = chosen[:, None].expand(-1, told.shape[1], -1)
            mean, log_var = told.gather(2, rows).transpose(1, 2).chunk(2, dim=-1)
            noise = torch.randn_like(mean)
            z = mean + (0.5 * log_var).exp() * noise
            shown = present.to(z.dtype)
            kl = (0.5 * (noise**2 + log_var - z**2)).sum(-1)
            # Without replacement from all pixels: 1 / (D - i) each.
            where = -(sharp.shape[1] - slots).to(z.dtype).log()
            total = log_p + ((kl + where) * shown).sum(1) - log_q
            weights.append(total + self._log_likelihood(seen, chosen, z, shown))
        return torch.stack(weights)

    def _log_likelihood(
        self, seen: Tensor, index: Tensor, feature: Tensor, shown: Tensor
    ) -> Float[Tensor, " B"]:
        c = self.config
        batch, count = feature.shape[:2]
        sprite = feature.new_zeros(batch, count, c.channels, c.sprite**2)
        sprite[shown > 0.5] = self.sprites(feature[shown > 0.5]).flatten(2)
        room = c.image_size + c.sprite - 1
        steps = torch.arange(c.sprite, device=seen.device)
        rows = (index // c.image_size)[..., None] + steps
        columns = (index % c.image_size)[..., None] + steps
        flat = (rows[..., :, None] * room + columns[..., None, :]).flatten(2)
        canvas = seen.new_zeros(batch, c.channels, room * room)
        for slot in range(count):
            spread = flat[:, slot, None].expand(-1, c.channels, -1)
            canvas.scatter_add_(2, spread, sprite[:, slot])
        margin = c.sprite // 2
        inner = slice(margin, margin + c.image_size)
        total = canvas.view(batch, c.channels, room, room)[:, :, inner, inner]
        return -binary_cross_entropy(total, seen, c.floor)


def counted(present: Float[Tensor, "B M"]) -> Float[Tensor, "B N"]:
    """Return the probability of 0 to M of M independent things, each there with its own."""
    chance = present.new_zeros(len(present), present.shape[1] + 1)
    chance[:, 0] = 1.0
    for one in present.unbind(1):
        more = nn.functional.pad(chance[:, :-1], (1, 0))
        chance = chance * (1.0 - one[:, None]) + more * one[:, None]
    return chance


def _ordered(
    scores: Float[Tensor, "B M"],
) -> tuple[Int[Tensor, "B M"], Float[Tensor, " B"]]:
    """Draw the finite scores one after the other by soft-max; the order, and its log-probability.

    By adding Gumbel noise and sorting; places that are not finite come last and count nothing.
    """
    gumbel = -torch.empty_like(scores).exponential_().clamp(min=1e-20).log()
    order = (scores + gumbel).argsort(dim=1, descending=True)
    sorted_ = scores.gather(1, order)
    rest = sorted_.flip(1).logcumsumexp(1).flip(1)
    step = torch.where(sorted_.isfinite(), sorted_ - rest, torch.zeros_like(rest))
    return order, step.sum(1)


def binary_cross_entropy(
    probability: Float[Tensor, "B C H W"], seen: Float[Tensor, "B C H W"], floor: float
) -> Float[Tensor, " B"]:
    """Return -log p of binary pictures, summed over pixels, in nats.

    Probabilities get a floor, and are clamped from above only: clamped from below, a pixel that no
    sprite covers would have no gradient.
    """
    p = (floor + (1.0 - floor) * probability).clamp(max=1.0 - floor)
    return -torch.where(seen > 0.5, p.log(), (1.0 - p).log()).flatten(1).sum(1)


class GridVaeModel(KeypointModel):
    """The paper's baseline, a fully convolutional beta-VAE with 1,024 numbers in 8 x 8 cells.

    Its cells are its particles: moving one carries its numbers to another cell, where they are
    added to those already there.
    """

    def __init__(self, config: GridVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.vae = GridVae(config.channels, config.width, config.features, halvings=3)

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.cells**2,
            features=c.features,
            fixed_count=False,
            lattice=(c.cells, c.cells),
        )

    def binary(self, image: Image) -> Float[Tensor, "B C H W"]:
        """Return the pictures as the network sees them: every value 0 or 1."""
        seen = image if self.config.channels == 3 else image.mean(1, keepdim=True)
        binary = (seen > 0.5).to(image.dtype)
        return binary.contiguous(memory_format=torch.channels_last)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the mean of every cell."""
        c = self.config
        size = c.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, size, size):
            raise ShapeError(
                f"the image has shape {tuple(image.shape)}; this model takes (B, 3, {size}, {size})"
            )
        mean, log_var = self.vae.posterior(self.binary(image))
        return Encoding(
            Latents(
                position=self._grid(len(image), image.device),
                topology=Topology.flat(c.cells**2),
                feature=mean.flatten(2).transpose(1, 2).contiguous(),
                feature_log_var=log_var.flatten(2).transpose(1, 2).contiguous(),
            )
        )

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of cells, each particle's numbers added to the cell it lies in."""
        c, feature = self.config, latents.feature
        if feature is None or feature.shape[-1] != c.features or len(latents.batch_shape) != 1:
            seen = "none" if feature is None else f"shape {tuple(feature.shape)}"
            raise ShapeError(
                f"feature: {seen}; this model decodes a batch of images with {c.features} each"
            )
        cell = ((latents.position + 1.0) * c.cells / 2.0).floor().long().clamp(0, c.cells - 1)
        flat = (cell[..., 1] * c.cells + cell[..., 0])[..., None].expand(-1, -1, c.features)
        grid = feature.new_zeros(len(feature), c.cells**2, c.features)
        grid = grid.scatter_add(1, flat, feature).transpose(1, 2)
        picture = self.vae(grid.reshape(len(feature), c.features, c.cells, c.cells)).sigmoid()
        return Decoding(picture.expand(-1, 3, -1, -1))

    def sample(
        self, counts: Sequence[float] | None = None, batch: int = 1, seed: int = 0
    ) -> Latents:
        """Draw pictures from the prior: every cell's numbers from N(0, 1).

        Raises:
            InputError: Numbers of objects are asked for, of which this model knows nothing.
        """
        if counts is not None:
            raise InputError(
                "the fully convolutional baseline has no number of objects to choose; leave the "
                "probabilities out"
            )
        c, device = self.config, next(self.parameters()).device
        chance = torch.Generator().manual_seed(seed)
        feature = torch.randn(batch, c.cells**2, c.features, generator=chance).to(device)
        return Latents(self._grid(batch, device), Topology.flat(c.cells**2), feature=feature)

    def _grid(self, batch: int, device: torch.device) -> Float[Tensor, "B K 2"]:
        """Unit coordinates of the cells' middles, row by row."""
        centres = pixel_centres(self.config.cells, device)
        grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1).view(1, -1, 2)
        return grid.expand(batch, -1, -1).contiguous()

    @torch.no_grad()
    def log_weights(self, image: Image, samples: int) -> Float[Tensor, "samples B"]:
        """Return log p(x, z) - log q(z | x) of draws z."""
        seen = self.binary(image)
        mean, log_var = self.vae.posterior(seen)
        weights: list[Tensor] = []
        for _ in range(samples):
            noise = torch.randn_like(mean)
            z = mean + (0.5 * log_var).exp() * noise
            kl = 0.5 * (noise**2 + log_var - z**2).flatten(1).sum(1)
            probability = self.vae(z).sigmoid()
            weights.append(kl - binary_cross_entropy(probability, seen, self.config.floor))
        return torch.stack(weights)
