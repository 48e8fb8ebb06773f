"""What is particular to the published models beside the contract and the reference numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from kpcore.errors import ShapeError
from kpcore.models.dlp.config import MaskedConfig
from kpcore.models.dlp.model import DLP, build_masked, build_object
from kpcore.models.dlp.presets import MASKED_PRESETS, OBJECT_PRESETS


def lively(model: DLP) -> DLP:
    torch.manual_seed(2)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return model.eval()


@pytest.fixture
def masked() -> DLP:
    torch.manual_seed(0)
    return lively(build_masked(MASKED_PRESETS["tiny"].config))


@pytest.fixture
def objects() -> DLP:
    torch.manual_seed(0)
    return lively(build_object(OBJECT_PRESETS["tiny"].config))


def test_the_published_sizes():
    assert sum(w.numel() for w in build_masked(MASKED_PRESETS["default"].config).parameters()) == (
        7_475_304
    )
    assert sum(w.numel() for w in build_object(OBJECT_PRESETS["default"].config).parameters()) == (
        6_998_025
    )


@torch.no_grad()
def test_an_absent_masked_particle_has_no_influence(masked):
    encoding = masked.encode(torch.rand(1, 3, 32, 32))
    gone = encoding.latents.with_rows("presence", [1], [0.0])
    picture = masked.decode(gone, encoding.context).image
    elsewhere = gone.with_rows("position", [1], [(0.9, -0.9)])
    other = elsewhere.with_rows("feature", [1], [(3.0, -2.0, 1.0)])
    assert torch.equal(masked.decode(other, encoding.context).image, picture)


@torch.no_grad()
def test_an_absent_object_leaves_its_pixels_to_the_background(objects):
    encoding = objects.encode(torch.rand(1, 3, 32, 32))
    gone = replace(encoding.latents, presence=torch.zeros(1, 4))
    decoding = objects.decode(gone)
    assert decoding.layers is not None
    assert torch.allclose(decoding.image, decoding.layers.background.clamp(0, 1))


@torch.no_grad()
def test_patches_are_placed_on_the_published_grid(objects):
    decoding = objects.decode(objects.encode(torch.rand(1, 3, 32, 32)).latents)
    assert decoding.layers is not None
    assert decoding.layers.position_scale == pytest.approx(32 / 31)


@torch.no_grad()
def test_masked_decoding_needs_the_maps_that_encoding_gave(masked):
    encoding = masked.encode(torch.rand(2, 3, 32, 32))
    with pytest.raises(ShapeError, match="context 'maps'"):
        masked.decode(encoding.latents)
    with pytest.raises(ShapeError, match="context 'maps'"):
        masked.decode(encoding.latents.image(0), encoding.context)


def test_an_object_encoding_needs_no_context(objects):
    assert not objects.encode(torch.rand(1, 3, 32, 32)).context


def test_masked_appearance_from_the_picture_as_the_paper_says():
    config: MaskedConfig = replace(MASKED_PRESETS["tiny"].config, appearance="image", anchor=0.5)
    model = lively(build_masked(config))
    encoding = model.encode(torch.rand(1, 3, 32, 32))
    assert encoding.latents.feature is not None
    assert encoding.latents.feature.shape == (1, 4, 3)
    assert model.decode(encoding.latents, encoding.context).image.isfinite().all()
    model.train()


def test_training_and_gradients_use_the_networks_themselves(objects):
    assert objects.working is objects.networks
    with torch.no_grad():
        assert objects.working is not objects.networks
        objects.train()
        assert objects.working is objects.networks


def test_positions_by_softmax_follow_the_picture_untrained():
    torch.manual_seed(0)
    config = replace(MASKED_PRESETS["tiny"].config, positions="softmax")
    model = build_masked(config).eval()
    picture = torch.full((1, 3, 32, 32), 0.2)
    picture[:, :, 10:16, 8:14] = torch.rand(1, 3, 6, 6)
    moved = picture.roll(8, dims=-1)
    with torch.inference_mode():
        before, after = (model.encode(p).latents.position for p in (picture, moved))
    towards = (after - before)[..., 0].abs().mean()
    assert towards > 5 * (after - before)[..., 1].abs().mean()
