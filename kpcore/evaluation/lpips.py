"""LPIPS: how alike two pictures look to a network, with weights that the user gives."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.api import Image
from kpcore.errors import DataError
from kpcore.evaluation.quality import require_alike
from kpcore.losses.perceptual import load_vgg16

_TAPS = (3, 8, 15, 22, 29)
"""relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 in VGG16."""
_WIDTHS = (64, 128, 256, 512, 512)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class LPIPS(nn.Module):
    """Learned perceptual distance of pictures: 0 for equal ones, larger for less alike.

    Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric,
    CVPR 2018, version 0.1 on VGG16. Both weight files are the user's; nothing is downloaded.
    """

    def __init__(self, trunk: str | os.PathLike[str], heads: str | os.PathLike[str]) -> None:
        """Read the weights.

        Args:
            trunk: Torchvision's VGG16 state dict (vgg16-397923af.pth).
            heads: The metric's linear layers for VGG16 (`vgg.pth` of its version 0.1: keys
                lin0.model.1.weight to lin4.model.1.weight).

        Raises:
            DataError: A file is missing or holds something else.
        """
        super().__init__()
        self.features = nn.Sequential(*list(load_vgg16(trunk))[: _TAPS[-1] + 1])
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))
        for index, weight in enumerate(_read_heads(Path(heads))):
            self.register_buffer(f"head{index}", weight)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, a: Image, b: Image) -> Float[Tensor, " B"]:
        """Return the distance of each pair of pictures in [0, 1].

        Raises:
            ShapeError: The pictures differ in shape.
        """
        require_alike(a, b)
        value = torch.cat([a, b]).float() * 2.0 - 1.0
        value = (value - self.get_buffer("shift")) / self.get_buffer("scale")
        total = value.new_zeros(len(a))
        for index, layer in enumerate(self.features):
            value = layer(value)
            if index in _TAPS:
                unit = value / (value.square().sum(1, keepdim=True).sqrt() + 1e-10)
                first, second = unit.chunk(2)
                weight = self.get_buffer(f"head{_TAPS.index(index)}")
                apart = (first - second).square() * weight
                total = total + apart.sum(1).mean((-2, -1))
        return total


def _read_heads(path: Path) -> list[Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = [state[f"lin{index}.model.1.weight"].float() for index in range(len(_WIDTHS))]
        if [tuple(weight.shape) for weight in found] != [(1, width, 1, 1) for width in _WIDTHS]:
            raise ValueError("other shapes")
    except OSError as error:
        raise DataError(
            f"cannot read the LPIPS weights '{path}': {error.strerror or error}; give the path of "
            f"the metric's vgg.pth (version 0.1)"
        ) from error
    except (
        AttributeError,
        EOFError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        raise DataError(
            f"'{path.name}' does not hold the LPIPS layers for VGG16 (lin0.model.1.weight to "
            f"lin4.model.1.weight); give the metric's vgg.pth (version 0.1)"
        ) from error
    return found
