"""The perceptual loss on random weights in torchvision's format; the real file is 528 MB."""

from __future__ import annotations

import hashlib
import urllib.error
from pathlib import Path

import pytest
import torch
from torch import nn

from kpcore.errors import DataError
from kpcore.losses import perceptual
from kpcore.losses.perceptual import PerceptualLoss

WIDTHS = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256)}
WIDTHS |= {14: (256, 256), 17: (512, 256), 19: (512, 512), 21: (512, 512)}
WIDTHS |= {24: (512, 512), 26: (512, 512), 28: (512, 512)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = {"classifier.6.bias": torch.zeros(3)}
    for index, (out, into) in WIDTHS.items():
        state[f"features.{index}.weight"] = torch.randn(out, into, 3, 3) * (2 / (9 * into)) ** 0.5
        state[f"features.{index}.bias"] = torch.randn(out) * 0.1
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state, path)
    return path


def by_hand(state: dict[str, torch.Tensor], image: torch.Tensor) -> list[torch.Tensor]:
    """relu1_2, relu2_2, relu3_2, relu4_3, pool5 from the layout of the paper (VGG, table 1, D)."""
    kept, index = [], 0
    for block, convolutions in enumerate((2, 2, 3, 3, 3)):
        for number in range(convolutions):
            weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
            image = nn.functional.conv2d(image, weight, bias, padding=1).relu()
            index += 2
            if (block, number) in {(0, 1), (1, 1), (2, 1), (3, 2)}:
                kept.append(image)
        image = nn.functional.max_pool2d(image, 2)
        index += 1
    return [*kept, image]


def test_it_compares_pixels_and_five_maps(weights):
    loss = PerceptualLoss(weights)
    a, b = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    state = torch.load(weights, weights_only=True)
    want = (a - b).square().sum() + sum(
        (x - y).square().sum() for x, y in zip(by_hand(state, a), by_hand(state, b), strict=True)
    )
    assert loss(a, b).item() == pytest.approx(float(want) / 2, rel=1e-4)
    assert loss(a, a).item() == 0.0


def test_the_network_is_frozen_but_lets_gradients_through(weights):
    loss = PerceptualLoss(weights)
    image = torch.rand(1, 3, 16, 16, requires_grad=True)  # small glimpses are enlarged
    loss(image, torch.rand(1, 3, 16, 16)).backward()
    assert image.grad is not None
    assert image.grad.abs().max() > 0
    assert all(weight.grad is None for weight in loss.parameters())


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_file_that_is_not_vgg_is_refused(tmp_path, content):
    path = tmp_path / "vgg.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"vgg\.pth"):
        PerceptualLoss(path)
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="does not hold"):
        PerceptualLoss(path)


def test_a_missing_file_is_told_and_nothing_takes_its_place(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        PerceptualLoss(tmp_path / "none.pth")


def test_without_a_network_the_sentence_says_what_to_do(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(DataError, match="no route to host") as caught:
        PerceptualLoss()
    assert "vgg_weights" in str(caught.value)
    assert "mse" in str(caught.value)
    assert not perceptual.cached().exists()


def test_the_download_is_checked(monkeypatch):
    asked: dict[str, str] = {}

    def fetch(url: str, target: str, hash_prefix: str) -> None:
        asked.update(url=url, target=target, hash=hash_prefix)
        raise RuntimeError('invalid hash value (expected "x", got "y")')

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(DataError, match="damaged"):
        PerceptualLoss()
    assert len(asked["hash"]) == 64
    assert Path(asked["url"]).name == perceptual.cached().name == Path(asked["target"]).name


def test_a_cached_file_is_checked_and_used(monkeypatch, weights):
    target = perceptual.cached()
    target.parent.mkdir(parents=True)
    target.write_bytes(weights.read_bytes())
    with pytest.raises(DataError, match="not the published"):
        PerceptualLoss()
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    monkeypatch.setattr(perceptual, "_SHA256", digest)
    assert PerceptualLoss().features[0].weight.shape == (64, 3, 3, 3)
