"""Keypoint Pyramids: levels and parents, the three losses, the ablations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore.api import Batch, Progress
from kpcore.errors import InputError
from kpcore.models.keypoint_pyramids import ABLATIONS, PRESETS
from kpcore.models.keypoint_pyramids.config import PyramidsConfig
from kpcore.models.keypoint_pyramids.model import KeypointPyramids
from kpcore.models.keypoint_pyramids.objective import PyramidsObjective, spring
from kpcore.nn.keypoint_head import union
from kpcore.nn.transport import paste

TINY = PRESETS["tiny"].config
NOW = Progress(0, 10, 0.0)


def pictures(count: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_the_papers_numbers():
    config = PyramidsConfig()
    assert (config.total, config.sides) == (30, (16, 32))
    assert (config.spring, config.level_weights, config.combined_weight) == (1.0, (0.1, 1.0), 1.0)
    # Children of parent n (from 0) are 2 n and 2 n + 1 of the next level.
    assert config.parents[:10] == (-1,) * 10
    assert config.parents[10:] == tuple(n // 2 for n in range(20))


def test_levels_hang_on_the_level_before():
    config = replace(TINY, points=(1, 3, 6), level_channels=(8, 8, 8), level_weights=(0.1, 1, 1),
                     appearance_widths=(8,), renderer_widths=(8,))  # fmt: skip
    assert config.parents == (-1, 0, 0, 0, 1, 1, 2, 2, 3, 3)
    model = KeypointPyramids(config).eval()
    with torch.no_grad():
        encoding = model.encode(pictures())
    assert encoding.latents.topology.level == (0, 1, 1, 1, 2, 2, 2, 2, 2, 2)
    assert encoding.latents.topology.parent == config.parents
    assert model.capabilities.levels == 3
    report = PyramidsObjective(model, config)(Batch(pictures(), pictures(seed=1)), NOW)
    assert {"level_1", "level_2", "level_3", "spring", "reconstruction"} == set(report.terms)


def test_a_single_level_is_a_flat_model():
    config = replace(TINY, points=(4,), level_channels=(8,), level_weights=(1.0,),
                     appearance_widths=(8, 8, 16), renderer_widths=(16, 8, 8))  # fmt: skip
    model = KeypointPyramids(config)
    report = PyramidsObjective(model, config)(Batch(pictures(), pictures(seed=1)), NOW)
    assert "spring" not in report.terms
    assert model.capabilities.levels == 1


def test_springs_by_hand():
    # Parents at 0 and (1, 0); children of 0: (0, 0.5), (0.5, 0); of 1: (1, 0), (1, -2).
    place = torch.tensor([[[0, 0], [1, 0], [0, 0.5], [0.5, 0], [1, 0], [1, -2]]])
    parents = (-1, -1, 0, 0, 1, 1)
    assert float(spring(place, parents)) == pytest.approx(0.25 + 0.25 + 0.0 + 4.0)
    both = torch.cat([place, torch.zeros_like(place)])
    assert float(spring(both, parents)) == pytest.approx(4.5 / 2)


def test_the_level_loss_is_equation_two_on_that_levels_keypoints():
    torch.manual_seed(0)
    model = KeypointPyramids(TINY).eval()
    with torch.no_grad():
        seen, other = model.see(pictures()), model.see(pictures(seed=1))
        got = model.transported(seen, other, 0)
        encode = model.features["0"]
        here, there = (model.maps(side.position[:, :2], 0) for side in (seen, other))
        want = model.levels[0](
            paste(encode(other.pyramid[0]), encode(seen.pyramid[0]), union(there), union(here))
        )
    assert torch.allclose(got, want)
    assert here.shape[-1] == 8


def test_nothing_flows_back_through_the_reference_of_a_transport():
    model = KeypointPyramids(TINY)
    reference = pictures(seed=1).requires_grad_()
    model.transported(model.see(pictures()), model.see(reference), 1).sum().backward()
    assert reference.grad is None or float(reference.grad.abs().max()) == 0.0


def test_a_level_sees_where_the_level_before_lies_unless_it_is_unconditioned():
    image = pictures(1)
    for conditioned in (True, False):
        torch.manual_seed(0)
        model = KeypointPyramids(replace(TINY, conditioned=conditioned)).eval()
        with torch.no_grad():
            before = model.see(image).position
            model.encoder.heads[0].maps.weight.mul_(-30.0)
            after = model.see(image).position
        assert not torch.equal(before[:, :2], after[:, :2])
        assert torch.equal(before[:, 2:], after[:, 2:]) is not conditioned


WANTED = {
    "no-reconstruction": {"level_1", "level_2", "spring"},
    "no-transport": {"reconstruction", "spring"},
    "no-spring": {"reconstruction", "level_1", "level_2"},
    "all-transport": {"reconstruction", "level_1", "level_2", "spring"},
    "all-reconstruction": {"reconstruction", "level_1", "level_2", "spring"},
    "unconditioned": {"reconstruction", "level_1", "level_2", "spring"},
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_trains_encodes_and_decodes_edits(name):
    torch.manual_seed(0)
    config = replace(TINY, **ABLATIONS[name])
    model = KeypointPyramids(config)
    report = PyramidsObjective(model, config)(Batch(pictures(4), pictures(4, seed=1)), NOW)
    assert set(report.terms) == WANTED[name]
    report.total.backward()
    idle = [n for n, weight in model.named_parameters() if weight.grad is None]
    assert not idle, "no network is there for nothing"
    model.eval()
    with torch.no_grad():
        for reference in (None, pictures(1, seed=1)):
            encoding = model.encode(pictures(1), reference)
            still = model.decode(encoding.latents, encoding.context).image
            row = encoding.latents.count - 1
            moved = encoding.latents.with_rows("position", [row], [(0.9, -0.9)])
            assert not torch.equal(model.decode(moved, encoding.context).image, still)


def test_a_hierarchy_must_divide():
    with pytest.raises(InputError, match="whole multiple"):
        replace(TINY, points=(3, 4))
    with pytest.raises(InputError, match="nothing is learned"):
        replace(TINY, combined="none", levelwise="none")
    with pytest.raises(InputError, match="one for each level"):
        replace(TINY, level_weights=(1.0,))


def test_the_residual_form_shows_the_reference_behind_its_mask_and_learns():
    torch.manual_seed(0)
    config = replace(TINY, residual=True)
    model = KeypointPyramids(config)
    report = PyramidsObjective(model, config)(Batch(pictures(4), pictures(4, seed=1)), NOW)
    report.total.backward()
    model.eval()
    assert model.combined is not None
    with torch.no_grad():
        model.combined.head.weight.zero_()
        model.combined.head.bias[3:] = -50.0
        encoding = model.encode(pictures(1), pictures(1, seed=1))
        picture = model.decode(encoding.latents, encoding.context).image
    assert torch.allclose(picture, pictures(1, seed=1), atol=1e-6)
    with pytest.raises(InputError, match="residual"):
        replace(config, combined="transport")
