"""Losses that draw descriptors to prototypes, and prototypes to descriptors.

Descriptors and prototypes have length 1 throughout.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def mean_square_distances(
    descriptor: Float[Tensor, "N C"], prototypes: Float[Tensor, "M C"]
) -> Float[Tensor, "N M"]:
    """Return the squared distance of each pair, divided by the number of coordinates."""
    square = descriptor.square().sum(1)[:, None] + prototypes.square().sum(1)
    return (square - 2.0 * descriptor @ prototypes.mT) / descriptor.shape[1]


def soft_k_means(
    descriptor: Float[Tensor, "N C"], prototypes: Float[Tensor, "M C"], sharpness: float = 20.0
) -> Float[Tensor, ""]:
    """Return the mean of -log of each descriptor's largest soft assignment.

    Departs from TUSK eq. 3, which takes the plain distance: this is the soft-min of `sharpness`
    times the mean squared distance, as released.
    """
    nearness = -sharpness * mean_square_distances(descriptor, prototypes)
    return -nearness.log_softmax(1).amax(1).mean()


@torch.no_grad()
def mixture_weights(
    descriptor: Float[Tensor, "N C"],
    prototypes: Float[Tensor, "M C"],
    exploration: float = 0.01,
) -> Float[Tensor, " M"]:
    """Return the weight of each prototype in the mixture that stands for the descriptors.

    A prototype's weight is its share of the descriptors, plus, for all alike, how unequal the
    spreads of the clusters are, plus `exploration`. Empty clusters count as a spread of 1.

    Source: TUSK eq. 7 and 8.
    """
    distances = mean_square_distances(descriptor, prototypes)
    nearest = distances.argmin(1)
    count = torch.bincount(nearest, minlength=len(prototypes)).to(descriptor.dtype)
    own = distances.gather(1, nearest[:, None])[:, 0]
    spread = torch.zeros_like(count).index_add(0, nearest, own)
    spread = torch.where(count > 0, spread / count.clamp(min=1.0), torch.ones_like(spread))
    unequal = spread.var() if len(spread) > 1 else spread.new_zeros(())
    weight = count / len(descriptor) + exploration + unequal
    return weight / weight.sum()


def sample_mixture(
    prototypes: Float[Tensor, "M C"],
    weights: Float[Tensor, " M"],
    count: int,
    sigma: float,
) -> Float[Tensor, "{count} C"]:
    """Return points around the prototypes, as many for each as its weight says, of length 1.

    The points move with the prototypes.

    Source: TUSK table 7; the released code normalises after adding noise.
    Departs: what rounding down leaves over goes to the largest remainders, one each. As published
    all of it goes to the last prototype, which becomes the mean of many where there are fewer
    points than prototypes.
    """
    wanted = weights * count
    copies = wanted.floor().long()
    left = count - int(copies.sum())
    copies[(wanted - copies).topk(left).indices] += 1
    rows: Int[Tensor, " N"] = torch.repeat_interleave(
        torch.arange(len(prototypes), device=prototypes.device), copies, output_size=count
    )
    points = prototypes[rows]
    return F.normalize(points + sigma * torch.randn_like(points), dim=1)


def sliced_wasserstein(
    a: Float[Tensor, "N C"], b: Float[Tensor, "N C"], projections: int = 100
) -> Float[Tensor, ""]:
    """Return the squared distance between sorted projections, summed over random directions.

    The mean is over the points (TUSK eq. 2 also divides by the number of directions; the released
    code, whose learning rate belongs to it, does not).
    """
    directions = F.normalize(
        torch.randn(a.shape[1], projections, device=a.device, dtype=a.dtype), dim=0
    )
    gap = (a @ directions).sort(0).values - (b @ directions).sort(0).values
    return gap.square().sum(1).mean()
