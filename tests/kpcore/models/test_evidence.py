"""What encoders see on their way: confidence maps, and how many objects there are."""

from __future__ import annotations

import pytest
import torch

from kpcore.geometry.coordinates import pixel_centres
from kpcore.models.lavae.model import counted
from kpcore.registry import get


def build(name: str):
    torch.manual_seed(0)
    return get(name).build(get(name).presets["tiny"].config).eval()


@pytest.mark.parametrize(
    "name", ["tusk", "lavae", "lmdis", "keynet", "transporter", "keypoint-pyramids"]
)
def test_confidence_lies_over_the_picture(name: str) -> None:
    model = build(name)
    can = model.capabilities
    assert can.confidence
    with torch.inference_mode():
        image = torch.rand(2, 3, *can.image_size)
        maps = model.evidence(image).confidence
        found = model.encode(image).latents
    assert maps is not None
    assert maps.shape[:2] in ((2, 1), (2, can.particles))
    assert 0.0 <= float(maps.min()) <= float(maps.max()) <= 1.0
    if name in ("keynet", "transporter"):
        share = maps / maps.sum((-2, -1), keepdim=True)
        across = torch.linspace(-1.0, 1.0, maps.shape[-1]) * (1.0 - 1.0 / maps.shape[-1])
        mean = (share.sum(-2) * across).sum(-1)
        assert torch.allclose(mean, found.position[..., 0], atol=1e-5), "its mean is the keypoint"
    if name == "lmdis":
        across = pixel_centres(maps.shape[-1], maps.device)
        assert len(across) <= can.image_size[1]


def test_the_likeliest_count_is_that_of_the_encoding() -> None:
    model = build("lavae")
    image = (torch.rand(3, 3, *model.capabilities.image_size) > 0.9).float()
    with torch.inference_mode():
        chance = model.evidence(image).count
        found = model.encode(image).latents.presence
    assert chance is not None
    assert found is not None
    assert chance.shape == (3, model.capabilities.particles + 1)
    assert torch.allclose(chance.sum(1), torch.ones(3), atol=1e-5)
    sure = chance.amax(1) > 0.9
    assert torch.equal(chance.argmax(1)[sure].float(), found.sum(1)[sure])


def test_counts_of_independent_things() -> None:
    chance = counted(torch.tensor([[0.5, 0.5], [1.0, 0.25]]))
    assert torch.allclose(chance, torch.tensor([[0.25, 0.5, 0.25], [0.0, 0.75, 0.25]]))
