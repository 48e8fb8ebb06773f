from __future__ import annotations

import pytest
import torch

from kpcore.losses.reconstruction import psnr_db, squared_error


def test_errors_are_summed_over_an_image_and_averaged_over_the_batch():
    a, b = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    b[0] = 0.5
    assert squared_error(a, b).item() == pytest.approx(0.25 * 48 / 2)


def test_psnr():
    assert psnr_db(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.1)).item() == pytest.approx(
        20.0
    )
