"""The DLP-GCN video predictor around its frozen renderer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kpcore.api import Context, Decoder, Decoding, Encoding, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents
from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.models.dlp_gcn.networks import Dynamics
from kpcore.tracking import match


class DLPGCN(KeypointModel):
    """Particle-based video prediction (Daniel and Tamar, ICML 2022, sec. 5.3); a `VideoPredictor`.

    Encoding and decoding are the renderer's; the graph network predicts the particles of frames
    [t, t+1] from those of [t-1, t]. A roll-out goes on from the particles of t and the predicted
    ones of t+1. The graph needs no particle to have the same index in both frames; predicted
    particles keep the index, the presence, the background and the variances of the last frame
    given.

    Presence (z_on): particles below `GCNConfig.present` have no edges, do not move and stay as
    they are; the others tell the network their presence, which the roll-out does not change. An
    object leaves by moving out of the picture, so positions are not held inside it.

    Departs: the paper leaves presence open. With `GCNConfig.inertia` the particles of the two
    given frames are assigned to each other (`kpcore.tracking`), and each goes on as it came.
    """

    history = 2

    def __init__(self, config: GCNConfig, renderer: KeypointModel) -> None:
        """Put the graph network over a trained model, whose weights are frozen.

        Args:
            config: All choices.
            renderer: Any image model whose particles have features.

        Raises:
            InputError: The renderer is a predictor itself, or its particles cannot be moved so.
        """
        super().__init__()
        able = renderer.capabilities
        if able.video_history:
            raise InputError("a predictor cannot be the renderer of another; give an image model")
        if not able.features or not able.movable or able.lattice is not None:
            raise InputError(
                "this renderer's particles have "
                + ("no features" if not able.features else "no free positions")
                + "; give a DLP model (dlp-object, dlp-masked or dlp-compact)"
            )
        self.config = config
        self.renderer = renderer.requires_grad_(False).eval()
        self.dynamics = Dynamics(config, able.features)

    def train(self, mode: bool = True) -> DLPGCN:
        """Set the graph network's mode; the renderer stays as it was trained."""
        super().train(mode)
        self.renderer.eval()
        return self

    # -- the renderer's ----------------------------------------------------------------------------
    @property
    def capabilities(self) -> Capabilities:
        """What the renderer can do, and that two frames are needed to predict."""
        return replace(self.renderer.capabilities, video_history=self.history)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the renderer's particles of each image."""
        return self.renderer.encode(image, reference)

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the renderer's picture of each set of particles."""
        return self.renderer.decode(latents, context)

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return the renderer's decoder for edits of one encoding."""
        return self.renderer.decoder_for(encoding)

    # -- prediction --------------------------------------------------------------------------------
    def advance(
        self, before: Latents, last: Latents, rows: Int[Tensor, "B K"] | None = None
    ) -> tuple[Latents, Latents]:
        """Return the particles of `before` and of `last`, each moved on by one frame.

        Args:
            before: The frame before the last.
            last: The last frame.
            rows: Row in `before` of each particle of `last`, -1 for none; None where rows are the
                same particles in both, as in a roll-out. Only `GCNConfig.inertia` looks at it.

        Raises:
            ShapeError: The two do not fit each other or the model.
        """
        pair = [_parts(latents, self.renderer.capabilities.features) for latents in (before, last)]
        if before.position.shape != last.position.shape:
            raise ShapeError(
                f"positions have shapes {tuple(before.position.shape)} and "
                f"{tuple(last.position.shape)}; predict from two frames of equal batch and count"
            )
        feature = torch.stack([feature for feature, _ in pair], 1)
        presence = torch.stack([presence for _, presence in pair], 1)
        position = torch.stack([before.position, last.position], 1)
        way = _way(before.position, last.position, rows) if self.config.inertia else None
        present = presence >= self.config.present
        shift, change = self.dynamics(position, feature, presence, present, way)
        position, feature = position + shift, feature + change
        return (
            replace(before, position=position[:, 0], feature=feature[:, 0]),
            replace(last, position=position[:, 1], feature=feature[:, 1]),
        )

    def predict(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        """Yield the latents of each next frame, without gradients, in constant memory.

        Closing the iterator ends the roll-out; nothing is computed before a frame is asked for.

        Args:
            past: The last two frames of a batch of clips, oldest first; earlier ones are not
                looked at.
            steps: Frames to predict.

        Raises:
            InputError: Fewer than two frames, or `steps` is negative.
            ShapeError: The frames do not fit each other or the model.
        """
        if len(past) < self.history or steps < 0:
            raise InputError(
                f"{len(past)} past frames and {steps} steps were given; this predictor needs "
                f"{self.history} frames, and 0 steps or more"
            )
        return self._frames(past[-2], past[-1], steps)

    def _frames(self, before: Latents, last: Latents, steps: int) -> Iterator[Latents]:
        rows = self.rows(before, last)
        for _ in range(steps):
            with torch.no_grad():
                _, after = self.advance(before, last, rows)
            before, last, rows = last, after, None
            yield after

    def rows(self, before: Latents, last: Latents) -> Int[Tensor, "B K"] | None:
        """Return the row in `before` of each particle of `last`, -1 for none, by assignment.

        None where nothing asks for it.
        """
        if not self.config.inertia:
            return None
        found = torch.full(last.position.shape[:2], -1, device=last.position.device)
        for clip in range(len(found)):
            pair = (replace(frame.image(clip), background=None) for frame in (before, last))
            for old, new in match(*pair, present=self.config.present).pairs:
                found[clip, new] = old
        return found


def _way(
    before: Float[Tensor, "B K 2"], last: Float[Tensor, "B K 2"], rows: Int[Tensor, "B K"] | None
) -> Float[Tensor, "B K 2"]:
    """How far each particle came since the frame before; 0 for those that were not there."""
    if rows is None:
        return last - before
    came = before.gather(1, rows.clamp(min=0)[..., None].expand(-1, -1, 2))
    return (last - came) * (rows >= 0)[..., None]


def _parts(latents: Latents, features: int) -> tuple[Tensor, Tensor]:
    """Feature and presence of a batch of particles."""
    feature = latents.feature
    if feature is None or feature.shape[-1] != features or len(latents.batch_shape) != 1:
        seen = "none" if feature is None else f"shape {tuple(feature.shape)}"
        raise ShapeError(
            f"feature: {seen}; this predictor moves a batch of particles with {features} numbers "
            f"each"
        )
    presence = latents.presence
    return feature, feature.new_ones(feature.shape[:2]) if presence is None else presence
