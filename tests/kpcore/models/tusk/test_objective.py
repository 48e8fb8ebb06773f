from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kpcore.api import Batch, Progress
from kpcore.geometry.coordinates import pixel_centres
from kpcore.models.tusk import PRESETS
from kpcore.models.tusk.model import Tusk
from kpcore.models.tusk.objective import (
    FeatureDifference,
    NetworksObjective,
    PrototypesObjective,
    attention_loss,
    feature_difference,
    phases,
    prototype_loss,
    two_views,
)

TINY = PRESETS["tiny"].config
NOW = Progress(0, 10, 0.0)


def coordinates(size: int) -> torch.Tensor:
    """Pictures whose first two channels are the unit coordinates of their pixels."""
    along = pixel_centres(size)
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None]


def test_the_grid_tells_where_the_second_view_was_in_the_first():
    torch.manual_seed(0)
    still = replace(TINY, image_size=64, border="reflection")
    views = two_views(coordinates(64).expand(4, -1, -1, -1), still)
    there = torch.nn.functional.grid_sample(views.first, views.grid, align_corners=False)
    inside = (views.grid.abs() < 0.95).all(-1)
    assert inside.float().mean() > 0.7
    gap = (there - views.second).abs().amax(1)
    assert gap[inside].max() < 1e-5


def test_the_second_view_is_as_far_from_the_first_as_the_configuration_says():
    torch.manual_seed(0)
    plain = replace(TINY, warp_scale=(1.0, 0.0), warp_bend=0.0, warp_shift=0.0, warp_turn=0.0)
    views = two_views(torch.rand(2, 3, 32, 32), plain)
    along = pixel_centres(32)
    y, x = torch.meshgrid(along, along, indexing="ij")
    torch.testing.assert_close(
        views.grid, torch.stack([x, y], -1).expand(2, -1, -1, -1), atol=1e-4, rtol=0.0
    )
    turned = two_views(torch.rand(64, 3, 32, 32), replace(plain, warp_turn=0.25)).grid
    corner = turned[:, 0, 0]
    angle = torch.atan2(corner[:, 1], corner[:, 0]) - torch.atan2(y[0, 0], x[0, 0])
    assert 0.2 < angle.abs().max() <= 0.2501


@pytest.mark.parametrize("border", ["reflection", "black", "white"])
def test_borders(border):
    torch.manual_seed(0)
    wide = replace(TINY, warp_scale=(1.4, 0.0), border=border)
    corner = two_views(torch.full((1, 3, 32, 32), 0.5), wide).second[0, :, 0, 0]
    want = {"reflection": 0.5, "black": 0.0, "white": 1.0}[border]
    torch.testing.assert_close(corner, torch.full((3,), want))


def test_prototypes_learn_alone_and_come_to_the_descriptors():
    torch.manual_seed(0)
    model = Tusk(TINY)
    networks, prototypes = phases(model, TINY)
    assert (networks.steps, prototypes.steps) == (1, TINY.prototype_steps)
    assert prototypes.keeps_batch
    batch = Batch(torch.rand(8, 3, 32, 32))
    prototypes.objective(batch, NOW).total.backward()
    assert model.prototypes.weight.grad is not None
    assert all(weight.grad is None for weight in model.networks.parameters())
    model.zero_grad(set_to_none=True)
    networks.objective(batch, NOW).total.backward()
    assert model.prototypes.weight.grad is None
    (group,) = prototypes.groups
    assert group.rate(NOW, 1e-3) == TINY.prototype_rate
    assert group.betas == (0.5, 0.999)


def test_descriptors_are_computed_once_for_a_batch_and_anew_for_changed_weights():
    torch.manual_seed(0)
    model = Tusk(TINY)
    objective = PrototypesObjective(model, TINY)
    seen: list[int] = []
    model.networks.encoder.register_forward_hook(lambda *_: seen.append(1))
    batch = Batch(torch.rand(4, 3, 32, 32))
    for _ in range(3):
        objective(batch, NOW)
    assert len(seen) == 1
    with torch.no_grad():
        model.networks.encoder.head[0].weight.mul_(2.0)
    objective(batch, NOW)
    objective(Batch(torch.rand(4, 3, 32, 32)), NOW)
    assert len(seen) == 3


def test_without_alternation_both_learn_in_one_phase():
    torch.manual_seed(0)
    config = replace(TINY, alternate=False)
    model = Tusk(config)
    (phase,) = phases(model, config)
    report = phase.objective(Batch(torch.rand(4, 3, 32, 32)), NOW)
    assert "prototypes" in report.terms
    report.total.backward()
    assert model.prototypes.weight.grad is not None
    assert next(model.networks.parameters()).grad is not None


@pytest.mark.parametrize("clustering", ["sliced-wasserstein", "k-means", "vector-quantisation"])
def test_each_way_of_clustering_draws_prototypes_to_descriptors(clustering):
    torch.manual_seed(0)
    config = replace(TINY, clustering=clustering, prototypes=2, descriptor=3)
    places = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 0.0], [-0.2, 1.0, 0.3]]), dim=1)
    descriptor = places.repeat_interleave(20, 0)
    weight = torch.tensor([[1.0, 0.6, 0.4], [0.3, 1.0, -0.4]], requires_grad=True)
    optimiser = torch.optim.Adam([weight], lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        prototypes = torch.nn.functional.normalize(weight, dim=1)
        prototype_loss(descriptor, prototypes, config).backward()
        optimiser.step()
    near = (torch.nn.functional.normalize(weight, dim=1) @ places.mT).amax(1)
    assert near.min() > 0.99


@pytest.mark.parametrize("clustering", ["k-means", "vector-quantisation"])
def test_the_other_clusterings_train_too(clustering):
    torch.manual_seed(0)
    config = replace(TINY, clustering=clustering, blend="sum", views="second")
    model = Tusk(config)
    report = NetworksObjective(model, config)(Batch(torch.rand(2, 3, 32, 32)), NOW)
    report.total.backward()
    weight = model.networks.encoder.body.head.weight
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0.0


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in torchvision's format; the real file is 528 MB."""
    torch.manual_seed(0)
    widths = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    state: dict[str, torch.Tensor] = {}
    for index, out, into in zip(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), widths, [3, *widths], strict=False
    ):
        state[f"features.{index}.weight"] = torch.randn(out, into, 3, 3) * (2 / (9 * into)) ** 0.5
        state[f"features.{index}.bias"] = torch.zeros(out)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state, path)
    return path


@torch.no_grad()
def test_perceptual_difference_by_hand(vgg: Path):
    state = torch.load(vgg)
    image = torch.rand(1, 3, 16, 16)
    pair = torch.cat([image, image.flip(-1)])
    pair = torch.nn.functional.interpolate(pair, (224, 224), mode="bilinear")
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pair = (pair - mean[:, None, None]) / deviation[:, None, None]
    want, index = 0.0, 0
    for block, convolutions in enumerate((2, 2, 3, 3)):
        index += block > 0
        pair = torch.nn.functional.max_pool2d(pair, 2) if block else pair
        for _ in range(convolutions):
            weight = state[f"features.{index}.weight"]
            pair = torch.nn.functional.conv2d(pair, weight, padding=1).relu()
            index += 2
        want += float((pair[0] - pair[1]).abs().mean())
    seen = FeatureDifference(str(vgg))(image, image.flip(-1))
    assert float(seen) == pytest.approx(want, rel=1e-4)


def test_the_perceptual_loss_trains(vgg: Path):
    torch.manual_seed(0)
    config = replace(TINY, reconstruction="perceptual", vgg_weights=str(vgg), views="second")
    model = Tusk(config)
    objective = NetworksObjective(model, config)
    report = objective(Batch(torch.rand(1, 3, 32, 32)), NOW)
    report.terms["reconstruction"].backward()
    weight = model.networks.encoder.body.head.weight
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0.0


@torch.no_grad()
def test_the_cluster_term_rises():
    torch.manual_seed(0)
    config = replace(TINY, rise=0.5)
    objective = NetworksObjective(Tusk(config), config)
    batch, terms = Batch(torch.rand(2, 3, 32, 32)), []
    for step in (0, 25, 50, 100):
        torch.manual_seed(1)
        terms.append(objective(batch, Progress(step, 100, 0.0)).terms)
    shares = [float(one["cluster"] / terms[-1]["cluster"]) for one in terms]
    assert shares == pytest.approx([0.0, 0.5, 1.0, 1.0])
    for name in ("reconstruction", "heatmap", "feature"):
        assert float(terms[0][name]) == pytest.approx(float(terms[-1][name]), rel=1e-4)


def test_attention_raises_scores_where_pictures_are_not_explained_and_nowhere_else():
    score = torch.full((2, 32, 32), 0.5, requires_grad=True)
    error = torch.zeros(2, 32, 32)
    error[0, 8:12, 8:12] = 1.0
    attention_loss(score, error, TINY).backward()
    assert score.grad is not None
    down = score.grad
    assert down[0, 9, 9] < 0.0 < down[0, 25, 25]
    assert down[0].sum().abs() < 1e-6, "no score rises for all of a picture"
    assert (down[1] == 0.0).all(), "a picture that is explained asks for nothing"


def test_attention_is_a_term_only_where_it_is_asked_for():
    batch = Batch(torch.rand(2, 3, 32, 32))
    without = NetworksObjective(Tusk(TINY), TINY)(batch, NOW)
    config = replace(TINY, attention_weight=1.0)
    asked = NetworksObjective(Tusk(config), config)(batch, NOW)
    assert "attention" not in without.terms
    assert asked.terms["attention"].requires_grad


def test_prototypes_remember_as_many_batches_as_the_configuration_says():
    config = replace(TINY, memory=1)
    objective = PrototypesObjective(Tusk(config).eval(), config)
    rows = [len(objective._descriptors(torch.rand(2, 3, 32, 32))) for _ in range(3)]
    assert rows == [2 * TINY.keypoints, 4 * TINY.keypoints, 4 * TINY.keypoints]


def test_relative_features_cannot_become_alike_by_becoming_small():
    torch.manual_seed(0)
    a, b = torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16)
    assert float(feature_difference(a, b, relative=True)) == pytest.approx(2.0, abs=0.1)
    small = feature_difference(0.01 * a, 0.01 * b, relative=True)
    torch.testing.assert_close(small, feature_difference(a, b, relative=True), atol=1e-3, rtol=0.0)
    assert feature_difference(0.01 * a, 0.01 * b, relative=False) < 1e-3
    assert feature_difference(a, a, relative=True) == 0.0
