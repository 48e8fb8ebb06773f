"""A fixed batch of windows through which a run can be watched."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import Batch, Image, KeypointModel, VideoPredictor
from kpcore.data.export import npz_bytes
from kpcore.data.source import ImageSource
from kpcore.latents import Latents
from kpcore.training.frames import Frames, fetch, on_device

PICTURES = 8


def choose(source: ImageSource, count: int = PICTURES) -> Frames:
    """Return windows spread evenly over a source."""
    length = len(source)
    indices = sorted({round(i * (length - 1) / max(1, count - 1)) for i in range(count)})
    return fetch(source, indices, (0, 0))


def originals(frames: Frames) -> bytes:
    """Return the pictures that the model is to remake as the bytes of an .npz file."""
    return npz_bytes(
        {"originals": _rows(frames.image if frames.clip is None else frames.clip[:, -1])}
    )


@torch.no_grad()
def look(model: KeypointModel, frames: Frames, device: torch.device) -> bytes:
    """Return reconstructions (uint8) and latents of the probe as the bytes of an .npz file.

    Of a clip, the last frame is reconstructed; a video predictor predicts it from the first ones.
    The model must be in eval mode; it is not changed.
    """
    latents, decoded = remade(model, on_device(frames, device))
    arrays = _arrays(latents)
    arrays["reconstructions"] = _rows((decoded.float() * 255.0).round().to(torch.uint8))
    return npz_bytes(arrays)


def remade(model: KeypointModel, batch: Batch) -> tuple[Latents, Image]:
    """Return the latents and the picture that the model makes of each picture or last frame."""
    history, clip = model.capabilities.video_history, batch.clip
    if clip is None:
        encoding = model.encode(batch.image, batch.reference)
        return encoding.latents, model.decode(encoding.latents, encoding.context).image
    if not history or not isinstance(model, VideoPredictor) or clip.shape[1] <= history:
        encoding = model.encode(clip[:, -1], batch.reference)
        return encoding.latents, model.decode(encoding.latents, encoding.context).image
    past = [model.encode(frame) for frame in clip[:, :history].unbind(1)]
    *_, last = model.predict([each.latents for each in past], clip.shape[1] - history)
    return last, model.decode(last, past[-1].context).image


def _arrays(latents: Latents) -> dict[str, np.ndarray]:
    return {
        name: value.float().cpu().numpy() if value.is_floating_point() else value.cpu().numpy()
        for name, value in latents.named().items()
    }


def _rows(pictures: UInt8[Tensor, "N 3 H W"]) -> np.ndarray:
    return pictures.permute(0, 2, 3, 1).contiguous().cpu().numpy()
