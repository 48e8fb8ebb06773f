"""The published DLP models against numbers that their authors' code computed."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from kpcore.api import Batch, Progress
from kpcore.geometry.coordinates import from_corner_aligned, to_corner_aligned
from kpcore.losses.kl import chamfer_kl, gaussian_kl
from kpcore.models.dlp.model import DLP, build_masked, build_object
from kpcore.models.dlp.objective import MaskedObjective, ObjectObjective
from kpcore.models.dlp.published import Unsaid, import_checkpoint, names

_SPEC = importlib.util.spec_from_file_location(
    "published_dlp", Path(__file__).with_name("published_dlp.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
published = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(published)

KEPT = {"masked": 50, "object": 20, "shapes": 15}
PICTURE_BAR = {"masked": 1e-4, "object": 2e-3, "shapes": 2e-3}


@pytest.fixture(scope="module", params=published.CASES)
def case(request, tmp_path_factory) -> tuple[str, DLP, dict[str, np.ndarray]]:
    path = tmp_path_factory.mktemp("published") / f"{request.param}.pth"
    torch.save(published.weights(request.param), path)
    family, _, model = import_checkpoint(path, Unsaid(prior_kept=KEPT[request.param]))
    assert family == ("dlp-masked" if request.param == "masked" else "dlp-object")
    return request.param, model, published.reference(request.param)


def gap(ours: Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.detach().double().numpy() - theirs).max())


def look(name: str, model: DLP, kind: torch.dtype) -> dict[str, Tensor]:
    """What our code gives, in the authors' units and order."""
    size = published.SIZE[name]
    encoding = model.encode(published.picture(name).to(kind))
    latents = encoding.latents
    position = to_corner_aligned(latents.position, size).flip(-1)
    there = from_corner_aligned(published.moved(position).flip(-1), size)
    moved = replace(latents, position=there)
    log_var = latents.position_log_var - 2.0 * math.log((size - 1) / size)
    assert latents.background is not None
    every = published.EVERY
    return {
        "position": position,
        "log_var": log_var.flip(-1),
        "feature": torch.cat([latents.feature, latents.background[:, None]], dim=1),
        "presence": latents.presence,
        "picture": model.decode(latents, encoding.context).image[..., ::every, ::every],
        "picture_moved": model.decode(moved, encoding.context).image[..., ::every, ::every],
        "incremental": model.decoder_for(encoding)(moved).image[..., ::every, ::every],
    }


def bars(name: str, exact: bool) -> dict[str, float]:
    picture = 1e-6 if exact else PICTURE_BAR[name]
    fine = 1e-6 if exact else 1e-5
    return {
        "position": fine,
        "log_var": fine if exact else 1e-4,
        "feature": fine if exact else 1e-3,
        "presence": fine,
        "picture": picture,
        "picture_moved": picture,
        "incremental": picture,
    }


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("folded", [True, False])
def test_encode_and_decode_give_the_authors_numbers(case, kind, folded):
    name, model, theirs = case
    model.to(kind)
    with torch.set_grad_enabled(not folded):
        ours = look(name, model, kind)
    want = {
        **theirs,
        "picture": theirs["picture"].clip(0, 1),
        "picture_moved": theirs["picture_moved"].clip(0, 1),
        "incremental": theirs["picture_moved"].clip(0, 1),
        "presence": theirs.get("presence", np.ones(ours["presence"].shape)),
    }
    for key, bar in bars(name, kind == torch.float64).items():
        assert gap(ours[key], want[key]) <= bar, key


def test_the_reference_is_spread_out(case):
    """Constant pictures or equal positions would let wrong code pass."""
    _, _, theirs = case
    assert theirs["position"].std(1).min() > 0.3
    assert np.abs(theirs["position"][0] - theirs["position"][1]).mean() > 0.05
    assert theirs["picture"].std() > 0.15
    assert np.abs(theirs["picture"] - theirs["picture_moved"]).max() > 0.1
    inside = (theirs["picture"] > 0) & (theirs["picture"] < 1)
    assert inside.mean() > 0.5


@torch.no_grad()
def test_prior_and_kl_terms_give_the_authors_numbers(case):
    name, model, theirs = case
    model.double()
    image = published.picture(name)
    proposals = model.prior(image).flip(-1)
    order = [np.lexsort(row.detach().numpy().round(6).T) for row in proposals]
    reference = [np.lexsort(row.round(6).T) for row in theirs["proposals"]]
    for ours, here, row, there in zip(
        proposals, order, theirs["proposals"], reference, strict=True
    ):
        assert gap(ours[here], row[there]) < 1e-6
    mean, log_var = (torch.from_numpy(theirs[key]) for key in ("position", "log_var"))
    value = chamfer_kl(mean, log_var, proposals, 2.0 * math.log(model.config.sigma)).mean()
    assert float(value) == pytest.approx(float(theirs["chamfer_kl"]), rel=1e-6)
    feature, spread = (torch.from_numpy(theirs[key]) for key in ("feature", "feature_log_var"))
    value = gaussian_kl(feature, spread).sum((-1, -2)).mean()
    assert float(value) == pytest.approx(float(theirs["feature_kl"]), rel=1e-9)


def test_a_training_step_gives_the_authors_losses_and_gradients(case, monkeypatch):
    name, model, theirs = case
    is_masked = name == "masked"
    changes = {"reconstruction": "mse", "beta": 3.0, "tps_pairs": False}
    if not is_masked:
        changes |= {"warmup_epochs": 0.0, "exclusive_patches": name == "shapes"}
    config = replace(model.config, **changes)
    fresh = (build_masked if is_masked else build_object)(config)
    fresh.load_state_dict(model.state_dict())
    fresh.double().train()
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    objective = (MaskedObjective if is_masked else ObjectObjective)(fresh, config)
    report = objective(Batch(published.picture(name)), Progress(0, 1, 0.0))
    ours = [report.terms[key].item() for key in ("reconstruction", "chamfer_kl", "feature_kl")]
    assert ours == pytest.approx(theirs["training_terms"].tolist(), rel=1e-9)
    report.total.backward()
    weights, known = dict(fresh.named_parameters()), names(fresh)
    norms = dict(zip(published.shapes(name), theirs["gradient_norms"].tolist(), strict=True))
    for key, weight in weights.items():
        assert weight.grad is not None, key
        assert weight.grad.norm().item() == pytest.approx(norms[known[key]], rel=1e-6, abs=1e-9)
