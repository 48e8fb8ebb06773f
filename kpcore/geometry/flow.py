"""Dense optical flow between frames of a clip, as maps of unit coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kpcore.geometry.coordinates import pixel_centres
from kpcore.opencv import cv2


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """How a picture moves between the first and the last frame of a clip.

    Attributes:
        back: What to add to a place in the last frame, in unit coordinates, to find what is seen
            there in the first frame; channels x, y.
        speed: Squared length of the first frame's motion to the last (eq. 16's O_n), in squared
            unit coordinates.
    """

    back: Float[Tensor, "B 2 H W"]
    speed: Float[Tensor, "B H W"]


def accumulated_flow(clip: Float[Tensor, "B T 3 H W"]) -> Flow:
    """Return Farneback's flow over a clip, joined from that between neighbouring frames.

    Args:
        clip: In [0, 1]; at least two frames.

    Source: Zhang et al., CVPR 2018, appendix C.1; OpenCV's Farneback method.
    """
    grey = (clip.detach().mean(2) * 255.0).round().byte().cpu().numpy()
    forth, back = [], []
    for frames in grey:
        forth.append(_join([_farneback(a, b) for a, b in pairwise(frames)]))
        back.append(_join([_farneback(b, a) for a, b in pairwise(frames)][::-1]))
    ahead = torch.stack(forth).to(clip.device)
    return Flow(torch.stack(back).to(clip.device), ahead.square().sum(1))


def _farneback(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Float[Tensor, "2 H W"]:
    """Flow d with first(u) = second(u + d), in unit coordinates."""
    start = np.zeros((*first.shape, 2), np.float32)
    moved = cv2.calcOpticalFlowFarneback(first, second, start, 0.5, 3, 15, 3, 5, 1.2, 0)
    height, width = first.shape
    return torch.from_numpy(moved).permute(2, 0, 1) * torch.tensor(
        [2.0 / width, 2.0 / height]
    ).view(2, 1, 1)


def _join(parts: list[Tensor]) -> Float[Tensor, "2 H W"]:
    """One flow of several that follow each other."""
    whole = parts[0]
    height, width = whole.shape[-2:]
    y, x = pixel_centres(height), pixel_centres(width)
    here = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    for part in parts[1:]:
        places = here + whole.permute(1, 2, 0)
        after = F.grid_sample(part[None], places[None], padding_mode="border", align_corners=False)
        whole = whole + after[0]
    return whole
