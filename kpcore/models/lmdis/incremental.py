"""Decode edits of one picture again and again, keeping what descriptors add to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.api import Decoding
from kpcore.latents import Latents
from kpcore.nn.folding import fold
from kpcore.nn.hastening import hasten
from kpcore.nn.hourglass import Hourglass
from kpcore.tracing import one_call

if TYPE_CHECKING:
    from kpcore.models.lmdis.model import Lmdis


class EditPainter(nn.Module):
    """An inference copy of the decoder that takes the landmarks' shares alone.

    At each place the features are the landmarks' features weighted by their shares, and the first
    convolution is linear: of the shares' maps it is a convolution too, with a kernel that contains
    the features. There are several times fewer shares than features.
    """

    def __init__(self, painter: Hourglass, landmarks: int, widths: int) -> None:
        """Copy a decoder.

        Args:
            painter: It stays as it is.
            landmarks: And the background.
            widths: Of the Gaussians.
        """
        super().__init__()
        self.rest = fold(painter)
        first = self.rest.first
        weight = first.weight.unflatten(1, (widths, -1))
        self.shares = nn.Parameter(weight[:, :, :landmarks], requires_grad=False)
        self.features = nn.Parameter(weight[:, :, landmarks:], requires_grad=False)
        self.bias = cast("Tensor", first.bias)
        hasten(self.rest)

    def kernel(self, recovered: Float[Tensor, "B N S"] | None) -> Float[Tensor, "B O M 3 3"]:
        """Return the first convolution's kernel for landmarks of these features."""
        if recovered is None:
            return self.shares.flatten(1, 2)[None]
        carried = torch.einsum("owsyx,bns->bownyx", self.features, recovered)
        return (self.shares + carried).flatten(2, 3)

    def forward(
        self, share: Float[Tensor, "B M H W"], kernel: Float[Tensor, "G O M 3 3"]
    ) -> Float[Tensor, "B 3 H W"]:
        """Return the picture before its sigmoid.

        Args:
            share: Of each landmark and, last, the background, for one width after the other.
            kernel: Of each picture, or one for all.
        """
        groups, width = kernel.shape[:2]
        begun = nn.functional.conv2d(
            share.reshape(-1, groups * share.shape[1], *share.shape[2:]),
            kernel.flatten(0, 1),
            self.bias.repeat(groups),
            padding=1,
            groups=groups,
        )
        begun = begun.reshape(-1, width, *begun.shape[2:])
        return self.rest.go_on(begun.contiguous(memory_format=torch.channels_last))


class EditDecoder:
    """Draws landmarks anew, with a kernel that is kept while descriptors stay."""

    def __init__(self, model: Lmdis) -> None:
        self._model = model
        self._of: tuple[object, ...] = ()
        self._kernel: Tensor | None = None

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture."""
        model = self._model
        painter = model.edit_painter()
        of = (latents.feature, latents.background, painter)
        if self._kernel is None or any(a is not b for a, b in zip(of, self._of, strict=True)):
            self._kernel, self._of = painter.kernel(model.recovered(latents)), of
        model.require_landmarks(latents)
        image, heat = one_call(painter, self._draw, latents.position, self._kernel)
        return Decoding(image, heatmaps=heat)

    def _draw(self, position: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        share, finest = self._model.shares(position)
        return self._model.edit_painter()(share.flatten(1, 2), kernel).sigmoid(), finest
