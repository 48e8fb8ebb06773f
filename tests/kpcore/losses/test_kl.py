"""KL terms against torch's own and against numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from kpcore.losses.kl import chamfer_kl, gaussian_kl, paired_kl


def test_the_kl_of_two_normals_is_that_of_torch():
    torch.manual_seed(0)
    mean, log_var = torch.randn(5, 2), torch.randn(5, 2)
    ours = gaussian_kl(mean, log_var, torch.tensor(0.3), -1.2)
    want = kl_divergence(
        Normal(mean, (0.5 * log_var).exp()), Normal(torch.tensor(0.3), math.exp(-0.6))
    )
    assert torch.allclose(ours, want, atol=1e-5)


def test_chamfer_kl_by_hand():
    """Unit variances: the KL of two points is half their squared distance."""
    mean = torch.tensor([[[0.0, 0.0], [3.0, 0.0]]])
    proposal = torch.tensor([[[0.0, 1.0], [3.0, 2.0], [9.0, 0.0]]])
    # particles: 1/2 and 4/2; proposals: 1/2, 4/2 and 36/2
    value = chamfer_kl(mean, torch.zeros(1, 2, 2), proposal, 0.0)
    assert value.tolist() == pytest.approx([0.5 + 2.0 + 0.5 + 2.0 + 18.0])


def test_chamfer_kl_does_not_see_the_order():
    torch.manual_seed(0)
    mean, log_var, proposal = torch.randn(2, 4, 2), torch.randn(2, 4, 2), torch.randn(2, 6, 2)
    order = torch.randperm(6)
    a = chamfer_kl(mean, log_var, proposal, -4.6)
    assert torch.allclose(chamfer_kl(mean, log_var, proposal[:, order], -4.6), a)


def test_the_standard_kl_pairs_by_number():
    mean = torch.tensor([[[0.0, 0.0], [3.0, 0.0]]])
    proposal = torch.tensor([[[0.0, 1.0], [3.0, 2.0]]])
    assert paired_kl(mean, torch.zeros(1, 2, 2), proposal, 0.0).tolist() == pytest.approx([2.5])
    assert paired_kl(mean, torch.zeros(1, 2, 2), proposal.flip(1), 0.0).item() > 2.5
