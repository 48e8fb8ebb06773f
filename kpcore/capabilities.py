"""What a model can do, declared as values, so that the studio need not know its family."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from kpcore.latents import Latents

Presence = Literal["none", "gate", "score", "count"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be asked of a model, and the sizes it works at.

    Attributes:
        image_size: (height, width) in pixels of the pictures it encodes and decodes.
        particles: Particles per image, K (the count at inference where it may change).
        movable: Positions may be edited and decode to a moved picture.
        features: Size D of a particle's feature; 0 when it has none.
        uncertainty: Encoding gives `position_log_var`.
        presence: "gate" 0..1 multiplies visibility, "score" is a detection score, "count" is
            0 or 1 by the number of objects, "none" means that all are always present.
        prototypes: Rows of the codebook; 0 for none.
        levels: Levels of the pyramid; 1 for flat models.
        layers: Decoding gives one RGBA layer per particle over a background.
        heatmaps: Decoding gives one heatmap per particle.
        alphas: Decoding gives each particle's share in each pixel.
        glimpse_px: Side of a particle's glimpse in pixels; 0 when it has none.
        needs_reference: Encoding wants a reference image too.
        fixed_count: Decoding needs all K particles; otherwise any subset decodes.
        lattice: (rows, columns) that positions snap to; None when they are continuous.
        video_history: Frames a video predictor needs; 0 for image models.
        ordered: A particle keeps its row from picture to picture, as a keypoint does; otherwise
            neighbouring frames have to be matched (`kpcore.tracking`).
        most_particles: Most particles that encoding may be asked for at inference (see
            `KeypointModel.set_count`); 0 where the count is fixed.
        confidence: `KeypointModel.evidence` gives maps of where the encoder sees particles.
    """

    image_size: tuple[int, int]
    particles: int
    movable: bool = True
    features: int = 0
    uncertainty: bool = False
    presence: Presence = "none"
    prototypes: int = 0
    levels: int = 1
    layers: bool = False
    heatmaps: bool = False
    alphas: bool = False
    glimpse_px: int = 0
    needs_reference: bool = False
    fixed_count: bool = True
    lattice: tuple[int, int] | None = None
    video_history: int = 0
    ordered: bool = False
    most_particles: int = 0
    confidence: bool = False

    @property
    def takes_appearance(self) -> bool:
        """Whether its particles may be decoded with the appearance of another picture.

        It lies in a reference, or in the features of particles that are the same ones everywhere.
        """
        return self.needs_reference or (self.ordered and self.features > 0)

    @property
    def masks(self) -> bool:
        """Whether decoding says how much of each pixel is a particle's."""
        return self.layers or self.alphas


def constrain(
    latents: Latents, capabilities: Capabilities, encoded: Latents | None = None
) -> Latents:
    """Return the nearest latents that the model can decode.

    Positions are held inside the image and on the lattice, presence inside 0..1 (and whole where
    it is a count). The value itself is returned when nothing changes.

    Args:
        latents: After an edit.
        capabilities: Of the model.
        encoded: What the model made of the image. Positions equal to these are left alone, for an
            encoder may put an object that leaves the image outside of it.
    """
    position = latents.position.clamp(-1.0, 1.0)
    if capabilities.lattice is not None:
        rows, columns = capabilities.lattice
        size = position.new_tensor([columns, rows])
        cell = ((position + 1.0) * size / 2.0 - 0.5).round().clamp(min=0.0)
        cell = cell.minimum(size - 1.0)
        position = (2.0 * cell + 1.0) / size - 1.0
    if encoded is not None and encoded.position.shape == position.shape:
        untouched = latents.position == encoded.position
        position = position.where(~untouched, latents.position)
    presence = latents.presence
    if presence is not None:
        presence = presence.clamp(0.0, 1.0)
        if capabilities.presence == "count":
            presence = presence.round()
    same = position.equal(latents.position) and (
        presence is None or latents.presence is None or presence.equal(latents.presence)
    )
    return latents if same else replace(latents, position=position, presence=presence)
