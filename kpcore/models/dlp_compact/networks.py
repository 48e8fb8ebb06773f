"""The small networks of the compact DLP Object model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kpcore.geometry.coordinates import pixel_centres
from kpcore.models.dlp_compact.config import CompactConfig

_BASIS_GAIN = 10.0
"""Learned pictures are stored divided by this; they then keep pace with the networks."""


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """What every cell proposes, cells row by row.

    Attributes:
        position: (x, y) in unit coordinates.
        log_var: natural log of the variance, squared unit coordinates.
        presence_logit: before the sigmoid.
    """

    position: Float[Tensor, "B N 2"]
    log_var: Float[Tensor, "B N 2"]
    presence_logit: Float[Tensor, "B N"]

    def choose(self, order: Tensor) -> Proposals:
        """Return the proposals at `order` (B, K)."""
        pair = order[..., None].expand(-1, -1, 2)
        return Proposals(
            self.position.gather(1, pair),
            self.log_var.gather(1, pair),
            self.presence_logit.gather(1, order),
        )


class ProposalEncoder(nn.Module):
    """Every cell of the picture proposes one particle.

    Departs: the paper flattens the maps into a fully connected layer; on short runs its positions
    become constants, while a convolution proposes by what it sees.
    """

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        width = config.encoder_width
        layers: list[nn.Module] = [_conv(3, width // 4, 5, 2)]
        channels = width // 4
        if config.cell_px == 4:
            layers += [_conv(channels, width // 2, 3, 2), _conv(width // 2, width)]
        else:
            layers += [_conv(channels, width // 2, 3, 2), _conv(width // 2, width, 3, 2)]
        if config.cell_px == 16:
            layers += [_conv(width, width, 3, 2)]
        layers += [_conv(width, width), _conv(width, width)]
        self.trunk = nn.Sequential(*layers)
        self.place = nn.Conv2d(width, 4, 1)
        self.presence = nn.Sequential(nn.Conv2d(width, 64, 1), nn.ReLU(), nn.Conv2d(64, 1, 1))
        nn.init.normal_(self.place.weight, std=0.01)
        with torch.no_grad():
            self.place.bias.copy_(torch.tensor([0.0, 0.0, -5.0, -5.0]))  # type: ignore[union-attr]
        self.reach = config.reach_px * 2.0 / config.image_size
        middle = pixel_centres(config.cells)
        grid = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), dim=-1)
        self.register_buffer("centres", grid.reshape(-1, 2), persistent=False)
        self.centres: Tensor

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Proposals:
        """Return one proposal per cell."""
        maps = self.trunk(image)
        place = self.place(maps)
        offset = torch.tanh(place[:, :2]) * self.reach
        return Proposals(
            self.centres + offset.flatten(2).transpose(1, 2),
            place[:, 2:].flatten(2).transpose(1, 2),
            self.presence(maps).flatten(1),
        )

    def offsets(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B h w 2"]:
        """Return what each cell adds to its middle, for a picture or a crop of whole cells."""
        return (torch.tanh(self.place(self.trunk(image))[:, :2]) * self.reach).permute(0, 2, 3, 1)


def choose_apart(
    position: Float[Tensor, "B N 2"], score: Float[Tensor, "B N"], count: int, apart: float
) -> Tensor:
    """Return the indices (B, count) of the highest scores, none near a higher one.

    A proposal nearer than `apart` to a chosen one is taken only when no other is left.
    """
    score = score.detach().clone()
    position = position.detach()
    chosen: list[Tensor] = []
    for _ in range(count):
        best = score.argmax(1, keepdim=True)
        chosen.append(best)
        here = position.gather(1, best[..., None].expand(-1, -1, 2))
        near = ((position - here) ** 2).sum(-1) < apart**2
        score = torch.where(near, score - 1e4, score).scatter(1, best, -torch.inf)
    return torch.cat(chosen, dim=1)


class GlimpseEncoder(nn.Module):
    """Glimpse to mean and log-variance of its features (DLP sec. 4.2, fewer channels)."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 3, config.glimpse_px
        for width in (16, 32, 32):
            if side > 4:
                layers.append(_conv(channels, width, 3, 2))
                channels, side = width, side // 2
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(channels * side * side, 128), nn.ReLU(), nn.Linear(128, 2 * config.features)
        )

    def forward(
        self, glimpses: Float[Tensor, "N 3 S S"]
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N D"]]:
        """Return mean and log-variance."""
        mean, log_var = self.head(self.body(glimpses)).chunk(2, dim=-1)
        return mean, log_var


class GlimpseDecoder(nn.Module):
    """Features to straight RGB and alpha of a glimpse (DLP sec. 4.4, fewer channels).

    Departs: the last doubling rearranges channels into pixels, a quarter of the work at full size;
    alpha starts near 0.27 (bias -1), so that particles do not paint the ground first.
    """

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.side = config.glimpse_px // 4
        self.head = nn.Sequential(
            nn.Linear(config.features, 128), nn.ReLU(), nn.Linear(128, 32 * self.side**2), nn.ReLU()
        )
        last = nn.Conv2d(16, 16, 3, padding=1)
        with torch.no_grad():
            last.bias[12:] = -1.0  # type: ignore[index]
        self.body = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            _conv(32, 16),
            last,
            nn.PixelShuffle(2),
            nn.Sigmoid(),
        )

    def forward(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "N 4 S S"]:
        """Return RGB, then alpha."""
        return self.body(self.head(features).view(-1, 32, self.side, self.side))


class BackgroundEncoder(nn.Module):
    """The picture at 16 x 16 to a short code.

    Departs: the published model feeds heatmaps and particle features to the background decoder;
    here it sees nothing of them, so moving a particle cannot change the rest.
    """

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(3, 16, 3, 2), _conv(16, 32, 3, 2), nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, config.background_features)
        )

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        """Return the background's code."""
        return self.head(self.body(F.adaptive_avg_pool2d(image, 16)))


class BackgroundDecoder(nn.Module):
    """A coarse picture from a small decoder plus a mixture of learned full-size pictures."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        size = config.image_size
        self.coarse = nn.Sequential(nn.Linear(config.background_features, 256), nn.ReLU())
        self.refine = nn.Sequential(_conv(16, 16), nn.Conv2d(16, 3, 3, padding=1))
        self.bases = (
            _LearnedPictures(config.background_features, config.background_bases, size)
            if config.background_bases
            else None
        )
        self.size = size

    def forward(self, code: Float[Tensor, "B E"]) -> Float[Tensor, "B 3 H W"]:
        """Return the background (not clamped)."""
        small = F.interpolate(self.coarse(code).view(-1, 16, 4, 4), size=(16, 16), mode="bilinear")
        smooth = F.interpolate(self.refine(small), size=(self.size, self.size), mode="bilinear")
        return smooth if self.bases is None else smooth + self.bases(code)


class _LearnedPictures(nn.Module):
    """One learned picture plus a mixture of others: what a fixed camera's ground is made of."""

    def __init__(self, features: int, count: int, size: int) -> None:
        super().__init__()
        self.mixture = nn.Linear(features, count)
        self.pictures = nn.Parameter(torch.randn(count, 3, size, size) * 1e-3)
        self.still = nn.Parameter(torch.full((3, size, size), 0.5 / _BASIS_GAIN))

    def forward(self, code: Float[Tensor, "B E"]) -> Float[Tensor, "B 3 H W"]:
        mixed = torch.einsum("bm,mchw->bchw", self.mixture(code), self.pictures)
        return (self.still + mixed) * _BASIS_GAIN


class PatchPrior(nn.Module):
    """Proposes a keypoint in every patch by spatial softmax (DLP sec. 4.1, fewer channels)."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.patch = config.prior_patch_px
        self.kept = config.prior_kept
        self.body = nn.Sequential(_conv(3, 8, 3, 2), _conv(8, 16, 3, 2), nn.Conv2d(16, 1, 1))
        middle = pixel_centres(config.image_size // self.patch)
        grid = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), dim=-1)
        self.register_buffer("centres", grid.reshape(-1, 2), persistent=False)
        self.centres: Tensor

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B L 2"]:
        """Return the kept proposals, farthest from their patch's middle first."""
        batch, _, height, width = image.shape
        d, rows, columns = self.patch, height // self.patch, width // self.patch
        patches = image.view(batch, 3, rows, d, columns, d).permute(0, 2, 4, 1, 3, 5)
        maps = self.body(patches.reshape(-1, 3, d, d)).squeeze(1)
        along = pixel_centres(maps.shape[-1], image.device, image.dtype)
        x = (maps.mean(1).softmax(-1) * along).sum(-1)
        y = (maps.mean(2).softmax(-1) * along).sum(-1)
        local = torch.stack([x, y], dim=-1).view(batch, -1, 2)
        offset = local / local.new_tensor([columns, rows])
        far = (offset**2).sum(-1).topk(min(self.kept, rows * columns), dim=1).indices
        return (self.centres + offset).gather(1, far[..., None].expand(-1, -1, 2))
