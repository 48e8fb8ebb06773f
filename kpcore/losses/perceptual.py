"""The perceptual loss: differences between the features of a frozen VGG16."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
from pathlib import Path
from urllib.error import URLError

import platformdirs
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.errors import DataError

_LOG = logging.getLogger(__name__)
_SOURCE = "https://download.pytorch.org/models/vgg16-397923af.pth"
_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
_TAPS = frozenset({3, 8, 13, 22, 30})
"""relu1_2, relu2_2, relu3_2, relu4_3 and pool5: what the published loss compares."""
_SMALLEST = 32


class PerceptualLoss(nn.Module):
    """Squared error of pixels plus that of five VGG16 feature maps, all summed.

    The picture goes in as it is, in [0, 1] (dlp.md section 10). The network is frozen.

    Departs: the published loss names the convolutions, but an activation in place overwrites what
    it keeps; here the activations are named.
    """

    def __init__(self, weights: str | os.PathLike[str] = "") -> None:
        """Build VGG16's feature layers and fill them.

        Args:
            weights: Path of torchvision's VGG16 state dict; empty uses the cache folder, and
                downloads the file there the first time (528 MB).

        Raises:
            DataError: The file is missing or not VGG16, or cannot be downloaded.
        """
        super().__init__()
        self.features = load_vgg16(Path(weights) if weights else download())
        self.requires_grad_(False).eval()

    def forward(self, a: Float[Tensor, "B 3 H W"], b: Float[Tensor, "B 3 H W"]) -> Tensor:
        """Return the loss, summed over an image and averaged over the batch.

        Pictures under 32 pixels are enlarged to 32 first.
        """
        if a.shape[-1] < _SMALLEST:
            a, b = (
                nn.functional.interpolate(x, size=(_SMALLEST, _SMALLEST), mode="bilinear")
                for x in (a, b)
            )
        total = (a - b).square().sum()
        pair = torch.cat([a, b])
        for index, layer in enumerate(self.features):
            pair = layer(pair)
            if index in _TAPS:
                first, second = pair.float().chunk(2)
                total = total + (first - second).square().sum()
        return total / a.shape[0]


def load_vgg16(path: str | os.PathLike[str]) -> nn.Sequential:
    """Return VGG16's convolutions, ReLUs and poolings, filled from torchvision's state dict.

    Raises:
        DataError: The file is missing or not VGG16.
    """
    features = _layers()
    _fill(features, Path(path))
    return features


def _layers() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width in _WIDTHS:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def _fill(features: nn.Sequential, path: Path) -> None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        own = {
            name.removeprefix("features."): value
            for name, value in state.items()
            if name.startswith("features.")
        }
        features.load_state_dict(own)
    except OSError as error:
        raise DataError(
            f"cannot read the VGG16 weights '{path}': {error.strerror or error}; give the path of "
            f"torchvision's vgg16-397923af.pth, or learn from pixels (--set reconstruction=mse)"
        ) from error
    except (RuntimeError, ValueError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"'{path.name}' does not hold VGG16's feature weights (features.0.weight to "
            f"features.28.bias); give torchvision's vgg16-397923af.pth"
        ) from error


def cached() -> Path:
    """Return where the downloaded weights lie, or would lie."""
    return platformdirs.user_cache_path("keypoint-studio") / "weights" / Path(_SOURCE).name


def download() -> Path:
    """Return the VGG16 weights in the cache, downloading them when they are not there.

    Progress goes to standard error; the file is checked against its published SHA-256.

    Raises:
        DataError: No network, a damaged download, or a cache folder that cannot be written.
    """
    path = cached()
    advice = (
        f"put torchvision's {path.name} at '{path}', give its path (kp train: --set "
        f"vgg_weights=PATH), or learn from pixels (--set reconstruction=mse)"
    )
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _LOG.warning("downloading VGG16 weights (528 MB) to %s", path)
            torch.hub.download_url_to_file(_SOURCE, str(path), hash_prefix=_SHA256)
        elif not _checked(path):
            raise DataError(f"'{path}' is not the published VGG16 file; delete it, or {advice}")
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"the VGG16 weights cannot be downloaded ({reason}); {advice}") from error
    except RuntimeError as error:
        raise DataError(f"the downloaded VGG16 weights are damaged ({error}); {advice}") from error
    return path


def _checked(path: Path) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == _SHA256
