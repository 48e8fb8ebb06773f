"""PointNet++ over particles, on torch-geometric: from a set of points to feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch_geometric.nn.conv import MessagePassing

from kpcore.nn.blocks import ConvBlock
from kpcore.nn.graph import edges, nearest

WIDTHS = (64, 128, 256, 512)
_NEIGHBOURS = 10
_SEED_SIDE = 8


class PointNetLayer(MessagePassing):
    """Max over neighbours j of MLP([h_j, p_j - p_i]).

    Source: Qi et al., PointNet++, 2017; DLP sec. 4.4. The first layer is linear in its input, so
    its two halves are computed once per particle rather than once per edge.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__(aggr="max")
        self._features = features
        self.mlp = nn.Sequential(
            nn.Linear(features + 2, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
        )

    def forward(
        self,
        feature: Float[Tensor, "N D"],
        position: Float[Tensor, "N 2"],
        edge_index: Int[Tensor, "2 E"],
    ) -> Float[Tensor, "N W"]:
        """Return the new feature of every particle."""
        first = cast("nn.Linear", self.mlp[0])
        own, place = first.weight.split([self._features, 2], dim=1)
        there = position @ place.T
        here = feature @ own.T + first.bias + there
        return self.propagate(edge_index, here=here, there=there)

    # torch-geometric passes arguments by name.
    def message(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, here_j: Float[Tensor, "E W"], there_i: Float[Tensor, "E W"]
    ) -> Float[Tensor, "E W"]:
        """Return what each edge says."""
        value = here_j - there_i
        for layer in list(self.mlp)[1:]:
            value = layer(value)
        return value

    def aggregate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, inputs: Float[Tensor, "E W"], ptr: None = None, dim_size: int | None = None
    ) -> Float[Tensor, "N W"]:
        """Return the maximum over each particle's edges, which lie side by side."""
        return inputs.unflatten(0, (dim_size or 1, -1)).amax(1)


class PointNet(nn.Module):
    """Positions and features of all particles to K maps.

    Source: DLP sec. 4.4 and dlp.md section 6: four layers over one graph of the ten nearest
    (each particle its own neighbour), a global max, and a small decoder.
    """

    def __init__(self, features: int, maps: int, side: int, widths: Sequence[int] = WIDTHS) -> None:
        """Make the layers.

        Args:
            features: Numbers per particle beside its position.
            maps: K, how many maps come out.
            side: Of a map; a power of two, at least 8.
            widths: Of the layers.
        """
        super().__init__()
        ends = (features + 2, *widths)
        self.layers = nn.ModuleList(PointNetLayer(a, b) for a, b in pairwise(ends))
        self.seed = nn.Sequential(nn.Linear(widths[-1], maps * _SEED_SIDE**2), nn.ReLU())
        doublings = (side // _SEED_SIDE).bit_length() - 1
        self.grow = nn.Sequential(
            *(ConvBlock(maps, maps, activation="leaky", double=True) for _ in range(doublings))
        )

    def forward(
        self,
        position: Float[Tensor, "B P 2"],
        feature: Float[Tensor, "B P D"],
        present: Bool[Tensor, "B P"] | None = None,
    ) -> Float[Tensor, "B K h w"]:
        """Return the maps; particles that are not `present` take no part."""
        batch, count, _ = position.shape
        edge_index = edges(nearest(position, _NEIGHBOURS, present))
        place = position.flatten(0, 1)
        value = torch.cat([position, feature], dim=-1).flatten(0, 1)
        for layer in self.layers:
            value = layer(value, place, edge_index).relu()
        value = value.view(batch, count, -1)
        if present is not None:
            value = value * present[..., None]
        return self.grow(self.seed(value.amax(1)).view(batch, -1, _SEED_SIDE, _SEED_SIDE))
