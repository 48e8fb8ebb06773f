"""Keypoint Pyramids: keypoints in levels, each hanging on one of the level before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.api import Context, Decoder, Decoding, Encoding, Evidence, Image, KeypointModel
from kpcore.capabilities import Capabilities
from kpcore.latents import Latents, Topology
from kpcore.models.keypoint_pyramids.config import PyramidsConfig
from kpcore.models.keypoint_pyramids.networks import LevelFeatures, PyramidEncoder, level_renderer
from kpcore.nn.conv_norm import ConvStack, Renderer, halving, over_ground
from kpcore.nn.edit_rendering import (
    AppearanceDecoder,
    EditRenderer,
    Points,
    TransportDecoder,
    fast_renderer,
)
from kpcore.nn.folding import InferenceCopy
from kpcore.nn.keypoint_head import keypoint_maps, union
from kpcore.nn.requirements import require_pictures, require_points
from kpcore.nn.transport import paste, transport_moved


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the encoder makes of a picture.

    Attributes:
        position: Keypoints of all levels, coarsest first.
        pyramid: Feature map of each level.
        picture: The picture itself.
    """

    position: Float[Tensor, "B K 2"]
    pyramid: list[Tensor]
    picture: Image


class KeypointPyramids(KeypointModel):
    """Discovering deformable keypoint pyramids (Qian et al., ECCV 2022).

    Decodes with the combined decoder (eq. 1): keypoints of all levels over the appearance of a
    reference. Where the combined loss is a transport, or is left out, edits move the finest
    features instead, by the Transporter's rule and not by eq. 2, which would put the object in at
    its old place too (other_systems.md section 9).

    Departs: the paper's appendix with the layer tables is out of reach; sizes are those proposed
    in other_systems.md section 6. Nothing flows back through the reference of a transport, as in
    the Transporter; the paper does not say.
    """

    def __init__(self, config: PyramidsConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = PyramidEncoder(config)
        levels = range(len(config.points))
        finest = levels[-1]
        self.appearance: ConvStack | None = None
        if "points" in (config.combined, config.levelwise):
            self.appearance = ConvStack(3, halving(config.appearance_widths), config.norm)
        held = self.appearance.channels if self.appearance is not None else 0
        self.features = nn.ModuleDict()
        if config.levelwise == "transport":
            self.features.update({str(n): LevelFeatures(config, n) for n in levels})
        elif config.combined == "transport":
            self.features[str(finest)] = LevelFeatures(config, finest)
        self.combined: Renderer | None = None
        if config.combined == "points":
            maps = config.total * (2 if config.residual else 1)
            self.combined = level_renderer(config, finest, held + maps, config.residual)
        elif config.combined == "transport":
            self.combined = level_renderer(config, finest, config.level_channels[finest])
        self.levels = nn.ModuleList()
        if config.levelwise == "transport":
            self.levels.extend(level_renderer(config, n, config.level_channels[n]) for n in levels)
        elif config.levelwise == "points":
            self.levels.extend(level_renderer(config, finest, held + n) for n in config.points)
        drawn = config.total if self.combined is not None else config.points[-1]
        moving = slice(held, held + drawn)
        self._edit_renderer = InferenceCopy(self.edited_by, partial(EditRenderer, moving=moving))
        self._fast_renderer = InferenceCopy(self.edited_by, fast_renderer)

    @property
    def capabilities(self) -> Capabilities:
        """What this model can do."""
        c = self.config
        return Capabilities(
            image_size=(c.image_size, c.image_size),
            particles=c.total,
            levels=len(c.points),
            heatmaps=True,
            needs_reference=True,
            ordered=True,
            confidence=True,
        )

    @property
    def edited_by(self) -> Renderer:
        """What makes an edited picture: the decoder of all levels, or that of the finest."""
        if self.combined is not None:
            return self.combined
        return cast("Renderer", self.levels[-1])

    @property
    def topology(self) -> Topology:
        """Levels and parents of the keypoints."""
        c = self.config
        level = tuple(n for n, count in enumerate(c.points) for _ in range(count))
        return Topology(level, c.parents, tuple(range(c.total)))

    def see(self, image: Image) -> Seen:
        """Return keypoints and features of a picture."""
        position, pyramid = self.encoder(image)
        return Seen(position, pyramid, image)

    def by_level(self, position: Tensor) -> tuple[Tensor, ...]:
        """Return the keypoints of each level."""
        return position.split(self.config.points, dim=1)

    def maps(self, position: Tensor, level: int = -1) -> Tensor:
        """Return Gaussian maps of keypoints at a level's size (the finest level's by default)."""
        return keypoint_maps(position, self.config.sides[level], self.config.sigma)

    # -- ways to remake a picture ----------------------------------------------------------------
    def look(self, reference: Seen) -> dict[str, Tensor]:
        """Return what rendering from points needs of the reference."""
        assert self.appearance is not None
        context = {"appearance": self.appearance(reference.picture)}
        if self.config.residual:
            context |= {"picture": reference.picture, "base_position": reference.position}
        return context

    def render(self, position: Tensor, context: Context, level: int | None = None) -> Tensor:
        """Return the picture of keypoints over the reference's appearance (eq. 1).

        Args:
            position: Keypoints of all levels, or of one.
            context: Of the reference.
            level: The level to decode alone; None decodes all together.
        """
        decoder = self.combined if level is None else self.levels[level]
        assert decoder is not None
        picture = decoder(self.inputs(position, context))
        if not self.config.residual or level is not None:
            return picture
        return over_ground(picture, context["picture"])

    def inputs(self, position: Tensor, context: Context) -> Tensor:
        """Return what a renderer of points takes.

        Args:
            position: Keypoints of all levels, or of one.
            context: Of the reference.
        """
        parts = [context["appearance"], self.maps(position)]
        if self.config.residual and position.shape[1] == self.config.total:
            parts.append(self.maps(context["base_position"]))
        return torch.cat(parts, 1)

    def transported(self, image: Seen, reference: Seen, level: int | None = None) -> Tensor:
        """Return the picture remade from transported features (eqs. 2 and 3).

        Args:
            image: What is to be remade.
            reference: Nothing flows back through it.
            level: The level whose features and keypoints count; None takes the keypoints of all
                levels and the finest features.
        """
        which = len(self.config.points) - 1 if level is None else level
        encode = self.features[str(which)]
        donor = encode(image.pyramid[which])
        with torch.no_grad():
            base = encode(reference.pyramid[which])
        here, there = image.position, reference.position.detach()
        if level is not None:
            here, there = self.by_level(here)[level], self.by_level(there)[level]
        pasted = paste(base, donor, union(self.maps(there, which)), union(self.maps(here, which)))
        decoder = self.combined if level is None else self.levels[level]
        assert decoder is not None
        return decoder(pasted)

    # -- the contract ----------------------------------------------------------------------------
    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the keypoints of each image, coarsest level first.

        Args:
            image: Pictures whose keypoints are wanted.
            reference: Pictures of the same scene that give appearance, one for each image; None
                means the images themselves. One encoding serves all drags.
        """
        require_pictures(self.config.image_size, image, reference)
        seen = self.see(image)
        base = seen if reference is None else self.see(reference)
        c = self.config
        if (c.levelwise if c.combined == "none" else c.combined) == "points":
            context = self.look(base)
        else:
            finest = self.features[str(len(c.points) - 1)]
            context = {
                "donor": finest(seen.pyramid[-1]),
                "donor_position": seen.position,
                "base": finest(base.pyramid[-1]),
                "base_position": base.position,
            }
        return Encoding(Latents(seen.position, self.topology), context)

    def evidence(self, image: Image) -> Evidence:
        """Return the distribution of each keypoint over the picture."""
        return Evidence(self.encoder.confidence(image))

    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of keypoints."""
        position, context = require_points(latents, self.config.total, context)
        maps = self.maps(position)
        if "donor" in context:
            picture = self._edited(position, context)
        elif self.combined is not None:
            picture = self.render(position, context)
        else:
            finest = len(self.config.points) - 1
            picture = self.render(self.by_level(position)[finest], context, finest)
        return Decoding(picture.clamp(0.0, 1.0), heatmaps=maps)

    @torch.no_grad()
    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder that keeps what the reference adds to the picture."""
        if self.training:
            return super().decoder_for(encoding)
        c = self.config
        position, context = require_points(encoding.latents, c.total, encoding.context)
        first = 0 if self.combined is not None else c.total - c.points[-1]
        points = Points(c.total, self.maps, first)
        if "donor" in context:
            return TransportDecoder(self._fast_renderer, points, context)
        inputs = self.inputs(position[:, first:], context)
        return AppearanceDecoder(
            self._edit_renderer, points, context, inputs, context.get("picture")
        )

    def _edited(self, position: Tensor, context: Context) -> Tensor:
        """The picture with each keypoint's finest features where the keypoint is now."""
        old, base = context["donor_position"], context["base_position"]
        if self.combined is None:
            old, base, position = (self.by_level(places)[-1] for places in (old, base, position))
        features = transport_moved(
            context["base"],
            context["donor"],
            self.maps(base),
            self.maps(position),
            position - old,
        )
        return self.edited_by(features)
