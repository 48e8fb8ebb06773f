"""Unsupervised keypoint models: encode an image into particles, edit them, decode the picture.

import kpcore
model = kpcore.load("demo.safetensors")
encoding = model.encode(image)                  # float (B, 3, H, W) in [0, 1]
picture = model.decode(encoding.latents, encoding.context).image
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kpcore.checkpoint import load as load
    from kpcore.latents import Latents as Latents
    from kpcore.registry import list_models as list_models

__version__ = "0.1.0"
__all__ = ["Latents", "__version__", "list_models", "load"]

_HOME = {"load": "checkpoint", "Latents": "latents", "list_models": "registry"}


def __getattr__(name: str) -> Any:
    """Import the public names on demand, so that `import kpcore` stays free of torch."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"kpcore.{_HOME[name]}"), name)
    raise AttributeError(f"module 'kpcore' has no attribute {name!r}")
