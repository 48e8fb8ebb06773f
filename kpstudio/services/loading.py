"""Loads a checkpoint and runs it a few times, so that the first drag is as fast as the next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kpcore.errors import DeviceError
from kpstudio.services.pixels import finished

if TYPE_CHECKING:
    from kpcore.api import KeypointModel


def load(path: str, device: str) -> KeypointModel:
    """Return a model that has run, so that the first drag is as fast as the next."""
    import torch

    from kpcore import checkpoint

    try:
        model = checkpoint.load(path, device)
        warm_up(model)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"'{Path(path).name}' does not fit in the memory of {device}; choose the CPU"
        ) from error
    return model


def warm_up(model: KeypointModel) -> None:
    """Run a model a few times; on a CPU with the number of threads that turns out fastest.

    One core is left to the window.
    """
    import torch

    from kpcore.threads import choose_threads

    device = next(model.parameters()).device
    blank = torch.full((1, 3, *model.capabilities.image_size), 0.5, device=device)
    with torch.inference_mode():
        encoding = model.encode(blank)
        decode = model.decoder_for(encoding)
        if device.type == "cpu":
            choose_threads(lambda: finished(decode(encoding.latents).image), spare=1)
        else:
            for _ in range(3):
                finished(decode(encoding.latents).image)
