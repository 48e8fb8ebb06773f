"""Feature maps with keypoints taken out at one place and put in at another."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from kpcore.geometry.coordinates import pixel_centres


def transport(
    base: Float[Tensor, "B C h w"],
    donor: Float[Tensor, "B C h w"],
    base_maps: Float[Tensor, "B K h w"],
    donor_maps: Float[Tensor, "B K h w"],
) -> Float[Tensor, "B C h w"]:
    """Return `base` without what lies at its keypoints, with `donor` at the donor's keypoints.

    Keypoint after keypoint: base <- (1 - h_base)(1 - h_donor) base + h_donor donor.

    Source: Kulkarni et al., 2019, sec. 3; other_systems.md section 5.
    """
    # The recurrence, summed up: what is put in by keypoint k is kept by all later ones.
    keep = (1.0 - base_maps) * (1.0 - donor_maps)
    after = keep.flip(1).cumprod(1).flip(1)
    later = torch.cat([after[:, 1:], torch.ones_like(after[:, :1])], 1)
    return after[:, :1] * base + (donor_maps * later).sum(1, keepdim=True) * donor


def transport_moved(
    base: Float[Tensor, "B C h w"],
    donor: Float[Tensor, "B C h w"],
    base_maps: Float[Tensor, "B K h w"],
    donor_maps: Float[Tensor, "B K h w"],
    shift: Float[Tensor, "B K 2"],
    rows: Int[Tensor, " n"] | None = None,
) -> Float[Tensor, "B C h w"]:
    """Return `transport` with the donor's features moved along with each keypoint.

    An editor has no second picture: the features put in at a keypoint's new place are those that
    lay at its old one, so that what is pasted is the object and not the ground.

    Args:
        base: Features from which keypoints are taken out.
        donor: Features in which the keypoints lie at their old places.
        base_maps: Gaussian maps of the base's keypoints.
        donor_maps: Gaussian maps of the keypoints at their new places.
        shift: Unit coordinates from old to new place, per keypoint.
        rows: Keypoints that moved in any of the pictures; None looks for them.

    Source: other_systems.md section 9.
    """
    keep = (1.0 - base_maps) * (1.0 - donor_maps)
    after = keep.flip(1).cumprod(1).flip(1)
    later = torch.cat([after[:, 1:], torch.ones_like(after[:, :1])], 1)
    weight = donor_maps * later
    moved = (shift != 0.0).any(-1)
    still = (weight * ~moved[..., None, None]).sum(1, keepdim=True)
    out = after[:, :1] * base + still * donor
    rows = moved.any(0).nonzero().flatten() if rows is None else rows
    for row in rows[:, None].unbind():
        share = (weight * moved[..., None, None]).index_select(1, row)
        out = out + share * shifted(donor, shift.index_select(1, row)[:, 0])
    return out


def shifted(
    maps: Float[Tensor, "B C h w"], shift: Float[Tensor, "B 2"]
) -> Float[Tensor, "B C h w"]:
    """Return maps moved by `shift` (unit coordinates, x then y); edges are repeated."""
    height, width = maps.shape[-2:]
    x = pixel_centres(width, maps.device, maps.dtype)
    y = pixel_centres(height, maps.device, maps.dtype)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return F.grid_sample(
        maps,
        grid[None] - shift[:, None, None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


def paste(
    base: Float[Tensor, "B C h w"],
    donor: Float[Tensor, "B C h w"],
    base_union: Float[Tensor, "B 1 h w"],
    donor_union: Float[Tensor, "B 1 h w"],
) -> Float[Tensor, "B C h w"]:
    """Return `base` with `donor` wherever either picture has a keypoint.

    Source: Keypoint Pyramids eq. 2 (its transport differs from the Transporter's, which puts the
    donor in at the donor's keypoints only).
    """
    keep = (1.0 - base_union) * (1.0 - donor_union)
    return base * keep + donor * (1.0 - keep)
