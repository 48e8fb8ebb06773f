"""The gated graph network that moves particles."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch_geometric.nn import ResGatedGraphConv

from kpcore.models.dlp_gcn.config import GCNConfig
from kpcore.nn.graph import radius_edges

_SCALES = (1.0, 4.0, 16.0)
"""Enlargements at which an edge tells the difference of positions, in radii."""
_MOST = 4.0
"""Largest number that an edge carries."""


_ENLARGED = 16.0
"""Factor on the ways that particles came, which are small numbers."""


class Dynamics(nn.Module):
    """Particles of two frames to the change of each.

    Two gated graph layers (Bresson and Laurent 2017; torch-geometric's `ResGatedGraphConv`) and a
    shared two-layer MLP over the nodes, all with ReLU, then one linear layer and tanh (DLP app. F).
    A node is position, appearance, presence and a one-hot of its frame.

    Departs: presence is an input where the renderer has it; the paper leaves it open. Edges may
    carry the difference of positions (`GCNConfig.relative_edges`); the paper's carry nothing. With
    `GCNConfig.inertia` the limits hold for what the network adds to a particle's own motion.
    """

    def __init__(self, config: GCNConfig, features: int) -> None:
        """Build the network.

        Args:
            config: Sizes and limits.
            features: D, appearance numbers of a particle.
        """
        super().__init__()
        self._radius = config.radius
        edge = 2 * len(_SCALES) if config.relative_edges else None
        self._inertia = config.inertia
        node, hidden = 2 + features + 1 + 2 + 2 * config.inertia, config.hidden
        self.first = ResGatedGraphConv(node, hidden, edge_dim=edge)
        self.second = ResGatedGraphConv(hidden, hidden, edge_dim=edge)
        self.mlp = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.change = nn.Linear(hidden, 2 + features)
        nn.init.normal_(self.change.weight, std=0.01)
        nn.init.zeros_(self.change.bias)
        limits = torch.full((2 + features,), config.feature_limit)
        limits[:2] = config.position_limit
        self.register_buffer("limits", limits, persistent=False)
        self.limits: Tensor

    def forward(
        self,
        position: Float[Tensor, "B T K 2"],
        feature: Float[Tensor, "B T K D"],
        presence: Float[Tensor, "B T K"],
        present: Bool[Tensor, "B T K"],
        way: Float[Tensor, "B K 2"] | None = None,
    ) -> tuple[Float[Tensor, "B T K 2"], Float[Tensor, "B T K D"]]:
        """Return the change of every particle's position and feature until the next frame.

        Args:
            position: Unit coordinates, of two frames (T = 2).
            feature: Appearance.
            presence: 0..1.
            present: Particles that take part; the others have no edges and do not change.
            way: How far each particle of the last frame came since the one before; with
                `GCNConfig.inertia`.
        """
        batch, frames, count = presence.shape
        time = torch.eye(frames, device=position.device).view(1, frames, 1, frames)
        told = [position, feature, presence[..., None], time.expand(batch, -1, count, -1)]
        if self._inertia and way is not None:
            ways = torch.zeros_like(position)
            ways[:, -1] = _ENLARGED * way
            told.append(ways)
        nodes = torch.cat(told, dim=-1).flatten(0, 2)
        edges = radius_edges(position.flatten(1, 2), self._radius, present.flatten(1, 2))
        between = self._between(position, edges)
        nodes = torch.relu(self.first(nodes, edges, between))
        nodes = torch.relu(self.second(nodes, edges, between))
        change = torch.tanh(self.change(self.mlp(nodes))) * self.limits
        change = change.view(batch, frames, count, -1)
        shift = change[..., :2]
        if self._inertia and way is not None:
            shift = shift + torch.cat([torch.zeros_like(shift[:, :-1]), way[:, None]], dim=1)
        return shift * present[..., None], change[..., 2:] * present[..., None]

    def _between(self, position: Tensor, edges: Tensor) -> Tensor | None:
        """From each edge's target to its source: coarse for all, fine for those close by."""
        if self.first.edge_dim is None:
            return None
        source, target = edges
        flat = position.flatten(0, 2)
        apart = (flat[source] - flat[target]) / self._radius
        return torch.cat([(apart * scale).clamp(-_MOST, _MOST) for scale in _SCALES], dim=-1)
