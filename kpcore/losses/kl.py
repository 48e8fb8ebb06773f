"""Kullback-Leibler terms between Gaussians with diagonal covariance."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor


def gaussian_kl(
    mean: Float[Tensor, "*n"],
    log_var: Float[Tensor, "*n"],
    other_mean: Tensor | float = 0.0,
    other_log_var: float = 0.0,
) -> Tensor:
    """Return KL(N(mean, log_var) || N(other)) of every coordinate; shapes broadcast.

    Source: dlp.md section 10.
    """
    gap = log_var - other_log_var
    square = (mean - other_mean).square() * math.exp(-other_log_var)
    return -0.5 * (1.0 + gap - gap.exp() - square)


def chamfer_kl(
    mean: Float[Tensor, "B K 2"],
    log_var: Float[Tensor, "B K 2"],
    proposal: Float[Tensor, "B L 2"],
    proposal_log_var: float,
) -> Float[Tensor, " B"]:
    """Return, per image, each particle's KL to its best proposal and the other way round, summed.

    The KL always runs from posterior to proposal; only the minimum changes sides.

    Source: DLP sec. 4.1, Chamfer-KL.
    """
    pairs = gaussian_kl(
        mean[:, :, None], log_var[:, :, None], proposal[:, None], proposal_log_var
    ).sum(-1)
    return pairs.amin(1).sum(-1) + pairs.amin(2).sum(-1)


def paired_kl(
    mean: Float[Tensor, "B K 2"],
    log_var: Float[Tensor, "B K 2"],
    proposal: Float[Tensor, "B K 2"],
    proposal_log_var: float,
) -> Float[Tensor, " B"]:
    """Return, per image, the KL of particle k to proposal k, summed (DLP table 2, standard KL)."""
    return gaussian_kl(mean, log_var, proposal, proposal_log_var).sum((-1, -2))
