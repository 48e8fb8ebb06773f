"""A model that predicts by going on as before, and media to predict: what these tests stand on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from kpcore.api import Context, Decoding, Encoding, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.geometry.framing import FramingRule
from kpcore.latents import Latents, Topology
from kpstudio.services.model_host import ModelHost
from kpstudio.services.picture_media import PictureMedia
from kpstudio.session.document import MediaInfo, ModelInfo

SIDE = 32
COUNT = 2
FRAMES = 12
SPEED = 2.0
"""Pixels per frame of the first square; the second one rests."""


def clip(count: int = FRAMES, name: str = "clip.mp4") -> PictureMedia:
    """A bright square that moves to the right, and one that rests."""
    pictures = {}
    for frame in range(count):
        picture = np.full((SIDE, SIDE, 3), 20, np.uint8)
        left = round(2 + SPEED * frame) % SIDE
        picture[4:8, left : left + 4, 0] = 250
        picture[20:24, 20:24, 1] = 250
        pictures[frame] = picture
    kind = "video" if count > 1 else "image"
    return PictureMedia(f"/nowhere/{name}", pictures, name=name, kind=kind, fps=10.0)


class Constant(KeypointModel):
    """Finds the brightest red and green place; predicts constant velocity."""

    history = 2

    def __init__(self, *, uncertain: bool = True, predicts: bool = True) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.uncertain, self.predicts = uncertain, predicts
        self.nan_from = self.fails_from = 10**9
        self.gate = threading.Event()
        self.gate.set()
        self.stepped = 0

    @property
    def renderer(self) -> KeypointModel:
        return self

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            (SIDE, SIDE),
            COUNT,
            uncertainty=self.uncertain,
            video_history=2 if self.predicts else 0,
        )

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        places = []
        for channel in (0, 1):
            at = image[:, channel].flatten(1).argmax(1)
            x, y = at % SIDE, at // SIDE
            places.append(torch.stack([(x + 2) / SIDE * 2 - 1, (y + 2) / SIDE * 2 - 1], -1))
        position = torch.stack(places, 1).float()
        spread = torch.full_like(position, -6.0) if self.uncertain else None
        return Encoding(Latents(position, Topology.flat(COUNT), position_log_var=spread))

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        image = torch.full((len(latents.position), 3, SIDE, SIDE), 20 / 255)
        corner = ((latents.position + 1) / 2 * SIDE - 2).round().long()
        for picture, at in zip(image, corner, strict=True):
            for channel, (x, y) in enumerate(at.tolist()):
                picture[channel, max(0, y) : max(0, y + 4), max(0, x) : max(0, x + 4)] = 250 / 255
        return Decoding(image)

    def predict(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        before, now = past[-2].position, past[-1].position
        for step in range(steps):
            self.gate.wait(30)
            self.stepped += 1
            if step >= self.fails_from:
                raise RuntimeError("DefaultCPUAllocator: not enough memory")
            before, now = now, 2 * now - before
            shown = torch.full_like(now, torch.nan) if step >= self.nan_from else now
            yield replace(past[-1], position=shown)


class PredictorHost(ModelHost):
    """Has the model and the media open from the start, without files."""

    def __init__(self, model: KeypointModel, media: PictureMedia) -> None:
        super().__init__()
        self._model, self._media = model, media
        self._model_key = self._media_key = 1
        self._rule = FramingRule()

    @property
    def model_info(self) -> ModelInfo:
        assert self._model is not None
        can = self._model.capabilities
        return ModelInfo(1, "/nowhere/constant.safetensors", "constant", "Constant", can)

    @property
    def media_info(self) -> MediaInfo:
        media = self._media
        assert media is not None
        size = (SIDE, SIDE)
        return MediaInfo(1, str(media.path), media.name, media.kind, media.count, media.fps, size)
