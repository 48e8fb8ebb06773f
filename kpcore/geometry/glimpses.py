"""Cut glimpses out of pictures and feature maps the way the published DLP networks do.

A box of ones moves to the keypoint by nearest sampling and masks the picture; the masked picture
moves back to the middle by bilinear sampling. A glimpse's border therefore fades by up to one
pixel, and what lies outside the picture is 0. Both moves are separable. Positions are those of a
spatial transformer without corner alignment: image edges at +-1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def _shifted(
    centre: Float[Tensor, "*n"], size: int
) -> tuple[Float[Tensor, " {size}"], Float[Tensor, "*n 1"]]:
    """Indices of `size` pixels, and how many pixels each centre lies from the middle."""
    pixel = torch.arange(size, device=centre.device, dtype=centre.dtype)
    return pixel, (centre * (size / 2))[..., None]


def _inside(centre: Float[Tensor, "*n"], side: int, size: int) -> Float[Tensor, "*n {size}"]:
    """1 where a pixel belongs to the box of `side` pixels moved to `centre`, else 0."""
    pixel, shift = _shifted(centre, size)
    place = (pixel - shift).round()
    low = (size - side) // 2
    return ((place >= low) & (place < low + side)).to(centre.dtype)


def _window(centre: Float[Tensor, "*n"], side: int, size: int) -> Float[Tensor, "*n {side} {size}"]:
    """Bilinear weights of `size` source pixels for each of `side` pixels round `centre`."""
    pixel, shift = _shifted(centre, size)
    wanted = pixel[:side] + (size - side) // 2 + shift
    return (1.0 - (pixel - wanted[..., None]).abs()).clamp_min(0.0)


def boxes(
    position: Float[Tensor, "B K 2"], side: int, size: int
) -> Float[Tensor, "B K {size} {size}"]:
    """Return masks of ones in a box of `side` pixels round each position, zero elsewhere."""
    rows = _inside(position[..., 1], side, size)
    columns = _inside(position[..., 0], side, size)
    return rows[..., :, None] * columns[..., None, :]


def cut(
    picture: Float[Tensor, "B C N N"], position: Float[Tensor, "B K 2"], side: int
) -> Float[Tensor, "B K C {side} {side}"]:
    """Return the glimpse of `side` pixels round each position."""
    size = picture.shape[-1]
    x, y = position.unbind(-1)
    rows = _window(y, side, size) * _inside(y, side, size)[..., None, :]
    columns = _window(x, side, size) * _inside(x, side, size)[..., None, :]
    bands = (rows.flatten(1, 2)[:, None] @ picture).unflatten(2, (-1, side))
    return (bands @ columns[:, None].transpose(-1, -2)).transpose(1, 2)


def cut_masked(
    picture: Float[Tensor, "B C N N"],
    masks: Float[Tensor, "B K N N"],
    position: Float[Tensor, "B K 2"],
    side: int,
) -> Float[Tensor, "B K C {side} {side}"]:
    """Return the glimpse round each position of the picture times that particle's mask."""
    size = picture.shape[-1]
    rows = _window(position[..., 1], side, size)
    columns = _window(position[..., 0], side, size)
    masked = picture[:, None] * masks[:, :, None]
    return rows[:, :, None] @ masked @ columns[:, :, None].transpose(-1, -2)


def exclusive(masks: Float[Tensor, "B K N N"]) -> Float[Tensor, "B K N N"]:
    """Return the masks less what earlier particles have claimed."""
    used = torch.zeros_like(masks[:, 0])
    claimed: list[Tensor] = []
    for mask in masks.clamp(0.0, 1.0).unbind(1):
        mine = torch.minimum(1.0 - used.detach(), mask)
        claimed.append(mine)
        used = used + mine
    return torch.stack(claimed, dim=1)
