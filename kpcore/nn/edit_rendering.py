"""Decode edits of keypoints again and again, with what no edit changes computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from kpcore.api import Context, Decoding
from kpcore.latents import Latents
from kpcore.nn.conv_norm import Renderer, over_ground
from kpcore.nn.folding import InferenceCopy, fold
from kpcore.nn.hastening import hasten
from kpcore.nn.requirements import require_points
from kpcore.nn.transport import transport_moved
from kpcore.tracing import one_call

MakeMaps = Callable[[Tensor], Tensor]
"""From positions (B, K, 2) to Gaussian maps (B, K, h, w)."""


def fast_renderer(renderer: Renderer) -> Renderer:
    """Return an inference copy of a renderer of which all channels of the input may change."""
    copy = fold(renderer)
    hasten(copy)
    return copy


class EditRenderer(nn.Module):
    """An inference copy of a renderer of which only some channels of the input change.

    The first convolution is linear, so that of the channels that stay is computed once.
    """

    def __init__(self, renderer: Renderer, moving: slice) -> None:
        """Copy a renderer.

        Args:
            renderer: It stays as it is.
            moving: Channels of its input that edits change.
        """
        super().__init__()
        folded = fold(renderer)
        first, *rest = folded.body
        conv, *after = cast("nn.Sequential", first)
        self.conv = cast("nn.Conv2d", conv)
        weight = self.conv.weight[:, moving]
        self.weight = nn.Parameter(
            weight.contiguous(memory_format=torch.channels_last), requires_grad=False
        )
        self.rest = nn.Sequential(*after, *rest, folded.head)
        hasten(self.rest)
        self._moving = moving

    def begin(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B D h w"]:
        """Return the first convolution of the channels that stay; the others do not count."""
        maps = maps.clone()
        maps[:, self._moving] = 0.0
        return self.conv(maps)

    def forward(
        self, begun: Float[Tensor, "B D h w"], moving: Float[Tensor, "B M h w"]
    ) -> Float[Tensor, "B c H W"]:
        """Return the picture, not clamped, and the logit of its mask if there is one."""
        return self.rest(begun + nn.functional.conv2d(moving, self.weight, padding=1))


@dataclass(frozen=True, slots=True)
class Points:
    """How a model draws its keypoints for its renderer.

    Attributes:
        count: Keypoints of a picture.
        maps: Of all of them.
        first: The renderer sees those from this one on.
    """

    count: int
    maps: MakeMaps
    first: int = 0


class AppearanceDecoder:
    """Decodes edits of keypoints over an appearance that stays."""

    def __init__(
        self,
        renderer: InferenceCopy[Renderer, EditRenderer],
        points: Points,
        context: Context,
        inputs: Float[Tensor, "B C h w"],
        ground: Float[Tensor, "B 3 H W"] | None,
    ) -> None:
        """Keep what stays.

        Args:
            renderer: Made with the channels of the keypoints' maps as those that move.
            points: How keypoints are drawn.
            context: Of the encoding.
            inputs: Of the renderer; the keypoints' maps may hold anything.
            ground: What lies behind what is rendered; None where nothing does.
        """
        self._renderer, self._points = renderer, points
        self._context, self._inputs = context, inputs
        self._ground = () if ground is None else (ground,)
        self._working: EditRenderer | None = None
        self._begun = inputs

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        position, _ = require_points(latents, self._points.count, self._context)
        working = self._renderer()
        if working is not self._working:
            self._working, self._begun = working, working.begin(self._inputs)
        image, maps = one_call(working, self._draw, position, self._begun, *self._ground)
        return Decoding(image, heatmaps=maps)

    def _draw(self, position: Tensor, begun: Tensor, *ground: Tensor) -> tuple[Tensor, Tensor]:
        maps = self._points.maps(position)
        picture = self._renderer()(begun, maps[:, self._points.first :])
        for behind in ground:
            picture = over_ground(picture, behind)
        return picture.clamp(0.0, 1.0), maps


class TransportDecoder:
    """Decodes edits of keypoints that carry their features along."""

    def __init__(
        self, renderer: InferenceCopy[Renderer, Renderer], points: Points, context: Context
    ) -> None:
        """Keep what stays.

        Args:
            renderer: Of transported features.
            points: How keypoints are drawn.
            context: "base" and "donor", and the keypoints of both: "base_position",
                "donor_position".
        """
        self._renderer, self._points, self._context = renderer, points, context
        self._base_maps = points.maps(context["base_position"])[:, points.first :]
        self._old = context["donor_position"].tolist()

    @torch.no_grad()
    def __call__(self, latents: Latents) -> Decoding:
        """Return the picture of these latents."""
        position, context = require_points(latents, self._points.count, self._context)
        inputs = (
            position, context["donor_position"], self._moved(position),
            context["base"], context["donor"], self._base_maps,
        )  # fmt: skip
        image, maps = one_call(self._renderer(), self._draw, *inputs)
        return Decoding(image, heatmaps=maps)

    def _moved(self, position: Tensor) -> Int[Tensor, " n"]:
        """Return which of the drawn keypoints moved in any picture.

        In Python, which does not hand the interpreter's lock over between its steps.
        """
        moved = {
            row - self._points.first
            for here, there in zip(position.tolist(), self._old, strict=True)
            for row, (new, old) in enumerate(zip(here, there, strict=True))
            if new != old and row >= self._points.first
        }
        return torch.tensor(sorted(moved), dtype=torch.long, device=position.device)

    def _draw(
        self,
        position: Tensor,
        old: Tensor,
        rows: Int[Tensor, " n"],
        base: Tensor,
        donor: Tensor,
        base_maps: Tensor,
    ) -> tuple[Tensor, Tensor]:
        maps = self._points.maps(position)
        shift = (position - old)[:, self._points.first :]
        drawn = maps[:, self._points.first :]
        features = transport_moved(base, donor, base_maps, drawn, shift, rows)
        return self._renderer()(features).clamp(0.0, 1.0), maps
