"""Loads a checkpoint and runs it a few times, so that the first drag is as fast as the next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from kpcore.errors import DeviceError
from kpstudio.services.pixels import finished

if TYPE_CHECKING:
    from kpcore.api import KeypointModel
    from kpcore.latents import Latents


def load(path: str, device: str) -> tuple[KeypointModel, bool]:
    """Return a model that has run, and whether its drafts are faster than its pictures."""
    import torch

    from kpcore import checkpoint

    try:
        model = checkpoint.load(path, device)
        return model, warm_up(model)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"'{Path(path).name}' does not fit in the memory of {device}; choose the CPU"
        ) from error


def warm_up(model: KeypointModel) -> bool:
    """Run a model a few times; return whether its drafts are faster than its pictures.

    On a CPU it runs with the number of threads that turns out fastest; one core is left to the
    window. Elsewhere pictures are fast enough.
    """
    import torch

    from kpcore.drafting import gains_by_drafts
    from kpcore.threads import choose_threads

    device = next(model.parameters()).device
    blank = torch.full((1, 3, *model.capabilities.image_size), 0.5, device=device)
    with torch.inference_mode():
        encoding = model.encode(blank)
        decode = model.decoder_for(encoding)
        edits = _edits(encoding.latents)

        def draw() -> None:
            finished(decode(next(edits)).image)

        if device.type == "cpu":
            choose_threads(draw, spare=1)
            return gains_by_drafts(draw)
        for _ in range(3):
            draw()
        return False


def _edits(latents: Latents) -> Iterator[Latents]:
    """Yield the latents with one particle at one new place after another, as a hand moves it."""
    yield latents
    for step in count():
        place = (0.5 * math.sin(step), 0.5 * math.cos(step))
        yield latents.with_rows("position", [0], [place]) if latents.count else latents
