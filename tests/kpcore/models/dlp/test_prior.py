"""Proposals: where they may lie, which are kept."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from kpcore.models.dlp.config import ObjectConfig
from kpcore.models.dlp.presets import OBJECT_PRESETS
from kpcore.models.dlp.prior import ConstantPrior, PatchPrior, RandomPrior

CONFIG: ObjectConfig = OBJECT_PRESETS["tiny"].config


def prior(**changes: object) -> PatchPrior:
    torch.manual_seed(0)
    made = PatchPrior(replace(CONFIG, **changes)).eval()
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    nn.init.constant_(made.cnn.head.weight, 5.0)
    return made


@torch.no_grad()
def test_each_proposal_lies_inside_its_patch():
    image = torch.rand(2, 3, 32, 32)
    proposal, middle = prior().all(image)
    assert proposal.shape == (2, 16, 2)
    # Patches of 8 pixels: the first one's middle is pixel 3.5 of 0..31.
    assert torch.allclose(middle[0], torch.full((2,), 3.5 / 31 * 2 - 1), atol=1e-6)
    assert torch.allclose(middle[1] - middle[0], torch.tensor([8 / 31 * 2, 0.0]), atol=1e-6)
    assert (proposal - middle).abs().max() <= 3.5 / 31 * 2 + 1e-6


@torch.no_grad()
def test_a_patch_of_one_colour_proposes_its_middle():
    proposal, middle = prior().all(torch.full((1, 3, 32, 32), 0.5))
    assert torch.allclose(proposal[0], middle, atol=1e-5)


@torch.no_grad()
def test_those_farthest_from_the_middle_stay():
    image = torch.rand(2, 3, 32, 32)
    made = prior()
    proposal, middle = made.all(image)
    far = (proposal - middle).square().sum(-1)
    kept = made(image)
    assert kept.shape == (2, 6, 2)
    for row in range(2):
        best = far[row].topk(6).indices
        want = {tuple(point) for point in proposal[row, best].tolist()}
        assert {tuple(point) for point in kept[row].tolist()} == want


@torch.no_grad()
def test_the_random_filter_keeps_any():
    image = torch.rand(1, 3, 32, 32)
    made = prior(prior_filter="random")
    everything = {tuple(point) for point in made.all(image)[0][0].tolist()}
    draws = [frozenset(tuple(point) for point in made(image)[0].tolist()) for _ in range(4)]
    assert all(draw <= everything for draw in draws)
    assert len(set(draws)) > 1


def test_priors_without_a_network():
    image = torch.rand(2, 3, 32, 32)
    assert not ConstantPrior(CONFIG)(image).any()
    torch.manual_seed(0)
    places = RandomPrior(replace(CONFIG, prior="random", prior_kept=500))(image)
    assert places.shape == (2, 500, 2)
    assert places.min() < -0.98
    assert places.max() > 0.98
    assert places.mean().abs() < 0.1
