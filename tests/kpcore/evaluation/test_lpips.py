"""LPIPS with made-up weights, against its definition written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpcore.errors import DataError
from kpcore.evaluation.lpips import LPIPS

WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
POOLED_AFTER = {1, 3, 6, 9}
TAPPED = (1, 3, 6, 9, 12)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights by the published names: 13 convolutions, and a head for each of five stages."""
    chance = torch.Generator().manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    trunk, before = {}, 3
    for place, width in zip(places, WIDTHS, strict=True):
        weight = torch.randn(width, before, 3, 3, generator=chance) * (2 / (9 * before)) ** 0.5
        trunk[f"features.{place}.weight"] = weight
        trunk[f"features.{place}.bias"] = torch.zeros(width)
        before = width
    heads = {
        f"lin{index}.model.1.weight": torch.rand(1, WIDTHS[tap], 1, 1, generator=chance)
        for index, tap in enumerate(TAPPED)
    }
    torch.save(trunk, folder / "vgg16.pth")
    torch.save(heads, folder / "vgg.pth")
    return folder / "vgg16.pth", folder / "vgg.pth", trunk, heads


def written_out(a, b, trunk, heads) -> float:
    """The definition, layer by layer."""
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    values = [(2 * x - 1 - shift) / scale for x in (a, b)]
    weights = [w for name, w in trunk.items() if name.endswith("weight")]
    total, tapped = 0.0, 0
    for index, weight in enumerate(weights):
        values = [nn.functional.conv2d(x, weight, padding=1).relu() for x in values]
        if index in TAPPED:
            first, second = (nn.functional.normalize(x, dim=1) for x in values)
            head = heads[f"lin{tapped}.model.1.weight"]
            total += float(nn.functional.conv2d((first - second) ** 2, head).mean())
            tapped += 1
        if index in POOLED_AFTER:
            values = [nn.functional.max_pool2d(x, 2) for x in values]
    return total


def test_it_is_its_definition_and_each_pair_by_itself(files):
    trunk_file, heads_file, trunk, heads = files
    measure = LPIPS(trunk_file, heads_file)
    chance = torch.Generator().manual_seed(1)
    a, b = torch.rand(2, 2, 3, 32, 32, generator=chance)
    found = measure(a, b)
    for row in range(2):
        want = written_out(a[row : row + 1], b[row : row + 1], trunk, heads)
        assert float(found[row]) == pytest.approx(want, rel=1e-4)
    assert measure(a, a).tolist() == [0.0, 0.0]


def test_missing_and_foreign_weights_are_named(files, tmp_path):
    trunk_file, heads_file, _, _ = files
    with pytest.raises(DataError, match=r"LPIPS weights .*nowhere"):
        LPIPS(trunk_file, tmp_path / "nowhere.pth")
    with pytest.raises(DataError, match="VGG16 weights"):
        LPIPS(tmp_path / "nowhere.pth", heads_file)
    with pytest.raises(DataError, match="does not hold the LPIPS layers"):
        LPIPS(trunk_file, trunk_file)
    with pytest.raises(DataError, match="VGG16's feature weights"):
        LPIPS(heads_file, heads_file)
