from __future__ import annotations

import pytest
import torch

from kpcore.losses.reconstruction import (
    RunningBalance,
    border_window,
    edge_errors,
    psnr_db,
    squared_error,
)


def test_errors_are_summed_over_an_image_and_averaged_over_the_batch():
    a, b = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    b[0] = 0.5
    assert squared_error(a, b).item() == pytest.approx(0.25 * 48 / 2)


def test_psnr():
    assert psnr_db(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1)).item() == pytest.approx(
        20.0
    )


def test_the_border_weighs_nothing_and_the_middle_all():
    window = border_window(128, 10 / 128, 20 / 128)
    assert not window[:10].any()
    assert not window[:, -10:].any()
    assert torch.allclose(window[30:98, 30:98], torch.ones(68, 68))
    assert torch.equal(window, window.T)
    assert torch.equal(window, window.flip(0))
    ramp = window[9:31, 64]
    assert (ramp.diff() >= 0.0).all()
    assert float(ramp[11]) == pytest.approx(0.5, abs=0.06)


def test_without_a_border_all_weighs_alike():
    assert torch.equal(border_window(8, 0.0, 0.0), torch.ones(8, 8))


def test_edges_heed_neither_brightness_nor_colour():
    torch.manual_seed(0)
    picture, weight = torch.rand(2, 3, 16, 16), torch.ones(16, 16)
    tinted = picture + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    assert max(float(e) for e in edge_errors(picture, tinted, weight)) < 1e-6
    moved = picture.roll(1, -1)
    assert min(float(e) for e in edge_errors(picture, moved, weight)) > 0.01


def test_edges_where_the_weight_is_nothing_cost_nothing():
    a, b = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    b[..., :3] = torch.rand(3)
    weight = border_window(16, 0.25, 0.0)
    assert [float(e) for e in edge_errors(a, b, weight)] == [0.0, 0.0, 0.0]


def test_each_term_is_divided_by_its_running_mean():
    balance = RunningBalance(decay=0.5)
    large, small = torch.tensor(100.0, requires_grad=True), torch.tensor(0.1)
    first = balance({"large": large, "small": small})
    assert [float(t.detach()) for t in first.values()] == pytest.approx([1.0, 1.0])
    first["large"].backward()
    assert float(large.grad) == pytest.approx(0.01)
    # The mean is 0.5 x 0.1 + 0.5 x 0.3.
    assert float(balance({"small": 3.0 * small})["small"]) == pytest.approx(1.5)
