"""Edges between particles: each one's nearest neighbours, itself included, in plain torch."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def nearest(
    position: Float[Tensor, "B P 2"], count: int, present: Bool[Tensor, "B P"] | None = None
) -> Int[Tensor, "B P k"]:
    """Return the indices of each particle's nearest particles, itself among them.

    Args:
        position: In any one unit.
        count: Neighbours wanted; all are given where there are fewer.
        present: Particles that may be neighbours; places left over repeat the particle itself.
    """
    size = position.shape[1]
    with torch.no_grad():
        distance = (position[:, :, None] - position[:, None]).square().sum(-1)
        distance.diagonal(dim1=1, dim2=2).fill_(-1.0)
        if present is None:
            return distance.topk(min(count, size), largest=False).indices
        distance = distance.masked_fill(~present[:, None], torch.inf)
        own = torch.arange(size, device=position.device)
        distance[:, own, own] = -1.0
        found = distance.topk(min(count, size), largest=False)
        return torch.where(found.values.isinf(), own[:, None], found.indices)


def edges(neighbours: Int[Tensor, "B P k"]) -> Int[Tensor, "2 E"]:
    """Return torch-geometric's edge index (source, target), a target's edges side by side.

    Nodes of a batch are numbered through, P to an image.
    """
    batch, size, _ = neighbours.shape
    first = torch.arange(batch, device=neighbours.device).view(-1, 1, 1) * size
    target = torch.arange(size, device=neighbours.device).view(1, -1, 1) + first
    return torch.stack([(neighbours + first).flatten(), target.expand_as(neighbours).flatten()])


def radius_edges(
    position: Float[Tensor, "B P 2"], radius: float, present: Bool[Tensor, "B P"] | None = None
) -> Int[Tensor, "2 E"]:
    """Return the edge index (source, target) of all pairs nearer than `radius`, both ways.

    Nodes of a batch are numbered through, P to an image; no node is joined to itself.

    Args:
        position: In the unit of `radius`.
        radius: Largest distance of a pair.
        present: Nodes that may have edges.
    """
    size = position.shape[1]
    with torch.no_grad():
        distance = (position[:, :, None] - position[:, None]).square().sum(-1)
        joined = distance <= radius**2
        joined &= ~torch.eye(size, dtype=torch.bool, device=position.device)
        if present is not None:
            joined &= present[:, :, None] & present[:, None]
        image, target, source = joined.nonzero().T
        return torch.stack([source, target]) + image * size
