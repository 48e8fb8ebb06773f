"""Encode and decode labelled pictures, batch by batch, for protocols that judge objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from kpcore.api import Decoding, Encoding, Image
from kpcore.data.labelled import LabelledPictures, Labels, framed
from kpcore.evaluation.protocols import Subject
from kpcore.evaluation.protocols.landmarks import framing_of
from kpcore.evaluation.quality import psnr_db
from kpcore.geometry.patches import place, visible
from kpcore.latents import Latents

_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a model makes of one labelled picture.

    Attributes:
        labels: What is truly there.
        position: Of the particles, in unit coordinates.
        prototype: Of each particle; 0 for models without prototypes.
        alphas: Share of each particle in each pixel; where there are layers, the last row is the
            background. None where the model tells nothing of that.
        psnr_db: Of the reconstruction.
    """

    labels: Labels
    position: Float[ndarray, "K 2"]
    prototype: Int[ndarray, " K"]
    alphas: Float[ndarray, "N H W"] | None
    psnr_db: float


def encode_each(
    subject: Subject, pictures: LabelledPictures, rows: Sequence[int]
) -> Iterator[tuple[Image, Encoding, tuple[Labels, ...]]]:
    """Yield batches of some pictures in their order: as the model sees them, encoded, labelled."""
    model, rule = subject.model, framing_of(subject)
    size, device = model.capabilities.image_size, next(model.parameters()).device
    for start in range(0, len(rows), _BATCH):
        shown = [framed(pictures, row, size, rule) for row in rows[start : start + _BATCH]]
        stack = np.stack([picture.transpose(2, 0, 1) for picture, _ in shown])
        image = torch.from_numpy(stack).to(device).float() / 255.0
        with torch.inference_mode():
            encoding = model.encode(image)
        yield image, encoding, tuple(labels for _, labels in shown)


def look(subject: Subject, pictures: LabelledPictures, rows: Sequence[int]) -> Iterator[Seen]:
    """Yield what the subject's model makes of some pictures, in their order."""
    for image, encoding, shown in encode_each(subject, pictures, rows):
        latents = encoding.latents
        with torch.inference_mode():
            decoding = subject.model.decode(latents, encoding.context)
        psnr = psnr_db(decoding.image, image).tolist()
        alphas = shares(decoding, latents)
        prototype = latents.prototype
        if prototype is None:
            prototype = torch.zeros(latents.position.shape[:2], dtype=torch.long)
        for index, labels in enumerate(shown):
            yield Seen(
                labels,
                latents.position[index].cpu().double().numpy(),
                prototype[index].cpu().numpy(),
                None if alphas is None else alphas[index],
                psnr[index],
            )


def shares(decoding: Decoding, latents: Latents) -> Float[ndarray, "B N H W"] | None:
    """Return how much of each pixel each particle has, and then the background where there is one.

    None where the decoding tells neither alphas nor layers.
    """
    if decoding.alphas is not None:
        return decoding.alphas.float().cpu().numpy()
    layers = decoding.layers
    if layers is None:
        return None
    height, width = layers.background.shape[-2:]
    alpha = place(
        layers.patches[:, :, 3:], latents.position * layers.position_scale, (height, width)
    )
    if latents.presence is not None:
        alpha = alpha * latents.presence[:, :, None, None, None]
    masks, rest = visible(alpha.clamp(0.0, 1.0), layers.rule)
    return torch.cat([masks[:, :, 0], rest], dim=1).float().cpu().numpy()
