from __future__ import annotations

import torch

from kpcore.geometry.warps import smooth_field, warp_pair


def test_the_second_picture_is_warped_more_than_the_first():
    torch.manual_seed(0)
    coarse = torch.rand(6, 3, 6, 6)
    image = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(0, 1)
    light, strong = warp_pair(image, margin=8)
    assert light.shape == strong.shape == image.shape
    first, second = (light - image).abs().mean(), (strong - image).abs().mean()
    assert 0.0 < float(first) < 0.4 * float(second)


def test_each_picture_has_its_own_warp():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 32, 32).expand(2, -1, -1, -1)
    _, strong = warp_pair(image)
    assert not torch.allclose(strong[0], strong[1], atol=1e-3)


def test_warps_repeat_with_the_seed():
    image = torch.rand(1, 3, 16, 16)
    pairs = []
    for _ in range(2):
        torch.manual_seed(5)
        pairs.append(warp_pair(image))
    assert torch.equal(pairs[0][1], pairs[1][1])


def test_a_smooth_field_is_the_map_at_every_pixel():
    y, x = torch.linspace(-1, 1, 65), torch.linspace(-0.9, 0.9, 54)

    def bend(places: torch.Tensor) -> torch.Tensor:
        return 0.8 * places.flip(-1) + 0.05 * (2.0 * places).sin()

    field = smooth_field(bend, y, x)
    places = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    assert field.shape == (1, 65, 54, 2)
    assert torch.allclose(field[0], bend(places), atol=1e-3)
    assert not torch.allclose(field[0], places, atol=0.1)
