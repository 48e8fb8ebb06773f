from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from kpcore import registry
from kpcore.api import Batch, Progress
from kpcore.errors import InputError
from kpcore.models.lavae.config import GridVaeConfig, LavaeConfig
from kpcore.models.lavae.locations import draw, laid_over, maxima, place_sprites
from kpcore.models.lavae.model import GridVaeModel, Lavae, binary_cross_entropy
from kpcore.models.lavae.objective import LavaeObjective

FAMILY = registry.get("lavae")
TINY: LavaeConfig = FAMILY.presets["tiny"].config


@pytest.fixture
def model() -> Lavae:
    torch.manual_seed(0)
    return Lavae(TINY)


# -- locations ------------------------------------------------------------------------------------
def test_maxima_are_counted_once_even_on_a_plateau() -> None:
    logits = torch.zeros(1, 20, 20)
    logits[0, 4:6, 4:6] = 5.0
    logits[0, 12, 15] = 6.0
    logits[0, 12, 17] = 5.9
    found = maxima(logits, 1.0, radius=3)
    assert found.nonzero().tolist() == [[0, 4, 4], [0, 12, 15]]
    assert maxima(logits, 1.0, radius=1).sum() == 3
    assert maxima(torch.zeros(1, 20, 20), 1.0, 3).sum() == 0


def test_draws_never_repeat_and_follow_the_soft_max() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([[2.0, 1.0, 0.0, -1e3]]).expand(4000, -1)
    taken = torch.zeros(4000, 4, dtype=torch.bool)
    everywhere = torch.ones_like(taken)
    first = draw(logits, taken, everywhere, 0.5)
    share = torch.bincount(first.pixel, minlength=4) / 4000
    assert torch.allclose(share, logits[0].softmax(-1), atol=0.03)
    taken = taken.scatter(1, first.pixel[:, None], True)
    second = draw(logits, taken, everywhere, 0.5)
    assert (first.pixel != second.pixel).all()
    assert torch.equal(second.place.detach().argmax(-1), second.pixel)
    # Nothing is learned from a uniform posterior over the four pixels: its KL is 0.
    flat = draw(torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool), everywhere[:1], 0.5)
    assert float(flat.kl) == pytest.approx(0.0, abs=1e-5)
    sure = draw(torch.tensor([[99.0, 0, 0, 0]]), taken[:1] * False, everywhere[:1], 0.5)
    assert float(sure.kl) == pytest.approx(math.log(4), abs=1e-4)


def test_placing_is_the_convolution_of_the_paper_and_so_is_its_gradient() -> None:
    torch.manual_seed(1)
    batch, channels, size, side = 3, 2, 12, 5
    index = torch.tensor([0, 77, 143])
    one_hot = F.one_hot(index, size * size).float()

    def reference(place: torch.Tensor, sprite: torch.Tensor) -> torch.Tensor:
        maps = place.view(1, batch, size, size)
        weight = sprite.reshape(batch, channels, side, side)
        drawn = F.conv_transpose2d(maps, weight, groups=batch, padding=side // 2)
        return drawn.view(batch, channels, size, size)

    place = one_hot.clone().requires_grad_()
    sprite = torch.rand(batch, channels, side, side, requires_grad=True)
    ours = place_sprites(place, sprite, index, clamp=1e9)
    want = reference(place, sprite)
    assert torch.allclose(ours, want, atol=1e-6)
    toward = torch.randn_like(ours)
    mine = torch.autograd.grad(ours, [place, sprite], toward)
    theirs = torch.autograd.grad(want, [place, sprite], toward)
    assert torch.allclose(mine[0], theirs[0], atol=1e-5)
    assert torch.allclose(mine[1], theirs[1], atol=1e-5)


def test_the_gradient_that_reaches_a_location_is_clamped_and_the_sprites_is_not() -> None:
    place = F.one_hot(torch.tensor([40]), 81).float().requires_grad_()
    sprite = torch.ones(1, 1, 3, 3, requires_grad=True)
    drawn = place_sprites(place, sprite, torch.tensor([40]), clamp=0.5)
    to_place, to_sprite = torch.autograd.grad(drawn, [place, sprite], 10.0 * torch.ones(1, 1, 9, 9))
    assert float(to_place.max()) == pytest.approx(9 * 0.5)
    assert float(to_sprite.max()) == pytest.approx(10.0)


# -- likelihood -----------------------------------------------------------------------------------
def test_uncovered_ink_has_a_gradient() -> None:
    probability = torch.zeros(1, 1, 2, 2, requires_grad=True)
    seen = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    nats = binary_cross_entropy(probability, seen, 1e-3)
    assert float(nats.detach()) == pytest.approx(-math.log(1e-3) - 3 * math.log(1 - 1e-3), rel=1e-4)
    nats.sum().backward()
    assert probability.grad is not None
    assert float(probability.grad[0, 0, 0, 0]) < -900.0


def test_overlapping_sprites_are_clamped() -> None:
    nats = binary_cross_entropy(torch.full((1, 1, 1, 1), 1.7), torch.ones(1, 1, 1, 1), 1e-3)
    assert float(nats) == pytest.approx(-math.log(1 - 1e-3), rel=1e-3)


# -- model ----------------------------------------------------------------------------------------
def test_objects_are_counted_and_the_rest_waits_with_presence_zero(model: Lavae, monkeypatch):
    logits = torch.full((1, 32, 32), -5.0)
    for x, y, height in ((5, 6, 4.0), (20, 6, 9.0), (20, 25, -1.0)):
        logits[0, y, x] = height
    monkeypatch.setattr(model.location, "forward", lambda seen: logits)
    latents = model.eval().encode(torch.rand(1, 3, 32, 32)).latents
    assert latents.presence is not None
    assert latents.presence.tolist() == [[1.0, 1.0, 0.0, 0.0]]
    assert latents.position[0, 0].tolist() == pytest.approx([41 / 32 - 1, 13 / 32 - 1])
    assert latents.position[0, 2].tolist() == pytest.approx([41 / 32 - 1, 51 / 32 - 1])


def test_smoothing_makes_one_maximum_of_a_flat_top() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    humps = [torch.exp(-((x - at) ** 2 + (y - 15) ** 2) / 18.0) for at in (10.0, 17.0)]
    logits = 9.0 * (humps[0] + humps[1])[None] - 1.0
    plain, smooth = Lavae(TINY), Lavae(replace(TINY, smoothing=2.0))
    assert int(plain.found(logits)[1]) > 1
    assert int(smooth.found(logits)[1]) == 1
    assert smooth.found(logits)[0][0, 0] % 32 == pytest.approx(13.5, abs=1.0)


def test_a_move_runs_no_network(model: Lavae, monkeypatch) -> None:
    model.eval()
    with torch.inference_mode():
        encoding = model.encode(torch.rand(1, 3, 32, 32))
        decoder = model.decoder_for(encoding)
        decoder(encoding.latents)
        monkeypatch.setattr(model.sprites, "forward", lambda *_: pytest.fail("a network ran"))
        moved = encoding.latents.with_rows("position", [0], [[0.03125, 0.03125]])
        assert decoder(moved).image.isfinite().all()


def test_samples_have_the_numbers_that_were_asked_for(model: Lavae) -> None:
    latents = model.sample([0, 0, 0, 1.0], batch=5, seed=3)
    assert latents.presence is not None
    assert latents.presence.sum(1).tolist() == [3.0] * 5
    assert torch.equal(latents.position, model.sample([0, 0, 0, 1.0], batch=5, seed=3).position)
    with torch.inference_mode():
        assert model.eval().decode(latents).image.shape == (5, 3, 32, 32)
    with pytest.raises(InputError, match="probabilities"):
        model.sample([0.0, 0.0])


def test_more_samples_bring_the_bound_down(model: Lavae) -> None:
    torch.manual_seed(0)
    image = (torch.rand(6, 3, 32, 32) > 0.9).float()
    weights = model.eval().log_weights(image, 64)
    one = -weights.mean()
    many = math.log(64) - weights.logsumexp(0).mean()
    assert float(many) <= float(one) + 1e-3


# -- objective ------------------------------------------------------------------------------------
def test_the_auxiliary_vae_learns_alone_first(model: Lavae) -> None:
    objective = LavaeObjective(model, TINY)
    batch = Batch(torch.rand(2, 3, 32, 32))
    early = objective(batch, Progress(0, 100, 0.0))
    assert set(early.terms) == {"auxiliary"}
    early.total.backward()
    assert all(w.grad is None for w in [*model.sprites.parameters(), *model.location.parameters()])
    late = objective(batch, Progress(50, 100, 0.0))
    assert {"reconstruction", "location", "appearance", "count"} <= set(late.terms)


def test_the_first_joint_steps_are_no_longer_than_the_rate(model: Lavae) -> None:
    config = replace(TINY, auxiliary_steps=50)
    (phase,) = FAMILY.phases(model, config)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = Batch((torch.rand(4, 3, 32, 32) > 0.9).float())
    before = model.sprites.head.weight.detach().clone()
    for step in range(53):
        optimiser.zero_grad()
        phase.objective(batch, Progress(step, 100, 0.0)).total.backward()
        optimiser.step()
    assert float((model.sprites.head.weight.detach() - before).abs().max()) <= 3.1e-3


def test_sprites_that_are_not_there_leave_batch_norm_alone(model: Lavae, monkeypatch) -> None:
    seen: list[int] = []
    whole = model.sprites.forward
    monkeypatch.setattr(model.sprites, "forward", lambda z: (seen.append(len(z)), whole(z))[1])
    numbers = torch.tensor([0, 1, 3])
    index = torch.tensor([[5, 400, 900, 77]]).expand(3, -1)
    monkeypatch.setattr(model, "found", lambda logits: (index, numbers))
    config = replace(TINY, auxiliary_steps=0, forced_floor=0.0)
    LavaeObjective(model, config)(Batch(torch.rand(3, 3, 32, 32)), Progress(100, 100, 0.0))
    assert seen == [4]


def test_the_target_is_high_where_cells_say_much(model: Lavae) -> None:
    from kpcore.models.lavae.networks import GridPosterior

    mean = torch.zeros(2, 8, 8, 8)
    mean[0, :, 2, 5] = 4.0
    cells = GridPosterior(mean, torch.zeros_like(mean))
    target = LavaeObjective(model, TINY).target(cells, torch.zeros(2, 3, 32, 32))
    assert target.shape == (2, 32, 32)
    peak = int(target[0].argmax())
    assert abs(peak % 32 - 21.5) <= 2
    assert abs(peak // 32 - 9.5) <= 2
    assert float(target[0].max()) >= TINY.auxiliary_height * 0.9
    assert abs(float(target[1].max())) < 1.0


def test_the_corners_of_an_object_are_one_and_neighbours_are_two() -> None:
    from kpcore.models.lavae.networks import GridPosterior

    config = replace(FAMILY.presets["small"].config, auxiliary_width=4, width=4)
    mean = torch.zeros(2, 8, 16, 16)
    mean[0, 0, 5:8, 5:8] = 1.5
    mean[0, 0, 5:8:2, 5:8:2] = 3.0
    mean[1, 0, 6, 6:10:3] = 3.0
    cells = GridPosterior(mean, 0.0 * mean)
    target = LavaeObjective(Lavae(config), config).target(cells, torch.zeros(2, 3, 64, 64))
    found = maxima(target, config.threshold, config.radius)
    assert found.flatten(1).sum(1).tolist() == [1, 2]
    assert found[0].nonzero()[0].tolist() == pytest.approx([25.5, 25.5], abs=1.0)


def test_a_map_beside_its_objects_is_moved_over_them() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    places = ((9.0, 9.0), (20.0, 14.0))
    drawn = torch.stack([((x - a).abs() <= 3) & ((y - b).abs() <= 3) for a, b in places]).float()
    beside = torch.stack([(-((x - a - 2) ** 2 + (y - b + 3) ** 2) / 18).exp() for a, b in places])
    moved = laid_over(beside, drawn)
    peaks = [divmod(int(one.argmax()), 32) for one in moved]
    assert peaks == [(9, 9), (14, 20)]
    assert torch.equal(laid_over(beside, torch.zeros_like(drawn)), beside)


def test_locations_settle_and_appearance_goes_on_learning(model: Lavae) -> None:
    config = replace(TINY, settled=0.5, threshold=-99.0)
    objective = LavaeObjective(model, config)
    object.__setattr__(model, "config", config)
    batch = Batch((torch.rand(4, 3, 32, 32) > 0.9).float())
    assert "location map" in objective(batch, Progress(49, 100, 0.0)).terms
    late = objective(batch, Progress(50, 100, 0.0))
    late.total.backward()
    assert set(late.terms) == {"reconstruction", "location", "appearance", "count"}
    parts = (model.location, model.auxiliary)
    assert all(w.grad is None for part in parts for w in part.parameters())
    assert model.sprites.head.weight.grad is not None
    assert float(model.sprites.head.weight.grad.abs().max()) > 0.0
    (norm, *_) = (m for m in model.location.modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen = norm.num_batches_tracked
    assert model.location.training
    assert seen is not None
    before = int(seen)
    objective(batch, Progress(60, 100, 0.0))
    assert int(seen) == before


def test_what_lies_at_settled_places_learns_at_its_own_rate(model: Lavae) -> None:
    config = replace(TINY, settled=0.5, sharpening_rate=3.0)
    (phase,) = FAMILY.phases(model, config)
    rates = {id(group.module): group.rate for group in phase.groups}
    for module in (model.appearance, model.sprites):
        rate = rates[id(module)]
        assert rate(Progress(49, 100, 0.0), 0.1) == pytest.approx(0.1)
        assert rate(Progress(50, 100, 0.0), 0.1) == pytest.approx(0.3)


def test_an_appearance_begins_with_few_nats() -> None:
    torch.manual_seed(0)
    config = FAMILY.presets["small-mnist"].config
    model = Lavae(config).train()
    seen = torch.zeros(4, 1, 64, 64)
    seen[:, :, 20:31, 20:28] = (torch.rand(4, 1, 11, 8) > 0.5).float()
    mean, log_var = model.appearance(seen)[:, :, 25, 24].chunk(2, dim=1)
    nats = 0.5 * (mean**2 + log_var.exp() - 1.0 - log_var).sum(1)
    assert float(nats.mean().detach()) < 20.0


def test_forcing_falls_as_the_run_goes_on(model: Lavae) -> None:
    objective = LavaeObjective(model, replace(TINY, auxiliary_steps=0))
    assert objective._weight(0.0) == 1.0
    assert objective._weight(1.0) == TINY.auxiliary_floor


def test_the_baseline_survives_sure_pixels_in_16_bits(monkeypatch) -> None:
    family = registry.get("lavae-baseline")
    config = replace(family.presets["tiny"].config, floor=1e-5)
    model = GridVaeModel(config)
    sure = torch.full((2, 3, 32, 32), 30.0, dtype=torch.bfloat16)
    monkeypatch.setattr(model.vae, "forward", lambda cells: sure)
    (phase,) = family.phases(model, config)
    report = phase.objective(Batch(torch.zeros(2, 3, 32, 32)), Progress(0, 10, 0.0))
    assert report.total.isfinite()


def test_paper_sized_networks_have_half_a_million_weights() -> None:
    config = LavaeConfig()
    model = Lavae(config)
    used = [model.appearance, model.location, model.sprites]
    count = sum(p.numel() for part in used for p in part.parameters())
    assert 450_000 < count < 700_000
    baseline = GridVaeModel(GridVaeConfig())
    assert 0.7e6 < sum(p.numel() for p in baseline.parameters()) < 1.5e6


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"sprite": 20}, {"image_size": 30}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        LavaeConfig(**wrong)  # type: ignore[arg-type]
