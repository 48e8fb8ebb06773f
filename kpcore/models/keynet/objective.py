"""What KeyNet minimises."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Batch, Image, LossReport, Phase, Progress
from kpcore.geometry.coordinates import from_corner_aligned, to_corner_aligned
from kpcore.geometry.heatmaps import mean_place
from kpcore.geometry.warps import KEYNET_TARGET, UNWARPED, Views, warped_views
from kpcore.losses.constraints import crowding, variance
from kpcore.losses.perceptual import PerceptualLoss
from kpcore.losses.reconstruction import (
    RunningBalance,
    border_window,
    edge_errors,
    psnr_db,
    squared_error,
)
from kpcore.models.keynet.config import KeyNetConfig
from kpcore.models.keynet.model import KeyNet

_MARGIN = 1 / 8
"""Of the picture's side, repeated at each edge while it is warped; 16 pixels of 128."""


class KeyNetObjective:
    """The picture, from its keypoints and the appearance of another view of the scene.

    Without frames of clips the two views are warps of one picture (Jakab et al., sec. 3.4).

    Departs: the published loss weighs the features of a VGG16 that learned to colour grey
    pictures, each by a running mean of its own size; here the ordinary VGG16's are summed, or
    pixels alone are compared ("mse"), or pixels and edges, each by its running mean ("edges").
    Mirrored pictures, and the terms of `constraints`, are not in the paper; all are off unless
    asked for.
    """

    def __init__(self, model: KeyNet, config: KeyNetConfig) -> None:
        """Prepare the loss.

        Raises:
            DataError: The perceptual loss has no weights.
        """
        self._model = model
        self._config = config
        self._perceptual = (
            PerceptualLoss(config.vgg_weights) if config.reconstruction == "vgg" else None
        )
        self._window = border_window(config.image_size, *config.border)
        self._balance = RunningBalance()
        self.memory = self._balance.means
        self._margin = round(_MARGIN * config.image_size)

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        views = self._views(batch)
        image, reference = (
            picture.contiguous(memory_format=torch.channels_last)
            for picture in (views.image, views.reference)
        )
        position, held = self._found(image, views)
        picture, _ = self._model.render(position, self._model.look(reference))
        terms = self._difference(picture, image) | held
        monitors = {
            "psnr_db": psnr_db(picture.detach(), image),
            "spread": position.detach().std(1).mean(),
        }
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _views(self, batch: Batch) -> Views:
        image, reference = batch.image, batch.reference
        if self._config.mirror:
            flip = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
            image = torch.where(flip, image.flip(-1), image)
            if reference is not None:
                reference = torch.where(flip, reference.flip(-1), reference)
        if reference is not None:
            return Views(image, reference)
        return warped_views(image, KEYNET_TARGET, self._margin)

    def _difference(self, picture: Image, image: Image) -> dict[str, Tensor]:
        """How far the reconstruction is from the picture."""
        if self._perceptual is not None:
            return {"reconstruction": self._perceptual.to(image.device)(picture, image)}
        weight = self._window = self._window.to(image.device)
        root = weight.sqrt()
        pixels = squared_error(picture * root, image * root)
        if self._config.reconstruction == "mse":
            return {"reconstruction": pixels}
        edges = edge_errors(picture, image, weight)
        named = {f"edges_{2**level}": error for level, error in enumerate(edges)}
        return self._balance({"reconstruction": pixels, **named})

    def _found(
        self, image: Image, views: Views
    ) -> tuple[Float[Tensor, "B K 2"], dict[str, Tensor]]:
        """Keypoints of the pictures, and the terms that hold them to places of the scene."""
        c, keypoints, terms = self._config, self._model.keypoints, dict[str, Tensor]()
        share = keypoints.distribution(image)
        position = from_corner_aligned(mean_place(share), share.shape[-1])
        side = c.image_size
        own = to_corner_aligned(position, side)
        if c.equivariance:
            if views.grid is None:
                views = warped_views(image, UNWARPED, self._margin)
            back = views.to_image(to_corner_aligned(keypoints(views.reference), side))
            inside = (back.abs() < 1.0).all(-1, keepdim=True)
            gap = ((back - own) * inside).square().sum((1, 2)).mean()
            terms["equivariance"] = c.equivariance * gap
        if c.concentration:
            terms["concentration"] = c.concentration * variance(share).sum(1).mean()
        if c.separation:
            terms["separation"] = c.separation * crowding(own).mean()
        return position, terms


def phases(model: KeyNet, config: KeyNetConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    objective = KeyNetObjective(model, config)
    return [Phase("all", model, objective, memory=objective.memory)]
