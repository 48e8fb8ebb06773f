from __future__ import annotations

import pytest
import torch

from kpcore.geometry.warps import (
    KEYNET_TARGET,
    Views,
    WarpStrength,
    smooth_field,
    warp_pair,
    warped_views,
)


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


def test_places_of_the_reference_are_found_in_the_image():
    torch.manual_seed(1)
    along = torch.linspace(-1.0, 1.0, 64)
    down, across = torch.meshgrid(along, along, indexing="ij")
    # Red is the column, green the row: a pixel's colour says where it lay before both warps.
    picture = torch.stack([across, down, torch.ones(64, 64)])[None].expand(4, -1, -1, -1)
    views = warped_views(picture, KEYNET_TARGET, margin=8)
    places = torch.rand(4, 20, 2) - 0.5

    def colour(of: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.grid_sample(of, at[:, None], align_corners=True)[:, :2, 0]

    found = views.to_image(places)
    assert float((found - places).abs().mean()) > 0.02
    seen, want = colour(views.image, found), colour(views.reference, places)
    inside = (found.abs() < 0.9).all(-1)[:, None] & (want.abs() < 0.9)
    assert inside.float().mean() > 0.4
    assert float((seen - want).abs()[inside].max()) < 0.02


def test_the_target_of_keynet_is_shifted_and_bent_but_neither_turned_nor_scaled():
    assert KEYNET_TARGET.shift == 0.1
    assert (KEYNET_TARGET.scale, KEYNET_TARGET.turn) == (0.0, 0.0)
    assert KEYNET_TARGET.rare_pull == 0.5 * WarpStrength().rare_pull


def test_two_frames_have_no_map_between_them():
    frame = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match="no known map"):
        Views(frame, frame).to_image(torch.zeros(1, 1, 2))
