"""Decoders of edits, in every form that a configuration gives them, against the plain decode."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from kpcore import registry
from kpcore.api import KeypointModel
from kpcore.models.keypoint_pyramids import ABLATIONS

FORMS = {
    "keynet residual": ("keynet", {"residual": True}),
    "keynet instance": ("keynet", {"norm": "instance"}),
    "transporter instance": ("transporter", {"norm": "instance"}),
    "pyramids residual": ("keypoint-pyramids", {"residual": True}),
    **{f"pyramids {name}": ("keypoint-pyramids", fields) for name, fields in ABLATIONS.items()},
    "lmdis without descriptors": ("lmdis", {"descriptor": 0}),
    "lmdis kept": ("lmdis", {"painter_norm": "kept"}),
}


def made(form: str) -> KeypointModel:
    """A model that has seen something, so that no norm stands at its start."""
    name, fields = FORMS[form]
    family = registry.get(name)
    torch.manual_seed(0)
    model = family.build(replace(family.presets["tiny"].config, **fields))
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
def test_edits_decode_to_the_models_own_picture(form):
    model = made(form)
    image, reference = torch.rand(2, 1, 3, 32, 32)
    encoding = model.encode(image, reference)
    decoder = model.decoder_for(encoding)
    latents, seen = encoding.latents, []
    for rows in ((), (0,), (0, 3), (1,)):
        for row in rows:
            latents = latents.with_rows("position", [row], [(0.6 - 0.4 * row, 0.3)])
        want, found = model.decode(latents, encoding.context), decoder(latents)
        torch.testing.assert_close(found.image, want.image, atol=1e-5, rtol=0.0)
        torch.testing.assert_close(found.heatmaps, want.heatmaps, atol=1e-6, rtol=0.0)
        seen.append(found.image)
    assert (seen[0] - seen[-1]).abs().max() > 1e-5, "moves change the picture"


@torch.no_grad()
@pytest.mark.parametrize("name", ["keynet", "transporter", "keypoint-pyramids", "lmdis"])
def test_the_decoder_of_edits_follows_the_weights_and_the_descriptors(name):
    family = registry.get(name)
    torch.manual_seed(0)
    model = family.build(family.presets["tiny"].config).eval()
    encoding = model.encode(torch.rand(1, 3, 32, 32))
    decoder, latents = model.decoder_for(encoding), encoding.latents
    before = decoder(latents).image
    if latents.feature is not None:
        latents = latents.with_rows("feature", [1], [[3.0] * latents.feature.shape[-1]])
        changed = decoder(latents).image
        assert not torch.equal(changed, before)
        want = model.decode(latents).image
        torch.testing.assert_close(changed, want, atol=1e-5, rtol=0.0)
    for weight in model.parameters():
        weight.mul_(1.1)
    want = model.decode(latents, encoding.context).image
    torch.testing.assert_close(decoder(latents).image, want, atol=1e-5, rtol=0.0)
    assert not torch.equal(decoder(latents).image, before)
