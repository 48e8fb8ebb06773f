"""Locations: counting them, drawing them without replacement, and placing sprites there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from kornia.filters import gaussian_blur2d
from torch import Tensor, fft
from torch.nn import functional as F

_TIE = 1e-3
_NEVER = -1e9


def blurred(maps: Float[Tensor, "B 1 H W"], sigma: float) -> Float[Tensor, "B 1 H W"]:
    """Return maps blurred by a Gaussian, in pixels, with zeros around them."""
    side = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur2d(maps, (side, side), (sigma, sigma), border_type="constant")


def laid_over(
    maps: Float[Tensor, "B H W"], drawn: Float[Tensor, "B H W"], reach: int = 4
) -> Float[Tensor, "B H W"]:
    """Return maps moved, all alike by up to `reach` pixels, to where they match what is drawn."""
    spectrum = (fft.rfft2(drawn.float()) * fft.rfft2(maps.float()).conj()).sum(0)
    match = fft.irfft2(spectrum, s=maps.shape[-2:]).roll((reach, reach), (0, 1))
    near = match[: 2 * reach + 1, : 2 * reach + 1]
    if float(near.max()) <= float(near[reach, reach]) + _TIE:
        return maps
    down, right = divmod(int(near.argmax()), 2 * reach + 1)
    down, right = down - reach, right - reach
    return F.pad(maps, (right, -right, down, -down))


def maxima(logits: Float[Tensor, "B H W"], threshold: float, radius: int) -> Bool[Tensor, "B H W"]:
    """Return where a logit is over the threshold and the greatest of its neighbourhood.

    Of equal neighbours the one that comes first in reading order counts (LAVAE sec. 2.3, f_count;
    the paper does not say how wide the neighbourhood is).
    """
    height, width = logits.shape[-2:]
    order = torch.arange(height * width, 0, -1, device=logits.device, dtype=torch.float32)
    untied = logits.float() + _TIE * (order / (height * width)).view(height, width)
    side = 2 * radius + 1
    along = F.max_pool2d(untied[:, None], (1, side), 1, (0, radius))
    greatest = F.max_pool2d(along, (side, 1), 1, (radius, 0)).squeeze(1)
    return (untied == greatest) & (logits > threshold)


class Draw(NamedTuple):
    """One object's location of every picture.

    Attributes:
        place: One-hot over all pixels; its gradient is the soft-max's (straight-through).
        pixel: Its flat index.
        kl: From the prior, which is uniform over the pixels that are left, in nats.
    """

    place: Float[Tensor, "B N"]
    pixel: Int[Tensor, " B"]
    kl: Float[Tensor, " B"]


def draw(
    logits: Float[Tensor, "B N"],
    taken: Bool[Tensor, "B N"],
    allowed: Bool[Tensor, "B N"],
    temperature: float,
) -> Draw:
    """Draw a location by the Gumbel soft-max, hard forward and soft backward.

    The KL is in closed form: with a hard draw, the gradient of the drawn index's log-probability is
    zero in expectation.

    Args:
        logits: After gamma.
        taken: Pixels that earlier objects have.
        allowed: Pixels that may be drawn at all.
        temperature: Of the soft-max.
    """
    open_ = torch.where(taken | ~allowed, logits.new_full((), _NEVER), logits)
    log_q = open_.log_softmax(-1)
    gumbel = -torch.empty_like(logits).exponential_().clamp(min=1e-20).log()
    soft = ((open_ + gumbel) / temperature).softmax(-1)
    index = soft.argmax(-1)
    hard = F.one_hot(index, logits.shape[-1]).to(soft.dtype)
    left = (logits.shape[-1] - taken.sum(-1)).to(logits.dtype)
    kl = (log_q.exp() * log_q.clamp(min=-50.0)).sum(-1) + left.log()
    return Draw(hard + soft - soft.detach(), index, kl)


class _Place(torch.autograd.Function):
    """Sprites on a canvas; see `place_sprites`."""

    @staticmethod
    def forward(ctx: Any, place: Tensor, sprite: Tensor, index: Tensor, clamp: float) -> Tensor:
        batch, channels, side, _ = sprite.shape
        size = round(place.shape[-1] ** 0.5)
        rows = _windows(index, size, side)
        room = size + side - 1
        canvas = sprite.new_zeros(batch, channels, room * room)
        canvas.scatter_(2, rows[:, None].expand(-1, channels, -1), sprite.flatten(2))
        ctx.save_for_backward(sprite, rows)
        ctx.size, ctx.clamp = size, clamp
        margin = side // 2
        inner = slice(margin, margin + size)
        return canvas.view(batch, channels, room, room)[:, :, inner, inner].contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        sprite, rows = ctx.saved_tensors
        batch, channels, side, _ = sprite.shape
        margin = side // 2
        wide = F.pad(grad, (margin,) * 4).flatten(2)
        back = wide.gather(2, rows[:, None].expand(-1, channels, -1)).view_as(sprite)
        if not ctx.needs_input_grad[0]:
            return None, back, None, None
        room = ctx.size + side - 1
        held = F.pad(grad.clamp(-ctx.clamp, ctx.clamp).float(), (margin,) * 4)
        # A correlation with sprites of hundreds of pixels is many times faster by Fourier.
        spectrum = fft.rfft2(held) * fft.rfft2(sprite.float(), s=(room, room)).conj()
        found = fft.irfft2(spectrum.sum(1), s=(room, room))[:, : ctx.size, : ctx.size]
        return found.reshape(batch, -1), back, None, None


def _windows(index: Int[Tensor, " B"], size: int, side: int) -> Int[Tensor, "B S"]:
    """Flat indices of each sprite's pixels on a canvas with room for half a sprite around."""
    room = size + side - 1
    steps = torch.arange(side, device=index.device)
    rows, columns = (index // size)[:, None] + steps, (index % size)[:, None] + steps
    return (rows[:, :, None] * room + columns[:, None, :]).flatten(1)


def place_sprites(
    place: Float[Tensor, "B N"],
    sprite: Float[Tensor, "B C S S"],
    index: Int[Tensor, " B"],
    clamp: float,
) -> Float[Tensor, "B C H W"]:
    """Return each sprite on an empty canvas, its middle at its location.

    The same as convolving the one-hot map with the sprite (LAVAE eq. 5), at the cost of a copy.

    Args:
        place: One-hot maps.
        sprite: What is placed.
        index: Of the ones.
        clamp: Largest gradient of a pixel that reaches `place`; the sprite's is exact.
    """
    placed: Callable[..., Tensor] = _Place.apply  # pyright: ignore[reportUnknownMemberType]
    return placed(place, sprite, index, clamp)
