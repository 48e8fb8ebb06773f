from __future__ import annotations

import torch
from torch.nn import functional as F

from kpcore.geometry.flow import accumulated_flow


def sliding(step: int, frames: int = 3, side: int = 64) -> torch.Tensor:
    """A clip of a smooth texture that moves to the right by `step` pixels a frame."""
    chance = torch.Generator().manual_seed(0)
    wide = F.interpolate(
        torch.rand(1, 3, 12, 24, generator=chance), (side, 2 * side), mode="bicubic"
    )
    views = [wide[..., 40 - step * i : 40 - step * i + side] for i in range(frames)]
    return torch.stack(views, dim=1).clamp(0, 1)


def test_a_sliding_picture_has_the_flow_of_all_its_steps_together() -> None:
    flow = accumulated_flow(sliding(step=2))
    middle = flow.back[0, :, 16:48, 16:48]
    # Four pixels in all; what is seen here lay to the left: minus 4 * 2 / 64.
    assert abs(float(middle[0].median()) + 0.125) < 0.01
    assert abs(float(middle[1].median())) < 0.01
    assert abs(float(flow.speed[0, 16:48, 16:48].median()) - 0.125**2) < 0.003


def test_what_stands_still_does_not_flow() -> None:
    flow = accumulated_flow(sliding(step=0))
    assert float(flow.back.abs().max()) < 0.02
    assert float(flow.speed.max()) < 1e-3
