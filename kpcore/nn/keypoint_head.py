"""From feature maps to keypoints and back to maps, in unit coordinates (edges at +-1)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from kpcore.geometry.coordinates import from_corner_aligned, to_corner_aligned
from kpcore.geometry.heatmaps import SoftmaxForm, gaussian_maps, softmax_share, spatial_softmax
from kpcore.nn.conv_norm import ConvStack, ConvStep, Norm
from kpcore.nn.feature_pyramid import FeaturePyramid


class KeypointHead(nn.Module):
    """Convolutions, one map per keypoint, and its spatial softmax (Jakab et al., 2018).

    Source: other_systems.md sections 0 and 4.
    """

    def __init__(
        self,
        channels_in: int,
        keypoints: int,
        *,
        hidden: tuple[int, ...] = (),
        norm: Norm = "batch",
        form: SoftmaxForm = "marginal",
        gain: float = 1.0,
    ) -> None:
        """Make the layers.

        Args:
            channels_in: Of the feature maps.
            keypoints: Maps made.
            hidden: Widths of 3x3 convolutions before the 1x1 that makes the maps.
            norm: Of the hidden convolutions.
            form: Of the softmax.
            gain: Factor on the maps before the softmax.
        """
        super().__init__()
        self.body = ConvStack(channels_in, [ConvStep(width) for width in hidden], norm)
        self.maps = nn.Conv2d(self.body.channels, keypoints, 1)
        self.form: SoftmaxForm = form
        self.gain = gain

    def forward(self, features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K 2"]:
        """Return (x, y) of every keypoint."""
        maps = self.maps(self.body(features)) * self.gain
        return from_corner_aligned(spatial_softmax(maps, self.form), maps.shape[-1])

    def distribution(self, features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K h w"]:
        """Return the distribution that each keypoint is the mean of; every map sums to 1."""
        return softmax_share(self.maps(self.body(features)) * self.gain, self.form)

    def confidence(self, features: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K h w"]:
        """Return the distribution that each keypoint is the mean of, scaled to a peak of 1."""
        share = self.distribution(features)
        return share / share.amax((-2, -1), keepdim=True)


class PyramidKeypoints(nn.Module):
    """The keypoint head on the finest map of a feature pyramid (Keypoint Pyramids sec. 4.2)."""

    def __init__(self, pyramid: FeaturePyramid, head: KeypointHead) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.head = head

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K 2"]:
        """Return (x, y) of every keypoint."""
        return self.head(self.pyramid(image)[-1])

    def distribution(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        """Return the distribution that each keypoint is the mean of."""
        return self.head.distribution(self.pyramid(image)[-1])

    def confidence(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        """Return where the head sees every keypoint (see `KeypointHead.confidence`)."""
        return self.head.confidence(self.pyramid(image)[-1])


class TrunkKeypoints(nn.Sequential):
    """The keypoint head on a stack of convolutions (Jakab et al., 2018)."""

    def __init__(self, trunk: nn.Module, head: KeypointHead) -> None:
        super().__init__(trunk, head)
        self._parts = (trunk, head)

    def distribution(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        """Return the distribution that each keypoint is the mean of."""
        trunk, head = self._parts
        return head.distribution(trunk(image))

    def confidence(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        """Return where the head sees every keypoint (see `KeypointHead.confidence`)."""
        trunk, head = self._parts
        return head.confidence(trunk(image))


def keypoint_maps(
    position: Float[Tensor, "B K 2"], side: int, sigma: float
) -> Float[Tensor, "B K {side} {side}"]:
    """Return exp(-|u - position|^2 / sigma^2) for keypoints in unit coordinates.

    There is no half in the exponent: other_systems.md section 0, as IMM, Transporter and Keypoint
    Pyramids draw their maps, on their corner-aligned grid.
    """
    return gaussian_maps(to_corner_aligned(position, side), side, sigma * 0.5**0.5)


def union(maps: Float[Tensor, "B K h w"]) -> Float[Tensor, "B 1 h w"]:
    """Return 1 - prod(1 - map): where any of the keypoints is, at most 1."""
    return 1.0 - (1.0 - maps).prod(1, keepdim=True)
