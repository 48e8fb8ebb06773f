"""The conditional prior: where keypoints may be in each patch (DLP sec. 4.1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.geometry.coordinates import corner_aligned
from kpcore.geometry.heatmaps import spatial_softmax
from kpcore.models.dlp.config import DLPConfig
from kpcore.models.dlp.particles import full
from kpcore.nn.blocks import DownCNN


class PatchPrior(nn.Module):
    """One proposal per patch by spatial softmax; the L farthest from their patch's middle stay.

    Departs: what is kept stays in row order, so that the standard KL compares like with like; the
    published order is by distance, which the Chamfer-KL does not see.
    """

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self._patch = config.prior_patch_px
        self._kept = config.proposals
        self._at_random = config.prior_filter == "random"
        self.cnn = DownCNN(3, config.prior_channels, 1)

    def all(
        self, image: Float[Tensor, "B 3 N N"]
    ) -> tuple[Float[Tensor, "B Kp 2"], Float[Tensor, "Kp 2"]]:
        """Return every patch's proposal and every patch's middle, row by row, on the grid."""
        d, size = self._patch, image.shape[-1]
        count = size // d
        patches = image.unfold(2, d, d).unfold(3, d, d).permute(0, 2, 3, 1, 4, 5)
        local = spatial_softmax(full(self.cnn(patches.reshape(-1, 3, d, d)).squeeze(1)))
        share = (d - 1) / (size - 1)
        edge = 1.0 - share
        along = corner_aligned(count, image.device, local.dtype) * edge
        middle = torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1).view(-1, 2)
        return local.view(len(image), -1, 2) * share + middle, middle

    def forward(self, image: Float[Tensor, "B 3 N N"]) -> Float[Tensor, "B L 2"]:
        """Return the proposals that stay."""
        proposal, middle = self.all(image)
        score = (
            torch.rand_like(proposal[..., 0])
            if self._at_random
            else (proposal - middle).square().sum(-1)
        )
        chosen = score.topk(self._kept, dim=1).indices.sort(dim=1).values
        return proposal.gather(1, chosen[..., None].expand(-1, -1, 2))


class ConstantPrior(nn.Module):
    """All proposals in the middle, N(0, sigma^2) (DLP table 2)."""

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self._kept = config.proposals

    def forward(self, image: Float[Tensor, "B 3 N N"]) -> Float[Tensor, "B L 2"]:
        """Return zeros."""
        return image.new_zeros(len(image), self._kept, 2)


class RandomPrior(nn.Module):
    """Proposals drawn uniformly over the picture (DLP table 2)."""

    def __init__(self, config: DLPConfig) -> None:
        super().__init__()
        self._kept = config.proposals

    def forward(self, image: Float[Tensor, "B 3 N N"]) -> Float[Tensor, "B L 2"]:
        """Return fresh proposals."""
        return torch.rand(len(image), self._kept, 2, device=image.device) * 2.0 - 1.0


PRIORS = {"ssm": PatchPrior, "constant": ConstantPrior, "random": RandomPrior}
