"""The landmark autoencoder's losses, and the random warps that its equivariance is tested on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from kpcore.api import Batch, Image, LossReport, Phase, Progress
from kpcore.geometry.coordinates import pixel_centres
from kpcore.geometry.flow import accumulated_flow
from kpcore.geometry.thin_plate import thin_plate
from kpcore.geometry.warps import smooth_field
from kpcore.losses.constraints import crowding
from kpcore.models.lmdis.config import LmdisConfig
from kpcore.models.lmdis.model import Detection, Lmdis

_GRID = 7
_FIRM = 1e-3
"""Stiffness of the splines whose control points are landmarks, which may coincide."""

Places = Float[Tensor, "B M 2"]


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """A map from coordinates of the warped picture to coordinates of its source.

    Attributes:
        go: Maps points in unit coordinates of the padded picture.
    """

    go: Callable[[Places], Places]

    def picture(self, image: Float[Tensor, "B C P P"]) -> Float[Tensor, "B C P P"]:
        """Return the pictures warped; what comes from outside repeats the edge."""
        y, x = (pixel_centres(side, image.device, image.dtype) for side in image.shape[-2:])
        grid = smooth_field(lambda places: self.go(places.expand(len(image), -1, -1)), y, x, 2)
        return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def plane(height: int, width: int, like: Tensor) -> Float[Tensor, "1 M 2"]:
    """Return the centres of all pixels, row by row, in unit coordinates."""
    y, x = pixel_centres(height, like.device), pixel_centres(width, like.device)
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    return grid.to(like.dtype).view(1, -1, 2)


class LmdisObjective:
    """All terms of section 3.5 and, on video, the flow preference of appendix C.1."""

    def __init__(self, model: Lmdis, config: LmdisConfig) -> None:
        self._model, self._config = model, config
        # Adam would bring weights that only decay down to nothing before they are used.
        decaying = model.detector if config.landmarks_first else model
        self._weights = [p for p in decaying.parameters() if p.ndim > 1]

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of single pictures, or of clips where the configuration asks for flow."""
        c, model = self._config, self._model
        flow = None
        later = image = batch.image
        if c.flow_stride and batch.clip is not None:
            flow = accumulated_flow(batch.clip)
            later = batch.clip[:, -1]
        image, later = self._recoloured(image, later)
        if c.mirror and flow is None:
            flip = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
            image = later = torch.where(flip, image.flip(-1), image)
        padded, source = model.padded(image), model.padded(later)
        warp = self._warp(padded, progress)
        warped = warp.picture(source)
        alone = c.landmarks_first * progress.steps
        if alone and progress.step >= alone:
            return self._drawn(padded, warped, progress)
        both = model.find(torch.cat([padded, warped]))
        here, there = _halves(both)
        ratio = c.padded_size / c.image_size
        back = warp.go(there.position)
        if flow is not None:
            back = _through(flow.back, back, ratio)
        terms = {
            "concentration": c.concentration * concentration(both.sigma * ratio / 2.0),
            "separation": c.separation
            * crowding(both.position * ratio / 2.0, c.separation_edge).mean(),
            "equivariance": c.equivariance
            * ((back - here.position) * ratio / 2.0).square().sum((1, 2)).mean(),
            "decay": c.decay * 0.5 * torch.stack([w.square().sum() for w in self._weights]).sum(),
        }
        if flow is not None:
            position = model.encoding_of(here).latents.position
            terms["flow"] = c.flow_preference * self._flow_preference(flow.speed, position)
        if alone:
            return LossReport(torch.stack(list(terms.values())).sum(), terms)
        few = c.reconstructed or len(image)
        shown, found = padded[:few], _first(here, few)
        if c.reconstruct_warped:
            shown = torch.cat([shown, warped[:few]])
            found = _joined(found, _first(there, few))
        error, monitors = self._reconstructed(shown, found)
        terms = {"reconstruction": self._rise(progress) * error, **terms}
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _drawn(self, padded: Tensor, warped: Tensor, progress: Progress) -> LossReport:
        """The pictures, every other one warped, of landmarks that stay as they are."""
        shown = torch.cat([padded[::2], warped[1::2]])
        with torch.no_grad():
            found = self._model.find(shown)
        error, monitors = self._reconstructed(shown, found)
        terms = {"reconstruction": self._rise(progress) * error}
        return LossReport(terms["reconstruction"], terms, monitors)

    def _reconstructed(
        self, padded: Float[Tensor, "B 3 P P"], found: Detection
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Half the squared error of padded pictures drawn again, and what is watched of it."""
        c, model = self._config, self._model
        inner = slice(c.border, c.border + c.image_size)
        image = padded[..., inner, inner]
        picture = model.decode(model.encoding_of(model.describe(padded, found)).latents).image
        monitors = {"psnr_db": -10.0 * F.mse_loss(picture.detach(), image).log10()}
        return _half_square(picture, image), monitors

    def _rise(self, progress: Progress) -> float:
        """Weight of the reconstruction, ten times as large after each of two stages (app. G.3)."""
        passed = sum(progress.step >= f * progress.steps for f in self._config.reconstruction_rise)
        return self._config.reconstruction * 10.0**passed

    def _recoloured(self, *images: Image) -> tuple[Image, ...]:
        """The pictures with one random change of brightness and contrast for the whole batch."""
        c = self._config
        light = (2.0 * torch.rand(()).item() - 1.0) * c.brightness
        low, high = c.contrast
        factor = low + (high - low) * torch.rand(()).item()

        def change(image: Image) -> Image:
            middle = image.mean((-2, -1), keepdim=True)
            return ((image - middle) * factor + middle + light).clamp(0.0, 1.0)

        return tuple(change(image) for image in images)

    def _warp(self, padded: Tensor, progress: Progress) -> Warp:
        """A random thin-plate spline after a random similarity for each picture."""
        c, batch = self._config, len(padded)
        per_edge = 2.0 * c.image_size / c.padded_size
        share = c.landmark_share * _ramp(progress, c.landmark_from)
        if torch.rand(()).item() < share:
            with torch.no_grad():
                centres = self._model.find(padded).position
            deviation, stiffness = c.landmark_shift_edge * per_edge, _FIRM
            corners = padded.new_tensor([[-1, -1], [1, -1], [-1, 1], [1, 1]]).expand(batch, -1, -1)
            shift = deviation * torch.randn_like(centres)
            centres = torch.cat([centres, corners], dim=1)
            shift = torch.cat([shift, torch.zeros_like(corners)], dim=1)
        else:
            along = torch.linspace(-1.0, 1.0, _GRID, device=padded.device, dtype=padded.dtype)
            grid = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1)
            centres = grid.view(1, -1, 2).expand(batch, -1, -1)
            shift, stiffness = c.grid_shift_edge * per_edge * torch.randn_like(centres), 1e-6
        spline = thin_plate(centres, centres + shift, stiffness)
        noise = torch.randn(batch, 2, device=padded.device, dtype=padded.dtype)
        turn = noise[:, 0] * math.radians(c.rotation_deg)
        scale = (noise[:, 1] * c.log_scale).exp()
        cosine, sine = scale * turn.cos(), scale * turn.sin()
        linear = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], 1)
        offset = (2.0 * torch.rand(batch, 1, 2, device=padded.device) - 1.0) * c.translation_edge
        return Warp(lambda points: spline(points @ linear + offset.to(points.dtype) * per_edge))

    def _flow_preference(
        self, speed: Float[Tensor, "B H W"], position: Float[Tensor, "B K 2"]
    ) -> Float[Tensor, ""]:
        """Minus the mean height of the landmarks' Gaussians where the picture moves (eq. 16)."""
        sigma = 2.0 * self._config.decoder_sigmas_edge[0]
        height, width = speed.shape[-2:]
        far = torch.cdist(plane(height, width, position).expand(len(position), -1, -1), position)
        bumps = (-0.5 * (far / sigma).square()).exp().sum(-1) * (2.0 / math.pi) / sigma**2
        moving = speed.flatten(1)
        return -((moving * bumps).sum(1) / moving.sum(1).clamp(min=1e-6)).mean()


def concentration(sigma: Float[Tensor, "B K"]) -> Float[Tensor, ""]:
    """Return the sum over landmarks of exp of the entropy of a Gaussian so wide, batch mean.

    Departs from equation 5, whose formula has one square more than its text ("the exponential of
    the entropy"); this is the text, and the released code.

    Args:
        sigma: In picture edges.
    """
    return (2.0 * math.pi * math.e * sigma.square()).sum(1).mean()


def _half_square(a: Tensor, b: Tensor) -> Float[Tensor, ""]:
    """Half the squared error, summed over a picture and averaged over the batch."""
    return 0.5 * (a - b).square().sum() / len(a)


def _ramp(progress: Progress, between: tuple[float, float]) -> float:
    start, end = (fraction * progress.steps for fraction in between)
    return min(1.0, max(0.0, (progress.step - start) / max(1.0, end - start)))


def _halves(both: Detection) -> tuple[Detection, Detection]:
    """The landmarks of the pictures, and of their warps."""
    here, there = zip(*(value.chunk(2) for value in _values(both)), strict=True)
    return Detection(*here), Detection(*there)


def _first(found: Detection, count: int) -> Detection:
    """The landmarks of the first pictures."""
    return Detection(*(value[:count] for value in _values(found)))


def _joined(first: Detection, second: Detection) -> Detection:
    """The landmarks of two sets of pictures, one after the other."""
    pairs = zip(_values(first), _values(second), strict=True)
    return Detection(*(torch.cat(pair) for pair in pairs))


def _values(found: Detection) -> tuple[Tensor, Tensor, Tensor]:
    return found.maps, found.position, found.sigma


def _through(back: Float[Tensor, "B 2 H W"], points: Places, ratio: float) -> Places:
    """Where the flow carries points of the later padded picture in the earlier one."""
    inner = points * ratio
    step = F.grid_sample(back, inner[:, :, None], padding_mode="border", align_corners=False)
    return points + step.squeeze(-1).mT / ratio


def phases(model: Lmdis, config: LmdisConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    return [Phase("all", model, LmdisObjective(model, config))]
