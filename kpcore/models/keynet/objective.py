"""What KeyNet minimises."""

from __future__ import annotations

from collections.abc import Sequence

from kpcore.api import Batch, LossReport, Phase, Progress
from kpcore.geometry.warps import two_views
from kpcore.losses.perceptual import PerceptualLoss
from kpcore.losses.reconstruction import psnr_db, squared_error
from kpcore.models.keynet.config import KeyNetConfig
from kpcore.models.keynet.model import KeyNet


class KeyNetObjective:
    """The picture, from its keypoints and the appearance of another view of the scene.

    Without frames of clips the two views are warps of one picture (Jakab et al., sec. 3.4).

    Departs: the published loss weighs the features of a VGG16 that learned to colour grey
    pictures, each by a running mean of its own size; here the ordinary VGG16's are summed, or
    pixels alone are compared ("mse").
    """

    def __init__(self, model: KeyNet, config: KeyNetConfig) -> None:
        """Prepare the loss.

        Raises:
            DataError: The perceptual loss has no weights.
        """
        self._model = model
        self._perceptual = (
            PerceptualLoss(config.vgg_weights) if config.reconstruction == "vgg" else None
        )

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        image, reference = two_views(batch.image, batch.reference)
        position = self._model.keypoints(image)
        picture, _ = self._model.render(position, self._model.look(reference))
        difference = (
            squared_error if self._perceptual is None else self._perceptual.to(image.device)
        )
        terms = {"reconstruction": difference(picture, image)}
        monitors = {
            "psnr_db": psnr_db(picture.detach(), image),
            "spread": position.detach().std(1).mean(),
        }
        return LossReport(terms["reconstruction"], terms, monitors)


def phases(model: KeyNet, config: KeyNetConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    return [Phase("all", model, KeyNetObjective(model, config))]
