from __future__ import annotations

import pytest
import torch

from kpcore.nn.unet import UNet


@pytest.mark.parametrize("side", [16, 24])
def test_maps_have_the_size_of_the_picture(side):
    net = UNet(3, 5, (4, 8, 16), groups=2)
    assert net(torch.rand(2, 3, side, side)).shape == (2, 5, side, side)


def test_number_of_weights_by_hand():
    # 3->2, 2->2; 2->4, 4->4; up (4+2)->2, 2->2; head 2->1; two norms a block.
    def block(a: int, b: int) -> int:
        return (9 * a * b + b) + (9 * b * b + b) + 4 * b

    want = block(3, 2) + block(2, 4) + block(6, 2) + 3
    assert sum(w.numel() for w in UNet(3, 1, (2, 4), groups=2).parameters()) == want


def test_fine_maps_skip_the_coarse_ones():
    torch.manual_seed(0)
    net = UNet(1, 1, (4, 8), groups=4)
    fine = torch.zeros(1, 1, 16, 16)
    fine[0, 0, 8, 8] = 1.0
    gap = (net(fine) - net(fine.roll(1, -1))).abs()[0, 0]
    assert gap[8, 8:10].max() > 1e-3
