"""KeyNet: sizes, pose transfer, the residual form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kpcore.api import Batch, Progress
from kpcore.errors import InputError, ShapeError
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


def test_the_residual_form_begins_at_the_reference():
    model = KeyNet(replace(TINY, residual=True)).eval()
    torch.nn.init.zeros_(model.renderer.head.weight)
    a, b = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        encoding = model.encode(a, b)
        assert torch.allclose(model.decode(encoding.latents, encoding.context).image, b, atol=1e-6)


def test_stills_are_explained_from_a_warp_of_themselves_and_frames_from_their_reference():
    torch.manual_seed(0)
    model = KeyNet(TINY)
    objective = KeyNetObjective(model, TINY)
    image, reference = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32)
    frames = objective(Batch(image, reference), NOW)
    other = objective(Batch(image, torch.rand(4, 3, 32, 32)), NOW)
    assert not torch.equal(frames.total, other.total)
    assert objective(Batch(image), NOW).total.isfinite()


def test_a_context_is_needed_and_asked_for():
    model = KeyNet(TINY).eval()
    latents = model.encode(torch.rand(1, 3, 32, 32)).latents
    with pytest.raises(ShapeError, match="context"):
        model.decode(latents)


@pytest.mark.parametrize(
    "fields",
    [{"keypoints": 0}, {"image_size": 31}, {"renderer_widths": (8,)}, {"reference_within": 0}],
)
def test_impossible_sizes_are_refused(fields):
    with pytest.raises(InputError):
        replace(TINY, **fields)
