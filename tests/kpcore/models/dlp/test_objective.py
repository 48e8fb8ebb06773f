"""What trains what, and when (DLP appendix A and B)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from kpcore.api import Batch, Progress
from kpcore.errors import DataError
from kpcore.geometry.windows import composite_windows
from kpcore.models.dlp import FAMILIES
from kpcore.models.dlp.config import MaskedConfig, ObjectConfig
from kpcore.models.dlp.model import DLP, build_masked, build_object
from kpcore.models.dlp.objective import (
    DLPObjective,
    MaskedObjective,
    ObjectObjective,
    masked_phases,
    object_phases,
)
from kpcore.models.dlp.particles import Normal
from kpcore.models.dlp.presets import MASKED_PRESETS, OBJECT_PRESETS

LATE = Progress(10_000, 10_000, 100.0)
WARM = Progress(0, 10_000, 0.0)
NOISY = Progress(100, 10_000, 0.3)


def livened(model: DLP) -> DLP:
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return model.train()


def masked(**changes: object) -> tuple[DLP, MaskedObjective]:
    torch.manual_seed(0)
    config: MaskedConfig = replace(MASKED_PRESETS["tiny"].config, **changes)
    model = livened(build_masked(config))
    return model, MaskedObjective(model, config)


def objects(**changes: object) -> tuple[DLP, ObjectObjective]:
    torch.manual_seed(0)
    config: ObjectConfig = replace(OBJECT_PRESETS["tiny"].config, **changes)
    model = livened(build_object(config))
    return model, ObjectObjective(model, config)


def image() -> torch.Tensor:
    torch.manual_seed(1)
    return nn.functional.interpolate(torch.rand(3, 3, 5, 5), size=(32, 32), mode="bicubic")


def reached(model: nn.Module, value: torch.Tensor) -> set[str]:
    """Names of the weights that `value` has a gradient to."""
    model.zero_grad(set_to_none=True)
    value.backward(retain_graph=True)
    return {
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and bool(weight.grad.abs().max() > 0)
    }


def parts(names: set[str]) -> set[str]:
    """Encoder, head, ... of weights' names."""
    return {".".join(name.split(".")[1:3]) if "networks" in name else "prior" for name in names}


ENCODER = {"position.cnn", "position.head"}


def terms(objective: DLPObjective, progress: Progress) -> dict[str, torch.Tensor]:
    return dict(objective(Batch(image()), progress).terms)


def test_object_reconstruction_trains_what_it_should():
    model, objective = objects()
    found = parts(reached(model, terms(objective, LATE)["reconstruction"]))
    assert found == {
        *ENCODER,
        "presence.head",
        "appearance.cnn",
        "appearance.head",
        "background.head",
        "renderer.graph",
        "renderer.picture",
        "renderer.glimpses",
    }


def test_presence_and_features_do_not_train_the_position_encoder():
    model, _ = objects()
    found = model.networks.posterior(image())
    assert parts(reached(model, found.presence.sum())) == {"presence.head"}
    mean = found.position.mean
    feature, _ = model.networks.appearance(image(), found.maps, mean, found.presence)
    assert parts(reached(model, feature.mean.sum())) == {"appearance.cnn", "appearance.head"}
    ground = model.networks.background(found.maps, mean, mean)
    assert parts(reached(model, ground.mean.sum())) == {"background.head"}


def test_masked_features_and_bypass_do_not_train_the_position_encoder():
    model, objective = masked()
    sample = objective.sample(image(), LATE)
    feature = sample.feature.mean.sum()
    assert parts(reached(model, feature)) == {"appearance.head", "background.head"}
    still = replace(sample.particles, position=sample.particles.position.detach())
    picture, _ = model.networks.renderer(still, sample.maps)
    found = parts(reached(model, picture.square().sum()))
    assert found == {"appearance.head", "background.head", "renderer.graph", "renderer.picture"}


def test_masked_reconstruction_reaches_positions_through_heatmaps():
    model, objective = masked()
    assert parts(reached(model, terms(objective, LATE)["reconstruction"])) >= ENCODER


def test_the_background_trains_its_own_features_not_the_particles():
    model, objective = objects()
    sample = objective.sample(image(), LATE)
    hidden = replace(sample, presence=torch.zeros_like(sample.presence))
    value, _ = objective.reconstruct(hidden, LATE)
    found = parts(reached(model, value))
    assert "background.head" in found
    assert not {"appearance.cnn", "appearance.head"} & found


def test_object_positions_learn_by_placing_glimpses_too():
    model, objective = objects()
    sample = objective.sample(image(), LATE)
    renderer = model.networks.renderer
    patches = renderer.patches(sample.particles.feature.detach())
    ground = torch.zeros(3, 3, 32, 32)
    picture = composite_windows(
        patches, sample.particles.position, sample.presence.detach(), ground
    )
    assert parts(reached(model, picture.square().sum())) >= ENCODER


def test_the_chamfer_kl_trains_posterior_and_prior():
    model, objective = objects()
    assert parts(reached(model, terms(objective, LATE)["chamfer_kl"])) == {*ENCODER, "prior"}


def test_a_frozen_prior_stays_as_it_is():
    model, objective = objects(prior_trained=False)
    assert not any(weight.requires_grad for weight in model.prior.parameters())
    assert parts(reached(model, terms(objective, LATE)["chamfer_kl"])) == ENCODER


def test_warm_up_reconstructs_glimpses():
    model, objective = objects()
    report = objective(Batch(image()), WARM)
    found = parts(reached(model, report.terms["reconstruction"]))
    assert found == {"appearance.cnn", "appearance.head", "renderer.glimpses"}
    assert "psnr_db" not in report.monitors
    assert report.terms["chamfer_kl"] > 0


def test_warm_up_has_no_use_for_alpha():
    model, objective = objects()
    value = objective(Batch(image()), WARM).terms["reconstruction"]
    model.zero_grad()
    value.backward()
    gradient = model.networks.renderer.glimpses.grow.head.weight.grad
    assert gradient is not None
    assert gradient[:3].abs().max() > 0
    assert gradient[3].abs().max() == 0


def test_the_papers_warm_up_trains_glimpses_alone():
    model, objective = objects(warmup="glimpses")
    report = objective(Batch(image()), WARM)
    assert report.terms["chamfer_kl"] == 0
    assert report.terms["feature_kl"] == 0
    found = parts(reached(model, report.total))
    assert found == {"appearance.cnn", "appearance.head", "renderer.glimpses"}
    assert objective(Batch(image()), NOISY).terms["chamfer_kl"] > 0


def test_schedules_follow_the_epoch():
    _, objective = objects(warmup_epochs=2.0)
    stages = [
        (objective.warm(Progress(0, 1, epoch)), objective.noisy(Progress(0, 1, epoch)))
        for epoch in (0.0, 1.99, 2.0, 9.99, 10.0)
    ]
    assert stages == [(True, True), (True, True), (False, True), (False, True), (False, False)]


def test_presence_is_drawn_while_masks_are_noisy():
    model, objective = objects()
    presence = torch.full((200, 4), 0.9, requires_grad=True)
    drawn = objective.seen_presence(presence, NOISY)
    assert 0.4 < float(drawn.detach().mean()) < 0.6
    assert objective.seen_presence(presence, LATE) is presence
    found = parts(reached(model, terms(objective, NOISY)["reconstruction"]))
    assert "presence.head" not in found


def test_masks_are_noisy_early_on():
    _, objective = objects()
    sample = objective.sample(image(), LATE)
    late = [float(objective.reconstruct(sample, LATE)[0].detach()) for _ in range(2)]
    assert late[0] == pytest.approx(late[1], rel=1e-6)
    early = [float(objective.reconstruct(sample, NOISY)[0].detach()) for _ in range(2)]
    assert early[0] != pytest.approx(early[1], rel=1e-6)


def test_the_background_particle_jitters_with_the_priors_width():
    _, objective = objects(sigma=0.2)
    pictures = image()
    places = torch.cat(
        [objective.sample(pictures, LATE).particles.background_position for _ in range(60)]
    )
    assert 0.15 < float(places.std()) < 0.25


def test_the_background_particle_counts_in_the_kl_when_asked():
    torch.manual_seed(0)
    _, without = objects()
    _, counted = objects(background_in_kl=True)
    assert terms(counted, LATE)["chamfer_kl"] != terms(without, LATE)["chamfer_kl"]


def test_the_features_kl_is_weighted_and_counts_the_background():
    _, objective = masked(beta=7.0, feature_balance=0.5)
    sample = objective.sample(image(), LATE)
    assert sample.feature.mean.shape == (3, 5, 3)
    mean, log_var = sample.feature.mean, sample.feature.log_var
    want = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum((1, 2)).mean() * 3.5
    torch.manual_seed(3)
    objective.sample = lambda *_: sample  # type: ignore[method-assign]
    assert terms(objective, LATE)["feature_kl"].item() == pytest.approx(want.item(), rel=1e-5)


@pytest.mark.parametrize("prior", ["ssm", "constant", "random"])
@pytest.mark.parametrize("kl", ["chamfer", "standard"])
def test_the_ablations_priors_and_kls_train(prior, kl):
    _, objective = masked(prior=prior, kl=kl, prior_kept=4)
    report = objective(Batch(image()), LATE)
    assert report.total.isfinite()
    report.total.backward()


def test_with_the_constant_prior_all_proposals_lie_in_the_middle():
    """Then the standard KL is a VAE's, to N(0, sigma^2)."""
    model, objective = masked(prior="constant", kl="standard", prior_kept=4, tps_pairs=False)
    torch.manual_seed(0)
    value = terms(objective, LATE)["chamfer_kl"] / model.config.beta
    position = model.networks.posterior(image()).position
    mean, log_var = position.mean.double(), position.log_var.double()
    ratio = (log_var - math.log(0.01)).exp()
    want = 0.5 * (mean**2 / 0.01 + ratio - 1 - ratio.log()).sum((1, 2)).mean()
    assert value.item() == pytest.approx(want.item(), rel=1e-4)


def test_warped_pairs_go_to_posterior_and_prior():
    _, objective = masked(tps_pairs=True)
    torch.manual_seed(0)
    views = objective._pair(image())
    assert not torch.equal(views.image, views.reference)
    _, plain = masked(tps_pairs=False)
    views = plain._pair(image())
    assert views.image is views.reference


HELD = {
    "positions": "softmax",
    "equivariance": 1.0,
    "concentration": 1.0,
    "separation": 1.0,
}


def test_the_published_objective_holds_particles_with_nothing_more():
    _, objective = masked()
    assert set(objective(Batch(image()), LATE).terms) == {
        "reconstruction",
        "chamfer_kl",
        "feature_kl",
    }


@pytest.mark.parametrize("name", ["equivariance", "concentration", "separation"])
def test_what_holds_particles_trains_the_position_encoder_alone(name):
    model, objective = masked(**HELD)
    found = reached(model, objective(Batch(image()), LATE).terms[name])
    assert found
    assert all(weight.startswith("networks.position.cnn") for weight in found)


@torch.no_grad()
def test_equivariance_is_nought_for_particles_that_follow_the_warp():
    model, objective = masked(**HELD)
    pair = objective._pair(image())
    sample = objective.sample(pair.image, LATE)
    _, there = model.networks.position(pair.reference)
    traced = Normal(pair.to_image(there.mean), sample.position.log_var)
    terms = objective.constraints(replace(sample, position=traced), pair)
    away = Normal(traced.mean + 0.1, traced.log_var)
    worse = objective.constraints(replace(sample, position=away), pair)
    assert float(terms["equivariance"]) < 1e-3
    assert math.isclose(float(worse["equivariance"]), 4 * 2 * 0.01, rel_tol=0.1)


def test_exclusive_patches_follow_presence_in_training_only():
    config = replace(OBJECT_PRESETS["tiny"].config, exclusive_patches=True)
    model = livened(build_object(config))
    appearance = model.networks.appearance
    place, maps = torch.zeros(3, 4, 2), torch.zeros(3, 4, 8, 8)
    presence = torch.tensor([[1.0, 0.5, 1.0, 1.0]]).expand(3, -1)
    _, glimpses = appearance(image(), maps, place, presence)
    assert glimpses[:, 0].abs().max() > 0.1
    assert glimpses[:, 1:].abs().max() == 0.0, "the first particle has claimed these pixels"
    model.eval()
    _, glimpses = appearance(image(), maps, place, presence)
    assert torch.equal(glimpses[:, 0], glimpses[:, 1])


def test_the_default_objective_asks_for_vgg_weights(tmp_path):
    for config, build, phases in (
        (replace(OBJECT_PRESETS["tiny"].config), build_object, object_phases),
        (replace(MASKED_PRESETS["tiny"].config), build_masked, masked_phases),
    ):
        missing = replace(config, reconstruction="vgg", vgg_weights=str(tmp_path / "none.pth"))
        with pytest.raises(DataError, match=r"none\.pth"):
            phases(build(missing), missing)


def test_the_objectives_are_the_families():
    assert set(FAMILIES) == {"dlp-object", "dlp-masked"}
    model, _ = objects()
    phase = FAMILIES["dlp-object"].phases(model, model.config)[0]
    assert isinstance(phase.objective, ObjectObjective)
    assert phase.module is model
