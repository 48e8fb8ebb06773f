"""What a predictor says of a clip's next frames, from the frames that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Encoding, KeypointModel, VideoPredictor
from kpcore.errors import InputError
from kpcore.latents import Latents

Clips = Float[Tensor, "B T 3 H W"]


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Predicted frames of a batch of clips.

    Attributes:
        image: Predicted pictures.
        start: Particles at the last given frame.
        position: Predicted places of those particles, unit coordinates, followed by index.
    """

    image: Clips
    start: Latents
    position: Float[Tensor, "B T K 2"]


class Forecaster(Protocol):
    """Predicts frames.

    Attributes:
        name: For the table.
        history: Given frames that it looks at.
    """

    name: str
    history: int

    def __call__(self, given: Clips, steps: int) -> Forecast:
        """Return the `steps` frames after `given`, which are `history` frames or more."""
        ...


class CopyLast:
    """Every next frame is the last given one, and particles stay."""

    name = "copy last frame"
    history = 1

    def __init__(self, model: KeypointModel) -> None:
        """Take the model that says where particles are in the last frame."""
        self._model = model

    def __call__(self, given: Clips, steps: int) -> Forecast:
        """Return the forecast."""
        last = given[:, -1]
        start = self._model.encode(last).latents
        place = start.position[:, None].expand(-1, steps, -1, -1)
        return Forecast(last[:, None].expand(-1, steps, -1, -1, -1), start, place)


class RollOut:
    """A `VideoPredictor`, from encoded frames to decoded ones."""

    def __init__(self, predictor: VideoPredictor, name: str) -> None:
        """Take the predictor and its name in the table."""
        self._predictor = predictor
        self.name = name
        self.history = predictor.history

    def __call__(self, given: Clips, steps: int) -> Forecast:
        """Return the forecast.

        Raises:
            InputError: Fewer frames are given than the predictor needs.
        """
        past = encoded(self._predictor, given)
        decode = self._predictor.renderer.decoder_for(past[-1])
        images: list[Tensor] = []
        places: list[Tensor] = []
        for latents in self._predictor.predict([one.latents for one in past], steps):
            images.append(decode(latents).image)
            places.append(latents.position)
        return Forecast(torch.stack(images, 1), past[-1].latents, torch.stack(places, 1))


def encoded(predictor: VideoPredictor, given: Clips) -> list[Encoding]:
    """Return the encodings of the last `history` frames, oldest first.

    Raises:
        InputError: Fewer frames are given.
    """
    history = predictor.history
    if given.shape[1] < history:
        raise InputError(
            f"{given.shape[1]} frames are given; this predictor looks at the last {history}"
        )
    return [predictor.renderer.encode(frame) for frame in given[:, -history:].unbind(1)]
