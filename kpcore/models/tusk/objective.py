"""TUSK's losses, and the random warps that its equivariance is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.api import Batch, Group, Image, LossReport, Phase, Progress
from kpcore.geometry.coordinates import pixel_centres
from kpcore.geometry.thin_plate import thin_plate
from kpcore.losses.clustering import (
    mean_square_distances,
    mixture_weights,
    sample_mixture,
    sliced_wasserstein,
    soft_k_means,
)
from kpcore.losses.perceptual import download, load_vgg16
from kpcore.models.tusk.config import TuskConfig
from kpcore.models.tusk.model import Keypoints, Tusk
from kpcore.models.tusk.networks import Maps, nearest_prototype

_MARGIN = 1.4
"""The published warps take place on pictures with a border of a fifth on each side: their unit is
so many of ours."""
_TAPS = (3, 8, 15, 22)
_VGG_SIDE = 224
_MEAN, _DEVIATION = [[[0.485]], [[0.456]], [[0.406]]], [[[0.229]], [[0.224]], [[0.225]]]
_COARSE = 4
_BETAS = (0.5, 0.999)
_LIGHT_SCALE, _LIGHT_BEND, _LIGHT_SHIFT, _LIGHT_TURN = (0.98, 0.02), 0.03, 0.02, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Two warped views of pictures.

    Attributes:
        first: Lightly warped.
        second: `first` warped again.
        grid: Where each pixel of `second` lies in `first`, in unit coordinates.
    """

    first: Image
    second: Image
    grid: Float[Tensor, "B H W 2"]


class NetworksObjective:
    """Reconstruction, clustering and equivariance: what encoder and decoder minimise."""

    def __init__(self, model: Tusk, config: TuskConfig) -> None:
        self._model, self._config = model, config
        self._perceptual = (
            FeatureDifference(config.vgg_weights) if config.reconstruction == "perceptual" else None
        )

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss."""
        c, model = self._config, self._model
        views = two_views(batch.image, c)
        maps = model.networks.encoder(torch.cat([views.first, views.second]))
        first, second = (Maps(*part) for part in zip(*(m.chunk(2) for m in maps), strict=True))
        grid = _coarse(views.grid, c.fold)
        wanted, seen = views.second, second
        if c.views == "both":
            wanted, seen = torch.cat([views.first, views.second]), maps
        found = model.find(seen)
        prototypes = model.prototypes().detach()
        image = self._decoded(found, prototypes)
        risen = min(1.0, progress.step / (c.rise * progress.steps)) if c.rise else 1.0
        terms = {
            "reconstruction": c.reconstruction_weight * self._difference(image, wanted),
            "cluster": risen * c.cluster_weight * self._cluster(found, prototypes),
            "heatmap": c.heatmap_weight
            * F.mse_loss(_warped(first.score[:, None], grid)[:, 0], second.score),
            "feature": c.feature_weight
            * feature_difference(_warped(first.feature, grid), second.feature, c.relative_features),
        }
        if c.attention_weight:
            score = second.score if c.views == "second" else maps.score
            terms["attention"] = c.attention_weight * attention_loss(
                score, (image.detach() - wanted).square().mean(1), c
            )
        if not c.alternate:
            terms["prototypes"] = prototype_loss(
                found.descriptor.detach().flatten(0, 1), model.prototypes(), c
            )
        monitors = {
            "psnr_db": -10.0 * F.mse_loss(image.detach(), wanted).log10(),
            "confidence": found.confidence.detach().mean(),
        }
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _decoded(self, found: Keypoints, prototypes: Float[Tensor, "M C"]) -> Image:
        if self._config.clustering == "vector-quantisation":
            # Forward the nearest prototype, backward the descriptor (table 6).
            code = prototypes[nearest_prototype(found.descriptor, prototypes)]
            straight = found.descriptor + (code - found.descriptor).detach()
            found = Keypoints(found.position, found.confidence, straight)
        model = self._model
        if self._config.blend == "sum":
            return model.drawn(found)
        return model.blended(model.layers(found), found.confidence).image

    def _cluster(self, found: Keypoints, prototypes: Float[Tensor, "M C"]) -> Float[Tensor, ""]:
        descriptor = found.descriptor.flatten(0, 1)
        if self._config.clustering == "vector-quantisation":
            return mean_square_distances(descriptor, prototypes).amin(1).mean()
        return soft_k_means(descriptor, prototypes, self._config.sharpness)

    def _difference(self, image: Image, wanted: Image) -> Float[Tensor, ""]:
        if self._perceptual is None:
            return F.mse_loss(image, wanted)
        return self._perceptual.to(image.device)(image, wanted)


class PrototypesObjective:
    """What the prototypes minimise while the networks rest.

    Descriptors are computed once for the steps that share a batch, from the pictures as they are.
    Those of earlier batches, as the networks made them then, may stand beside them.
    """

    def __init__(self, model: Tusk, config: TuskConfig) -> None:
        self._model, self._config = model, config
        self._key: tuple[object, ...] = ()
        self._descriptor: Tensor | None = None
        self.memory: dict[str, Tensor] = {}

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss."""
        loss = prototype_loss(
            self._descriptors(batch.image), self._model.prototypes(), self._config
        )
        return LossReport(loss, {"prototypes": loss})

    def _descriptors(self, image: Image) -> Float[Tensor, "N C"]:
        weights = self._model.networks.encoder.parameters()
        key = (image, *(weight._version for weight in weights))
        if self._descriptor is None or not _same(key, self._key):
            with torch.no_grad():
                found = self._model.find(self._model.networks.encoder(image))
            new = found.descriptor.flatten(0, 1)
            recent = [self.memory[name].to(new) for name in sorted(self.memory)]
            if not recent or not torch.equal(recent[-1], new):  # else a run was cut off in between
                recent = [*recent, new][-1 - self._config.memory :]
            self.memory.update((f"{age:04}", value) for age, value in enumerate(recent))
            self._descriptor, self._key = torch.cat(recent), key
        return self._descriptor


def _same(a: tuple[object, ...], b: tuple[object, ...]) -> bool:
    return len(a) == len(b) and a[0] is b[0] and a[1:] == b[1:]


def feature_difference(
    a: Float[Tensor, "B C h w"], b: Float[Tensor, "B C h w"], relative: bool
) -> Float[Tensor, ""]:
    """Return the mean squared difference of two feature maps.

    Args:
        a: One.
        b: The other.
        relative: Divide each channel's by the variance of both: 0 for equal maps, 2 for maps that
            have nothing to do with each other, whatever their scale.
    """
    if not relative:
        return F.mse_loss(a, b)
    spread = 0.5 * (a.var((0, 2, 3)) + b.var((0, 2, 3)))
    return ((a - b).square().mean((0, 2, 3)) / (spread + 1e-8)).mean()


def attention_loss(
    score: Float[Tensor, "B h w"], error: Float[Tensor, "B H W"], config: TuskConfig
) -> Float[Tensor, ""]:
    """Return the negative covariance of scores with the error in the window around them.

    Args:
        score: Of the pictures.
        error: Squared error of their reconstruction, without gradient.
        config: Has the window.
    """
    around = F.avg_pool2d(error[:, None], config.fold)
    around = F.avg_pool2d(around, config.window, 1, config.window // 2)[:, 0]
    surplus = around - around.mean((1, 2), keepdim=True)
    return -(score * surplus).mean()


def prototype_loss(
    descriptor: Float[Tensor, "N C"], prototypes: Float[Tensor, "M C"], config: TuskConfig
) -> Float[Tensor, ""]:
    """Return how far the prototypes are from the descriptors (table 6 has the three ways)."""
    if config.clustering != "sliced-wasserstein":
        return mean_square_distances(descriptor, prototypes).amin(1).mean()
    weights = mixture_weights(descriptor, prototypes, config.exploration)
    points = sample_mixture(prototypes, weights, len(descriptor), config.mixture_sigma)
    return sliced_wasserstein(points, descriptor, config.projections)


# -- warps --------------------------------------------------------------------------------------
def two_views(image: Image, config: TuskConfig) -> Views:
    """Return two warped views of pictures.

    Source: the released code. Departs: one grid convention throughout (pixel centres inside the
    edges); the released one mixes two that differ by half a pixel at the border.
    """
    light = _grid(image, _LIGHT_SCALE, _LIGHT_BEND, _LIGHT_SHIFT, _LIGHT_TURN)
    strong = _grid(image, config.warp_scale, config.warp_bend, config.warp_shift, config.warp_turn)
    first = _warped(image, light, config.border)
    return Views(first, _warped(first, strong, config.border), strong)


def _coarse(grid: Float[Tensor, "B H W 2"], fold: int) -> Float[Tensor, "B h w 2"]:
    """The grid at the middles of squares of `fold` x `fold` pixels."""
    return F.avg_pool2d(grid.permute(0, 3, 1, 2), fold).permute(0, 2, 3, 1)


def _warped(
    maps: Float[Tensor, "B C H W"], grid: Float[Tensor, "B H W 2"], border: str = "reflection"
) -> Float[Tensor, "B C H W"]:
    if border == "reflection":
        return F.grid_sample(maps, grid, padding_mode="reflection", align_corners=False)
    if border == "white":
        return 1.0 - F.grid_sample(1.0 - maps, grid, align_corners=False)
    return F.grid_sample(maps, grid, align_corners=False)


def _grid(
    image: Image, scale: tuple[float, float], bend: float, shift: float, turn: float
) -> Float[Tensor, "B H W 2"]:
    """A random thin-plate spline and similarity for each picture, as a grid of source places.

    The spline is smooth: it is evaluated at every `_COARSE`-th pixel and interpolated.
    """
    batch, (height, width) = len(image), (side // _COARSE for side in image.shape[-2:])

    def uniform(*shape: int) -> Tensor:
        return 2.0 * torch.rand(batch, *shape, device=image.device) - 1.0

    corners = image.new_tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    sides = image.new_tensor([[0.0, -1.0], [0.0, 1.0], [-1.0, 0.0], [1.0, 0.0]])
    inner = torch.cat([0.7 * corners, 0.5 * corners]) + 0.1 * uniform(8, 2)
    fixed = 0.99 * torch.cat([corners, sides]).expand(batch, -1, -1)
    centres = torch.cat([inner, fixed], dim=1)
    places = torch.cat([inner + bend * uniform(8, 2), fixed], dim=1)
    spline = thin_plate(centres, places)
    factor = scale[0] + scale[1] * uniform(1, 1)
    angle = turn * uniform(1)
    cosine, sine = angle.cos(), angle.sin()
    matrix = torch.stack([torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)], dim=1)
    y, x = pixel_centres(height, image.device), pixel_centres(width, image.device)
    plane = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).view(1, -1, 2) / _MARGIN
    moved = factor * (plane @ matrix) + shift * uniform(1, 2)
    places = (spline(moved) * _MARGIN).view(batch, height, width, 2).permute(0, 3, 1, 2)
    return _enlarged(places).permute(0, 2, 3, 1)


def _enlarged(places: Float[Tensor, "B 2 h w"]) -> Float[Tensor, "B 2 H W"]:
    """The places at `_COARSE` times as many pixels; straight on beyond the outermost ones."""
    for axis in (2, 3):
        first, last = places.narrow(axis, 0, 1), places.narrow(axis, -1, 1)
        before = 2.0 * first - places.narrow(axis, 1, 1)
        after = 2.0 * last - places.narrow(axis, places.shape[axis] - 2, 1)
        places = torch.cat([before, places, after], dim=axis)
    wide = F.interpolate(places, scale_factor=_COARSE, mode="bilinear", align_corners=False)
    return wide[:, :, _COARSE:-_COARSE, _COARSE:-_COARSE]


class FeatureDifference(nn.Module):
    """Mean absolute differences of VGG16's features, summed over four layers.

    Source: TUSK eq. 1 with all factors 1; the released code takes the activations before each of
    the first four halvings (the third and fourth block's last), of pictures enlarged to 224.
    """

    def __init__(self, weights: str = "") -> None:
        """Load the frozen network.

        Args:
            weights: Path of torchvision's VGG16 state dict; empty downloads it to the cache.

        Raises:
            DataError: The file is missing or not VGG16, or cannot be downloaded.
        """
        super().__init__()
        self.features = nn.Sequential(
            *list(load_vgg16(weights or download()).children())[: max(_TAPS) + 1]
        )
        self.requires_grad_(False).eval()

    def forward(self, a: Image, b: Image) -> Float[Tensor, ""]:
        """Return the difference."""
        pair = F.interpolate(torch.cat([a, b]), (_VGG_SIDE, _VGG_SIDE), mode="bilinear")
        pair = (pair - pair.new_tensor(_MEAN)) / pair.new_tensor(_DEVIATION)
        total = pair.new_zeros(())
        for index, layer in enumerate(self.features):
            pair = layer(pair)
            if index in _TAPS:
                first, second = pair.chunk(2)
                total = total + F.l1_loss(first, second)
        return total


def phases(model: Tusk, config: TuskConfig) -> Sequence[Phase]:
    """One step of the networks, then some of the prototypes on the same pictures (sec. 3.3)."""
    networks = NetworksObjective(model, config)
    own = Group(model.prototypes, lambda progress, rate: config.prototype_rate, _BETAS)
    if not config.alternate:
        return [Phase("together", model, networks, groups=(own,))]
    prototypes = PrototypesObjective(model, config)
    return [
        Phase("networks", model.networks, networks),
        Phase(
            "prototypes",
            model.prototypes,
            prototypes,
            config.prototype_steps,
            (own,),
            keeps_batch=True,
            memory=prototypes.memory,
        ),
    ]
