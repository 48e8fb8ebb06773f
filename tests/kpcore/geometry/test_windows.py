from __future__ import annotations

import torch

from kpcore.geometry.patches import composite_on_canvases, place
from kpcore.geometry.windows import composite_windows, cut_windows


def test_windows_give_the_picture_and_gradients_of_whole_canvases() -> None:
    torch.manual_seed(0)
    patches = torch.rand(2, 5, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    position = (torch.rand(2, 5, 2, dtype=torch.float64) * 2.6 - 1.3).requires_grad_()
    presence = torch.rand(2, 5, dtype=torch.float64, requires_grad=True)
    background = torch.rand(2, 3, 24, 20, dtype=torch.float64)
    weight = torch.rand(2, 3, 24, 20, dtype=torch.float64)
    whole = composite_on_canvases(patches, position, presence, background, "remainder")
    windows = composite_windows(patches, position, presence, background)
    assert torch.allclose(whole, windows, atol=1e-12)
    inputs = (patches, position, presence)
    for a, b in zip(
        torch.autograd.grad((whole * weight).sum(), inputs),
        torch.autograd.grad((windows * weight).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-9)


def test_far_outside_nothing_is_drawn() -> None:
    background = torch.rand(1, 3, 16, 16)
    patches = torch.ones(1, 2, 4, 8, 8)
    position = torch.tensor([[[9.0, 0.0], [0.0, torch.nan]]])
    picture = composite_windows(patches, position, torch.ones(1, 2), background)
    assert torch.equal(picture, background)


def test_a_glimpse_cut_and_placed_again_is_the_picture_there() -> None:
    torch.manual_seed(1)
    image = torch.rand(1, 3, 20, 20)
    position = torch.tensor([[[0.0, 0.0], [-0.4, 0.2]]])
    glimpses = cut_windows(image, position, 8)
    back = place(glimpses, position, (20, 20))
    assert torch.allclose(back[0, 0, :, 6:14, 6:14], image[0, :, 6:14, 6:14], atol=1e-6)
    assert torch.allclose(back[0, 1, :, 8:16, 2:10], image[0, :, 8:16, 2:10], atol=1e-6)


def test_outside_the_image_a_glimpse_is_black() -> None:
    glimpse = cut_windows(torch.ones(1, 3, 16, 16), torch.tensor([[[1.0, 0.0]]]), 8)[0, 0]
    assert torch.equal(glimpse[:, :, :4], torch.ones(3, 8, 4))
    assert torch.equal(glimpse[:, :, 4:], torch.zeros(3, 8, 4))
