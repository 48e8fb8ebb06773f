"""Every choice of the DLP-GCN predictor; the defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpcore.errors import InputError


@dataclass(frozen=True, slots=True)
class GCNConfig:
    """Graph, network and loss of the predictor (DLP sec. 5.3 and app. F).

    Attributes:
        radius: Particles nearer than this are joined, unit coordinates (paper: 0.2).
        hidden: Units of the graph layers and of the shared MLP (paper: 128).
        position_limit: gamma_p, most that a coordinate changes per frame, unit coordinates
            (paper: 0.2).
        feature_limit: gamma_a, most that an appearance number changes per frame (paper: 0.02).
        relative_edges: Edges carry the difference of positions at three scales. The paper's carry
            nothing; then a speed must be found as a small difference of large numbers, and short
            runs learn the mean speed of a place instead.
        inertia: A particle of the last frame moves on as it came, and the network corrects that; it
            is told the way each came. The paper's network must find a particle's own way among
            its neighbours of the frame before, which drifts over many steps.
        present: Particles of lower presence take no part: no edges, no change.
        unroll: Frames predicted in a training window; the paper trains on 1 and names more as
            future work.
        grow: Share of the run over which the predicted frames rise from 1 to `unroll`.
        decoded: Predicted frames of a window that are decoded for the loss in each step, drawn at
            random; 0 for all.
        reconstruction: "vgg" the perceptual loss, "mse" squared error of pixels.
        vgg_weights: Path of torchvision's VGG16 file; empty for the cache folder.
        track_weight: Weight of the distance, in pixels, between predicted particles and those that
            the renderer finds in the true frames, followed from frame to frame; 0, as in the
            paper, for none.
    """

    radius: float = 0.2
    hidden: int = 128
    position_limit: float = 0.2
    feature_limit: float = 0.02
    relative_edges: bool = False
    inertia: bool = False
    present: float = 0.5
    unroll: int = 1
    grow: float = 0.0
    decoded: int = 0
    reconstruction: Literal["vgg", "mse"] = "vgg"
    vgg_weights: str = ""
    track_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("radius", "position_limit", "feature_limit"):
            if not getattr(self, name) > 0.0:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is above 0")
        for name, least in (("hidden", 1), ("unroll", 1), ("decoded", 0), ("track_weight", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is {least} or more")
        for name in ("present", "grow"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is 0 to 1")

    @property
    def frames(self) -> int:
        """Frames of a training window: two given, the others predicted."""
        return 2 + self.unroll
