"""PSNR and SSIM against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from kpcore.errors import ShapeError
from kpcore.evaluation.quality import CAP_DB, psnr_db, ssim


def flat(value: float, side: int = 16) -> torch.Tensor:
    return torch.full((1, 3, side, side), value)


def test_psnr_is_of_each_picture_not_of_the_batch():
    """Errors of 0.1 and 0.01 everywhere: mean squares 1e-2 and 1e-4."""
    a = torch.cat([flat(0.5), flat(0.5)])
    b = torch.cat([flat(0.6), flat(0.51)])
    assert psnr_db(a, b).tolist() == pytest.approx([20.0, 40.0], abs=1e-4)


def test_psnr_counts_all_channels_alike():
    """One channel of three is off by 0.3: mean square 0.03."""
    a, b = flat(0.5), flat(0.5)
    b[:, 1] += 0.3
    assert float(psnr_db(a, b)) == pytest.approx(-10 * math.log10(0.03), abs=1e-4)


def test_equal_pictures():
    a = torch.rand(2, 3, 16, 16)
    assert psnr_db(a, a).tolist() == [CAP_DB, CAP_DB]
    assert ssim(a, a).tolist() == pytest.approx([1.0, 1.0])


def test_ssim_of_flat_pictures_compares_means_only():
    """Both variances are 0, so the second factor is 1: (2ab + c1) / (a^2 + b^2 + c1)."""
    a, b, c1 = 0.2, 0.6, 1e-4
    want = (2 * a * b + c1) / (a * a + b * b + c1)
    assert float(ssim(flat(a), flat(b))) == pytest.approx(want, abs=1e-4)


def test_ssim_of_a_picture_and_its_negative_by_the_formula():
    """Of x and 1 - x the covariance is minus the variance; worked at the one inner window."""
    chance = torch.Generator().manual_seed(0)
    one = torch.rand(1, 3, 11, 11, generator=chance, dtype=torch.float64).float()
    along = torch.arange(11.0) - 5.0
    bell = torch.exp(-(along**2) / (2 * 1.5**2))
    weight = (bell / bell.sum())[:, None] * (bell / bell.sum())
    mean = (one * weight).sum((-2, -1))
    variance = (one**2 * weight).sum((-2, -1)) - mean**2
    other = 1 - mean
    want = ((2 * mean * other + 1e-4) * (-2 * variance + 9e-4)) / (
        (mean**2 + other**2 + 1e-4) * (2 * variance + 9e-4)
    )
    assert float(ssim(one, 1 - one)) == pytest.approx(float(want.mean()), abs=1e-4)
    assert float(ssim(one, 1 - one)) < 0


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(ShapeError, match="one size"):
        psnr_db(flat(0.5, 16), flat(0.5, 17))
    with pytest.raises(ShapeError, match="at least 11 pixels"):
        ssim(flat(0.5, 8), flat(0.5, 8))
