"""What Keypoint Pyramids minimise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Batch, LossReport, Phase, Progress
from kpcore.geometry.warps import two_views
from kpcore.losses.reconstruction import psnr_db, squared_error
from kpcore.models.keypoint_pyramids.config import PyramidsConfig
from kpcore.models.keypoint_pyramids.model import KeypointPyramids, Seen


def spring(position: Float[Tensor, "B K 2"], parents: Sequence[int]) -> Float[Tensor, ""]:
    """Return the squared distances of children from their parents (eq. 4).

    Summed over the children of a picture, averaged over the batch; picture edges lie at +-1, the
    paper giving no unit.
    """
    children = [child for child, parent in enumerate(parents) if parent >= 0]
    hung = [parents[child] for child in children]
    return (position[:, children] - position[:, hung]).square().sum((-1, -2)).mean()


class PyramidsObjective:
    """Combined, level-wise and spring losses (Keypoint Pyramids eqs. 1, 3, 4 and 5).

    Without frames of clips the reference is a warp of the picture.
    """

    def __init__(self, model: KeypointPyramids, config: PyramidsConfig) -> None:
        self._model = model
        self._c = config

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        model, c = self._model, self._c
        image, reference = two_views(batch.image, batch.reference)
        seen = model.see(image)
        with torch.no_grad():
            other = model.see(reference)
        context = model.look(other) if model.appearance is not None else {}
        terms: dict[str, Tensor] = {}
        monitors: dict[str, Tensor] = {"spread": seen.position.detach().std(1).mean()}
        if c.combined != "none":
            picture = (
                model.render(seen.position, context)
                if c.combined == "points"
                else model.transported(seen, other)
            )
            terms["reconstruction"] = c.combined_weight * squared_error(picture, image)
            monitors["psnr_db"] = psnr_db(picture.detach(), image)
        if c.levelwise != "none":
            for level, weight in enumerate(c.level_weights):
                picture = self._level(seen, other, context, level)
                terms[f"level_{level + 1}"] = weight * squared_error(picture, image)
                if c.combined == "none":
                    monitors["psnr_db"] = psnr_db(picture.detach(), image)
        if c.spring and len(c.points) > 1:
            terms["spring"] = c.spring * spring(seen.position, c.parents)
        return LossReport(torch.stack(list(terms.values())).sum(), terms, monitors)

    def _level(
        self, seen: Seen, other: Seen, context: dict[str, Tensor], level: int
    ) -> Float[Tensor, "B 3 H W"]:
        """The picture remade from one level."""
        if self._c.levelwise == "transport":
            return self._model.transported(seen, other, level)
        return self._model.render(self._model.by_level(seen.position)[level], context, level)


def phases(model: KeypointPyramids, config: PyramidsConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    return [Phase("all", model, PyramidsObjective(model, config))]
