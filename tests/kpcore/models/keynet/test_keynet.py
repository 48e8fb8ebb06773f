"""KeyNet: sizes, pose transfer, the residual form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kpcore.api import Batch, Progress
from kpcore.errors import InputError, ShapeError
from kpcore.geometry.coordinates import from_corner_aligned
from kpcore.geometry.heatmaps import gaussian_maps
from kpcore.models.keynet import PRESETS
from kpcore.models.keynet.config import KeyNetConfig
from kpcore.models.keynet.model import KeyNet
from kpcore.models.keynet.objective import KeyNetObjective

TINY = PRESETS["tiny"].config
NOW = Progress(0, 10, 0.0)


def test_weights_of_the_published_network():
    model = KeyNet(KeyNetConfig())
    # Two encoders, the 1x1 convolution to ten maps, the renderer.
    assert sum(w.numel() for w in model.parameters()) == 2 * 1_178_016 + 2_570 + 1_777_731
    assert model.config.side == 16


def test_points_of_one_picture_decode_over_the_appearance_of_another():
    torch.manual_seed(0)
    model = KeyNet(TINY).eval()
    a, b = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        transfer = model.encode(a, reference=b)
        own = model.encode(b)
        assert torch.equal(transfer.latents.position, model.encode(a).latents.position)
        assert torch.equal(transfer.context["appearance"], own.context["appearance"])
        swapped = model.decode(transfer.latents, own.context).image
        assert torch.equal(model.decode(transfer.latents, transfer.context).image, swapped)


def test_without_a_reference_the_picture_is_its_own():
    model = KeyNet(TINY).eval()
    a = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        alone, given = model.encode(a), model.encode(a, a)
    assert torch.equal(alone.context["appearance"], given.context["appearance"])


def test_every_picture_has_a_reference_of_its_own():
    model = KeyNet(TINY).eval()
    pictures = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        crossed = model.encode(pictures, pictures.flip(0))
        own = model.encode(pictures)
    ours, want = crossed.context["appearance"], own.context["appearance"].flip(0)
    assert torch.allclose(ours, want, atol=1e-6)


@pytest.mark.parametrize(("logit", "seen"), [(-50.0, "reference"), (50.0, "drawn")])
def test_the_mask_of_the_residual_form_shows_the_reference_or_what_is_drawn(logit, seen):
    model = KeyNet(replace(TINY, residual=True)).eval()
    with torch.no_grad():
        model.renderer.head.weight.zero_()
        model.renderer.head.bias.copy_(torch.tensor([0.1, 0.2, 0.3, logit]))
        a, b = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
        encoding = model.encode(a, b)
        picture = model.decode(encoding.latents, encoding.context).image
    drawn = torch.tensor([0.1, 0.2, 0.3])[None, :, None, None].expand_as(b)
    assert torch.allclose(picture, b if seen == "reference" else drawn, atol=1e-6)


def test_stills_are_explained_from_a_warp_of_themselves_and_frames_from_their_reference():
    torch.manual_seed(0)
    model = KeyNet(TINY)
    objective = KeyNetObjective(model, TINY)
    image, reference = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32)
    frames = objective(Batch(image, reference), NOW)
    other = objective(Batch(image, torch.rand(4, 3, 32, 32)), NOW)
    assert not torch.equal(frames.total, other.total)
    assert objective(Batch(image), NOW).total.isfinite()


def _report(config: KeyNetConfig, batch: Batch, seed: int = 0):
    torch.manual_seed(seed)
    objective = KeyNetObjective(KeyNet(config), config)
    torch.manual_seed(seed)
    return objective(batch, NOW)


def test_what_lies_at_the_border_does_not_enter_the_loss():
    torch.manual_seed(0)
    config = replace(TINY, border=(0.25, 0.0))
    objective = KeyNetObjective(KeyNet(config).eval(), config)
    made, image = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    other = image.clone()
    other[..., :8] = 0.0
    for reconstruction in ("mse", "edges"):
        config = replace(config, reconstruction=reconstruction)
        losses = []
        for target in (image, other):
            objective = KeyNetObjective(KeyNet(config), config)
            losses.append(objective._difference(made, target)["reconstruction"])
        assert torch.equal(losses[0], losses[1])


def test_the_edges_form_begins_with_four_terms_that_weigh_alike():
    torch.manual_seed(0)
    report = _report(replace(TINY, reconstruction="edges"), Batch(torch.rand(4, 3, 32, 32)))
    assert list(report.terms) == ["reconstruction", "edges_1", "edges_2", "edges_4"]
    assert [float(term.detach()) for term in report.terms.values()] == pytest.approx([1.0] * 4)
    report.total.backward()


def test_mirroring_flips_picture_and_reference_together():
    torch.manual_seed(0)
    config = replace(TINY, mirror=True)
    objective = KeyNetObjective(KeyNet(config), config)
    image = torch.rand(16, 3, 32, 32)
    views = objective._views(Batch(image, image))
    assert torch.equal(views.image, views.reference)
    flipped = (views.image == image.flip(-1)).flatten(1).all(1)
    kept = (views.image == image).flatten(1).all(1)
    assert flipped.any()
    assert kept.any()
    assert (flipped ^ kept).all()


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("name", ["equivariance", "concentration", "separation"])
def test_a_term_that_holds_keypoints_is_in_the_loss_when_it_is_wanted(name, frames):
    image = torch.rand(4, 3, 32, 32)
    batch = Batch(image, image.roll(1, 0) if frames else None)

    def term(weight: float) -> float:
        torch.manual_seed(0)
        report = _report(replace(TINY, **{name: weight}), batch)
        return float(report.terms[name].detach()) if name in report.terms else 0.0

    assert term(0.0) == 0.0
    assert term(1.0) > 0.0
    assert term(2.0) == pytest.approx(2.0 * term(1.0), rel=1e-4)


def test_keypoints_that_move_with_the_picture_cost_no_equivariance(monkeypatch):
    torch.manual_seed(0)
    config = replace(TINY, equivariance=1.0)
    model = KeyNet(config)
    objective = KeyNetObjective(model, config)
    places = torch.tensor([[0.0, 0.0], [0.3, -0.2], [-0.4, 0.1], [0.2, 0.5]])

    def blobs(at: Tensor) -> Tensor:
        maps = gaussian_maps(at, 32, 0.1)
        return maps / maps.sum((-2, -1), keepdim=True)

    image = torch.rand(1, 3, 32, 32)
    views = objective._views(Batch(image))
    # Where the warped picture shows what lies at these places of the picture.
    there = places[None]
    for _ in range(50):
        there = there + places - views.to_image(there)
    followed = {True: blobs(places[None]), False: blobs(there)}
    costs: list[float] = []
    for gap in (0.0, 0.1):
        monkeypatch.setattr(
            model.keypoints, "distribution", lambda seen: followed[seen is views.image]
        )
        monkeypatch.setattr(
            type(model.keypoints),
            "forward",
            lambda self, seen, gap=gap: from_corner_aligned(there + gap, 32),
        )
        _, terms = objective._found(views.image, views)
        costs.append(float(terms["equivariance"]))
    assert costs[0] < 1e-3
    assert costs[1] == pytest.approx(4 * 2 * 0.1**2, rel=0.5)


def test_a_context_is_needed_and_asked_for():
    model = KeyNet(TINY).eval()
    latents = model.encode(torch.rand(1, 3, 32, 32)).latents
    with pytest.raises(ShapeError, match="context"):
        model.decode(latents)


@pytest.mark.parametrize(
    "fields",
    [
        {"keypoints": 0},
        {"image_size": 31},
        {"renderer_widths": (8,)},
        {"reference_within": 0},
        {"border": (0.3, 0.2)},
        {"border": (-0.1, 0.2)},
        {"equivariance": -1.0},
        {"concentration": -1.0},
        {"separation": -1.0},
    ],
)
def test_impossible_sizes_are_refused(fields):
    with pytest.raises(InputError):
        replace(TINY, **fields)
