"""Keypoints with a recurrent predictor: a baseline for video prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.api import Context, Decoder, Decoding, Encoding, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents, Topology
from kpcore.models.keynet_rnn.config import KeyNetRNNConfig
from kpcore.models.keynet_rnn.networks import Detector, Dynamics, Renderer


class KeyNetRNN(KeypointModel):
    """Keypoints of fixed order, drawn as a residual on a reference picture, moved by a GRU.

    After Minderer et al., Unsupervised Learning of Object Structure and Dynamics from Videos
    (NeurIPS 2019), to which DLP compares its video prediction (DLP sec. 5.3). The latents'
    background is the reference picture itself: for a picture that is encoded alone, that picture,
    so its reconstruction says little; what the model has learned shows in frames that are drawn on
    an earlier one.

    Departs: the recurrent network is deterministic (there: variational); predicted frames are drawn
    on the last given frame (there: the first); networks may work on blocks of pixels.
    """

    def __init__(self, config: KeyNetRNNConfig) -> None:
        super().__init__()
        self.config = config
        self.detector = Detector(config)
        self.painter = Renderer(config)
        self.dynamics = Dynamics(config)
        self.history = config.observed

    @property
    def renderer(self) -> KeypointModel:
        """The model that decodes predicted latents: this one."""
        return self

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.particles,
            presence="gate",
            heatmaps=True,
            video_history=c.observed,
            ordered=True,
        )

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the keypoints of each image; they are drawn on `reference`, or on the image."""
        size = self.config.image_size
        for picture in (image,) if reference is None else (image, reference):
            if picture.ndim != 4 or tuple(picture.shape[1:]) != (3, size, size):
                raise ShapeError(
                    f"the image has shape {tuple(picture.shape)}; this model takes "
                    f"(B, 3, {size}, {size})"
                )
        found = self.detector(image)
        behind = image if reference is None else reference
        latents = Latents(
            position=found.position,
            topology=Topology.flat(self.config.particles),
            presence=found.scale,
            background=behind.flatten(1),
        )
        return Encoding(latents)

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of keypoints."""
        return _Painting(self)(latents)

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that looks at the reference picture once."""
        return _Painting(self)

    def predict(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        """Yield the latents of each next frame, drawn on the last of `past`.

        Args:
            past: successive frames of a batch of clips, oldest first; `history` of them or another
                number, at least one.
            steps: how many frames to predict.

        Raises:
            InputError: There is no past, or `steps` is negative.
        """
        if not past or steps < 0:
            raise InputError(
                f"{len(past)} past frames and {steps} steps were given; give at least 1 frame and "
                f"0 steps"
            )
        return self._predictions(past, steps)

    def _predictions(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        memory: Tensor | None = None
        last, after = past[-1], joined(past[0])
        for seen in past:
            after, memory = self.dynamics.observe(joined(seen), memory)
        for _ in range(steps):
            yield replace(last, position=after[..., :2], presence=after[..., 2])
            after, memory = self.dynamics.observe(after, memory)


def joined(latents: Latents) -> Float[Tensor, "B K 3"]:
    """Return position and strength of each keypoint."""
    presence = latents.presence
    if presence is None or latents.position.ndim != 3:
        raise ShapeError(
            f"positions have shape {tuple(latents.position.shape)}, presence "
            f"{'none' if presence is None else tuple(presence.shape)}; this model predicts (B, K, "
            f"2) with a presence for each"
        )
    return torch.cat([latents.position, presence[..., None]], dim=-1)


class _Painting:
    """Decodes keypoints; what the reference picture gives is computed when it changes."""

    def __init__(self, model: KeyNetRNN) -> None:
        self._model = model
        self._behind: Tensor | None = None
        self._known: tuple[Tensor, Tensor, Tensor] | None = None

    def __call__(self, latents: Latents) -> Decoding:
        config, painter = self._model.config, self._model.painter
        behind, presence = latents.background, latents.presence
        if behind is None or presence is None or behind.shape[-1:] != (3 * config.image_size**2,):
            raise ShapeError(
                "this model decodes keypoints with presence and, as background, the "
                f"{3 * config.image_size**2} numbers of a reference picture"
            )
        if latents.count != config.particles or len(latents.batch_shape) != 1:
            raise ShapeError(
                f"{latents.count} particles in a batch of shape {latents.batch_shape}; this model "
                f"decodes (B,) images of {config.particles} particles"
            )
        maps = painter.maps(latents.position, presence)
        image = painter(maps, *self._reference(behind))
        return Decoding(image.clamp(0.0, 1.0), heatmaps=maps)

    def _reference(self, behind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The reference picture, its appearance and the maps of its keypoints."""
        if self._known is None or behind is not self._behind:
            size, painter = self._model.config.image_size, self._model.painter
            picture = behind.view(-1, 3, size, size)
            found = self._model.detector(picture)
            maps = painter.maps(found.position, found.scale)
            self._known = (picture, painter.appearance(picture), maps)
            self._behind = behind
        return self._known
