"""What the Transporter minimises."""

from __future__ import annotations

from collections.abc import Sequence

from kpcore.api import Batch, LossReport, Phase, Progress
from kpcore.geometry.warps import two_views
from kpcore.losses.reconstruction import psnr_db, squared_error
from kpcore.models.transporter.config import TransporterConfig
from kpcore.models.transporter.model import Transporter


class TransporterObjective:
    """Squared pixel error of the picture remade from a reference (Kulkarni et al., sec. 3).

    Without frames of clips the two are warps of one picture.
    """

    def __init__(self, model: Transporter) -> None:
        self._model = model

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of a batch."""
        image, reference = two_views(batch.image, batch.reference)
        picture, position = self._model.transported(image, reference)
        terms = {"reconstruction": squared_error(picture, image)}
        monitors = {
            "psnr_db": psnr_db(picture.detach(), image),
            "spread": position.detach().std(1).mean(),
        }
        return LossReport(terms["reconstruction"], terms, monitors)


def phases(model: Transporter, config: TransporterConfig) -> Sequence[Phase]:
    """Everything is trained together."""
    return [Phase("all", model, TransporterObjective(model))]
