from __future__ import annotations

import pytest
import torch

from kpcore import registry
from kpcore.api import Batch, Progress
from kpcore.errors import InputError, ShapeError
from kpcore.latents import Latents
from kpcore.models.dlp_compact.config import CompactConfig
from kpcore.models.dlp_compact.model import CompactDLP
from kpcore.models.dlp_compact.networks import choose_apart
from kpcore.models.dlp_compact.objective import CompactObjective, chamfer_kl, off_centre, sprawl

FAMILY = registry.get("dlp-compact")
TINY = FAMILY.presets["tiny"].config


@pytest.fixture
def model() -> CompactDLP:
    torch.manual_seed(0)
    return CompactDLP(TINY)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def encoded(model: CompactDLP, count: int = 1) -> Latents:
    with torch.no_grad():
        return model.eval().encode(pictures(count)).latents


@pytest.mark.parametrize("preset", sorted(FAMILY.presets))
def test_every_preset_encodes_and_decodes(preset: str) -> None:
    config = FAMILY.presets[preset].config
    model = FAMILY.build(config).eval()
    image = torch.rand(1, 3, config.image_size, config.image_size)
    with torch.no_grad():
        latents = model.encode(image).latents
        decoding = model.decode(latents)
    assert decoding.image.shape == image.shape
    assert latents.count == model.capabilities.particles
    assert decoding.layers is not None
    assert decoding.layers.patches.shape[-1] == model.capabilities.glimpse_px


def test_the_surest_come_first_and_lie_apart(model: CompactDLP) -> None:
    latents = encoded(model, 3)
    assert latents.presence is not None
    assert (latents.presence.diff(dim=1) <= 1e-6).all()
    apart = TINY.apart_px * 2 / TINY.image_size
    for row in latents.position:
        gaps = torch.cdist(row, row) + 9 * torch.eye(len(row))
        assert gaps.min() >= apart


def test_choice_takes_near_ones_only_when_nothing_else_is_left() -> None:
    position = torch.tensor([[[0.0, 0.0], [0.05, 0.0], [0.9, 0.0]]])
    score = torch.tensor([[3.0, 2.0, 1.0]])
    assert choose_apart(position, score, 3, 0.2).tolist() == [[0, 2, 1]]


def test_moving_one_particle_changes_only_its_two_places(model: CompactDLP) -> None:
    latents = encoded(model)
    moved = latents.with_rows("position", [0], [[0.5, 0.5]])
    with torch.no_grad():
        before, after = model.decode(latents).image, model.decode(moved).image
    changed = (before - after).abs().amax(1)[0] > 1e-6
    reach = TINY.glimpse_px / 2 + 1
    rows, columns = changed.nonzero(as_tuple=True)
    places = torch.stack([latents.position[0, 0], moved.position[0, 0]])
    x, y = ((places + 1) * TINY.image_size / 2).unbind(1)
    near = ((columns[:, None] + 0.5 - x).abs() <= reach) & (
        (rows[:, None] + 0.5 - y).abs() <= reach
    )
    assert len(rows) > 0
    assert near.any(1).all()


def test_the_caching_decoder_agrees_with_the_pure_one(model: CompactDLP) -> None:
    with torch.no_grad():
        encoding = model.eval().encode(pictures(1))
        decoder = model.decoder_for(encoding)
        start = encoding.latents
        assert start.feature is not None
        assert start.background is not None
        edits = [
            start,
            start.with_rows("position", [1], [[0.3, -0.2]]),
            start.with_rows("feature", [2], [[1.0] * TINY.features]),
            start.select([3, 1]),
            start.select([3, 1]).with_rows("feature", [0], [[0.5] * TINY.features]),
            start,
        ]
        for latents in edits:
            assert torch.allclose(decoder(latents).image, model.decode(latents).image, atol=1e-6)


def test_layers_compose_to_the_picture(model: CompactDLP) -> None:
    latents = encoded(model).with_rows("position", [0], [[1.0, -1.0]])
    with torch.no_grad():
        decoding = model.decode(latents)
    assert decoding.layers is not None
    assert torch.equal(decoding.layers.composite(latents), decoding.image)


def test_foreign_shapes_are_refused_in_one_sentence(model: CompactDLP) -> None:
    with pytest.raises(ShapeError, match=r"takes \(B, 3, 32, 32\)"):
        model.encode(torch.rand(1, 3, 16, 16))
    latents = encoded(model)
    with pytest.raises(ShapeError, match="feature: none"):
        model.decode(Latents(latents.position, latents.topology, background=latents.background))


@pytest.mark.parametrize(
    "wrong",
    [{"cell_px": 5}, {"glimpse_px": 24}, {"image_size": 100}, {"particles": 0}, {"crop_cells": 16}],
)
def test_impossible_configurations_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        CompactConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [0, TINY.warmup_steps])
def test_terms_add_up_and_reach_their_networks(model: CompactDLP, step: int) -> None:
    report = CompactObjective(model, TINY)(Batch(pictures()), Progress(step, 100, 0.0))
    assert report.total.item() == pytest.approx(sum(t.item() for t in report.terms.values()))
    report.total.backward()
    silent = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is None}
    assert silent == set()
    assert ("reconstruction" in report.terms) == (step >= TINY.warmup_steps)


def test_a_few_steps_lower_the_loss(model: CompactDLP) -> None:
    objective = CompactObjective(model, TINY)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    image = pictures(4)
    losses: list[float] = []
    for _ in range(30):
        report = objective(Batch(image), Progress(TINY.warmup_steps, 100, 0.0))
        optimiser.zero_grad()
        report.total.backward()
        optimiser.step()
        losses.append(report.terms["reconstruction"].item())
    assert losses[-1] < 0.8 * losses[0]


def test_chamfer_kl_of_equal_gaussians_is_zero_and_grows_with_distance() -> None:
    place = torch.tensor([[[0.2, -0.3], [-0.5, 0.1]]])
    log_var = torch.full_like(place, 2 * torch.log(torch.tensor(0.1)).item())
    assert chamfer_kl(place, log_var, place, 0.1).item() == pytest.approx(0.0, abs=1e-5)
    # One particle off by (0.1, 0): its KL is 0.5, and so is its proposal's.
    moved = place + torch.tensor([[[0.1, 0.0], [0.0, 0.0]]])
    assert chamfer_kl(moved, log_var, place, 0.1).item() == pytest.approx(1.0, abs=1e-4)


def test_off_centre_is_in_sixteenths_of_a_glimpse() -> None:
    alpha = torch.zeros(1, 2, 16, 16)
    alpha[0, 0, 7:9, 7:9] = 1.0
    alpha[0, 1, 7:9, 10:12] = 1.0
    assert off_centre(alpha)[0].tolist() == pytest.approx([0.0, 9.0], abs=0.01)


def test_sprawl_is_the_second_moment_over_the_glimpse() -> None:
    assert sprawl(torch.ones(1, 1, 64, 64)).item() == pytest.approx(2 / 3, abs=1e-3)
    middle = torch.zeros(1, 1, 64, 64)
    middle[..., 16:48, 16:48] = 1.0
    assert sprawl(middle).item() == pytest.approx(2 / 3 / 16, abs=1e-3)


def test_a_crop_of_whole_cells_proposes_the_same_away_from_its_edges() -> None:
    torch.manual_seed(0)
    model = CompactDLP(CompactConfig()).eval()
    image = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        whole = model.proposals.offsets(image)
        crop = model.proposals.offsets(image[:, :, 16:112, 8:104])
    assert torch.allclose(crop[:, 4:8, 4:8], whole[:, 6:10, 5:9], atol=1e-5)
    assert not torch.allclose(crop[:, 0, 0], whole[:, 2, 1], atol=1e-7)


def test_the_crop_term_is_zero_when_places_do_not_depend_on_the_picture(model: CompactDLP) -> None:
    objective = CompactObjective(model, TINY)
    progress = Progress(50, 100, 0.0)
    assert objective(Batch(pictures()), progress).terms["crop"].item() > 0.0
    with torch.no_grad():
        model.proposals.place.weight.zero_()
        model.proposals.place.bias[:2] = 0.7  # type: ignore[index]
    report = objective(Batch(pictures()), progress)
    assert report.terms["crop"].item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("step", "steps", "counts"),
    [(12, 20, False), (13, 20, True), (24, 100, False), (25, 100, True)],
)
def test_the_crop_term_waits_for_positions(
    model: CompactDLP, step: int, steps: int, counts: bool
) -> None:
    report = CompactObjective(model, TINY)(Batch(pictures()), Progress(step, steps, 0.0))
    assert ("crop" in report.terms) == counts
