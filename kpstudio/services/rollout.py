"""A roll-out under way: steps of latents and their pictures; lives in the thread with the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from kpcore.errors import CapabilityError
from kpstudio.services.pixels import picture_bytes

if TYPE_CHECKING:
    import torch

    from kpcore.api import Decoder, Encoding, KeypointModel, VideoPredictor
    from kpcore.latents import Latents

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where a roll-out begins and what is drawn.

    Attributes:
        particles: Of the start frames, oldest first, each a batch of one on the CPU.
        encoding: Of the last start frame: its context is decoded with.
        futures: How many to draw; the first is the likeliest.
        seed: Of the draw.
    """

    particles: tuple[Latents, ...]
    encoding: Encoding
    futures: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One predicted frame.

    Attributes:
        latents: Of the likeliest future, a batch of one on the CPU.
        positions: Of every future (N, K, 2), unit coordinates.
    """

    latents: Latents
    positions: Floats


class Walk:
    """Steps through the predictions of one start; can be left and taken up again at any step."""

    def __init__(self, model: KeypointModel, start: Start) -> None:
        """Begin at the start frames.

        Args:
            model: A model that predicts.
            start: Where from.

        Raises:
            CapabilityError: The model does not predict.
        """
        if not hasattr(model, "predict"):
            raise CapabilityError(
                "the open model does not predict video; open a predictor checkpoint"
            )
        self._model = model
        self._start = start
        self._decoder: Decoder | None = None
        self.device = next(model.parameters()).device
        self._done = 0
        self._steps = self._predictions()

    @property
    def done(self) -> int:
        """Steps taken."""
        return self._done

    def on(self, until: int) -> Iterator[Step]:
        """Yield the next steps; may be left after any of them.

        Args:
            until: The last step that is wanted, counted from 1.

        Raises:
            CapabilityError: The model gives no numbers.
        """
        import torch

        while self._done < until:
            with torch.inference_mode(), _one_thread(self.device):
                latents = next(self._steps, None)
                if latents is None:
                    raise CapabilityError(
                        f"the model ends its prediction after {self._done} frames; ask for fewer"
                    )
                positions = latents.position.float().cpu().numpy().copy()
                first = latents.image(0).to("cpu")
            if not np.isfinite(positions).all():
                raise CapabilityError(
                    f"the prediction holds NaN from its frame {self._done + 1} on; take the edit "
                    f"of the start back or open another checkpoint"
                )
            self._done += 1
            yield Step(first, positions)

    def skip(self, steps: int) -> None:
        """Take steps again that are known already."""
        for _ in self.on(steps):
            pass

    def picture(self, latents: Latents) -> Bytes:
        """Return the picture of particles of this roll-out.

        Raises:
            CapabilityError: The model gives no numbers.
        """
        import torch

        with torch.inference_mode():
            if self._decoder is None:
                encoding = self._start.encoding.to(self.device)
                self._decoder = self._model.decoder_for(encoding)
            image = self._decoder(latents.to(self.device)).image
            if not torch.isfinite(image).all():
                raise CapabilityError(
                    "the picture of a predicted frame holds NaN, so the prediction ends before "
                    "it; take the edit of the start back or open another checkpoint"
                )
            return picture_bytes(image)

    def _predictions(self) -> Iterator[Latents]:
        import torch

        from kpcore.futures import drawn

        past = drawn(self._start.particles, self._start.futures, self._start.seed)
        moved = [latents.to(self.device) for latents in past]
        predictor = cast("VideoPredictor", self._model)
        with torch.inference_mode():
            return iter(predictor.predict(moved, _FAR))


@contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """Let a few particles be moved by one thread: sharing so little work costs more than it."""
    import torch

    before = torch.get_num_threads()
    if device.type != "cpu" or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_FAR = 1_000_000
"""Steps asked of the model; as many are taken as are wanted."""
