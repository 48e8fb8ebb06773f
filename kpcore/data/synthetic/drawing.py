"""Anti-aliased painting of simple bodies, and the ground truth that falls out of it.

Lengths here are in *side units*: the picture is the square [0, 1] x [0, 1], x right, y down, so a
scene is the same at any size. Coverage of a pixel is its signed distance to the outline, clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from kpcore.data.synthetic.scene import Scene, SceneClip

Outline = Literal["box", "ellipse", "triangle"]


@dataclass(frozen=True, slots=True)
class Patch:
    """One flat piece of a body, in the body's own frame (x forward, y to its right).

    Attributes:
        outline: what is drawn; a triangle points forward and fills the box.
        half: half length and half width.
        colour: RGB in [0, 1].
        centre: place in the body's frame.
        corner: corner radius of a box.
        opacity: 1 hides what is below.
        solid: whether the patch belongs to the body's silhouette (a shadow does not).
    """

    outline: Outline
    half: tuple[float, float]
    colour: tuple[float, float, float]
    centre: tuple[float, float] = (0.0, 0.0)
    corner: float = 0.0
    opacity: float = 1.0
    solid: bool = True


@dataclass(frozen=True, slots=True)
class Body:
    """A rigid object: its patches, painted in order, at a place, turned and scaled."""

    patches: tuple[Patch, ...]
    place: tuple[float, float]
    angle: float = 0.0
    scale: float = 1.0


def _distance(patch: Patch, u: ndarray, v: ndarray) -> ndarray:
    """Signed distance of points to the outline, negative inside, in the body's lengths."""
    a, b = patch.half
    u = u - patch.centre[0]
    v = v - patch.centre[1]
    if patch.outline == "ellipse":
        radius = np.sqrt((u / a) ** 2 + (v / b) ** 2)
        slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2)
        return np.where(
            radius > 1e-3, radius * (radius - 1.0) / np.maximum(slope, 1e-9), -min(a, b)
        )
    if patch.outline == "triangle":
        norm = float(np.hypot(b, 2 * a))
        flank = ((u - a) * b + np.abs(v) * 2 * a) / norm
        return np.maximum(flank, -u - a)
    x = np.abs(u) - (a - patch.corner)
    y = np.abs(v) - (b - patch.corner)
    outside = np.sqrt(np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2)
    return outside + np.minimum(np.maximum(x, y), 0) - patch.corner


def _reach(body: Body) -> tuple[float, float]:
    """Half width and half height of a box round the body's place that holds all its patches."""
    cos, sin = abs(float(np.cos(body.angle))), abs(float(np.sin(body.angle)))
    a = max(abs(p.centre[0]) + p.half[0] for p in body.patches) * body.scale
    b = max(abs(p.centre[1]) + p.half[1] for p in body.patches) * body.scale
    return cos * a + sin * b, sin * a + cos * b


def _body_coverage(body: Body, size: int) -> tuple[slice, slice, list[ndarray], ndarray] | None:
    """Window of the body, coverage of each patch there and of the silhouette; None if outside."""
    across, down = _reach(body)
    x0 = int((body.place[0] - across) * size - 1.5)
    y0 = int((body.place[1] - down) * size - 1.5)
    x1 = int((body.place[0] + across) * size + 1.5)
    y1 = int((body.place[1] + down) * size + 1.5)
    if x1 < 0 or y1 < 0 or x0 >= size or y0 >= size:
        return None
    x = (np.arange(x0, x1 + 1, dtype=np.float32) + 0.5) / size - body.place[0]
    y = (np.arange(y0, y1 + 1, dtype=np.float32) + 0.5) / size - body.place[1]
    cos, sin = np.cos(body.angle), np.sin(body.angle)
    u = ((cos * x)[None, :] + (sin * y)[:, None]) / body.scale
    v = ((cos * y)[:, None] - (sin * x)[None, :]) / body.scale
    step = body.scale * size
    covers = [np.clip(0.5 - _distance(p, u, v) * step, 0.0, 1.0) for p in body.patches]
    solid = [c for c, p in zip(covers, body.patches, strict=True) if p.solid]
    silhouette = np.maximum.reduce(solid) if len(solid) > 1 else solid[0]
    return slice(y0, y1 + 1), slice(x0, x1 + 1), covers, silhouette


def paint(
    ground: Float[ndarray, "3 H W"], bodies: Sequence[Body]
) -> tuple[Float[ndarray, "3 H W"], Bool[ndarray, "N H W"], Float[ndarray, " N"]]:
    """Paint bodies in order over a ground; gives picture, visible masks and visible shares."""
    size = ground.shape[-1]
    picture = ground.astype(np.float32).copy()
    masks = np.zeros((len(bodies), size, size), dtype=bool)
    whole = np.ones(len(bodies), dtype=np.float32)
    for number, body in enumerate(bodies):
        drawn = _body_coverage(body, size)
        if drawn is None:
            continue
        rows, columns, covers, silhouette = drawn
        whole[number] = max(float((silhouette > 0.5).sum()), 1.0)
        inside_rows = slice(max(-rows.start, 0), size - rows.start)
        inside_columns = slice(max(-columns.start, 0), size - columns.start)
        window = (
            slice(max(rows.start, 0), min(rows.stop, size)),
            slice(max(columns.start, 0), min(columns.stop, size)),
        )
        target = picture[(slice(None), *window)]
        for cover, patch in zip(covers, body.patches, strict=True):
            weight = cover[inside_rows, inside_columns]
            if patch.opacity < 1.0:
                weight = weight * np.float32(patch.opacity)
            colour = np.asarray(patch.colour, dtype=np.float32)
            target += weight * (colour[:, None, None] - target)
        solid = silhouette[inside_rows, inside_columns] > 0.5
        masks[(slice(None, number), *window)] &= ~solid
        masks[(number, *window)] = solid
    visible = masks.sum(axis=(1, 2)).astype(np.float32) / whole
    return picture, masks, visible


def _unit(bodies: Sequence[Body]) -> Float[ndarray, "N 2"]:
    return np.asarray([b.place for b in bodies], dtype=np.float32).reshape(-1, 2) * 2 - 1


def scene(
    ground: Float[ndarray, "3 H W"], bodies: Sequence[Body], identity: Sequence[int]
) -> Scene:
    """Paint one picture; objects that do not show at all are left out of the truth."""
    picture, masks, visible = paint(ground, bodies)
    shown = visible > 0
    return Scene(
        image=np.clip(picture, 0.0, 1.0),
        position=_unit(bodies)[shown],
        mask=masks[shown],
        visible=visible[shown],
        identity=np.asarray(identity, dtype=np.int64)[shown],
    )


def scene_clip(
    ground: Float[ndarray, "3 H W"], frames: Sequence[Sequence[Body]], identity: Sequence[int]
) -> SceneClip:
    """Paint a clip; every frame lists all bodies of the clip in the same order."""
    painted = [paint(ground, bodies) for bodies in frames]
    return SceneClip(
        image=np.stack([np.clip(p, 0.0, 1.0) for p, _, _ in painted]),
        position=np.stack([_unit(bodies) for bodies in frames]),
        mask=np.stack([m for _, m, _ in painted]),
        visible=np.stack([v for _, _, v in painted]),
        identity=np.asarray(identity, dtype=np.int64),
    )
