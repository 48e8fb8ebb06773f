"""Do particles sit on objects, and does moving one move that object and nothing else?

Measured on procedural scenes, whose objects are known. Distances are native pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from kpcore.api import KeypointModel
from kpcore.data.synthetic.scene import Scene
from kpcore.errors import CapabilityError
from kpcore.evaluation.quality import CAP_DB, psnr_db
from kpcore.latents import Latents

PRESENT = 0.5
"""A particle counts as present above this presence."""
NEAR_PX = 3.0
"""A present particle this near an object's centre finds it."""
STEP_ERROR_PX = 1.5
"""The picture must move as far as the particle, within this."""
WHOLE = 0.95
"""An object counts as seen whole when this share of its silhouette is visible."""
CHANGED = 0.06
"""A pixel counts as changed when some channel differs by more than this (15 of 255)."""
TEST_SEED = 1_000_003
"""Stream of scenes to measure on; no training run uses it unless it is asked to."""


@dataclass(frozen=True, slots=True)
class ObjectFigures:
    """Figures over a set of scenes; shares are percentages.

    Attributes:
        recall_3px: counted objects with a present particle within 3 px of their centre. Counted
            are objects of which at least half is seen and whose centre is inside the picture.
        moved_within_1_5px: of the moves made, those after which the picture changed at the old
            and at the new place, each by at least half of the object's area, and the two changed
            areas' centroids lie as far apart as the particle was moved, within 1.5 px. Every
            found object that is seen whole (95 %) is moved once, by 0.19 to 0.41 of the picture's
            side, to a random place free of other objects, if there is one. Of an object that the
            edge or another object cuts, the hidden part comes to light when it is moved, so its
            visible mask is not the truth at the new place.
        moved_strict: moved, and each changed area overlaps the object's true mask (as it is, and
            shifted) with an intersection over union of at least 0.5.
        psnr_elsewhere_db: mean over the moves, against the unedited reconstruction, of the pixels
            outside both glimpses (a pixel more on each side); at most 60.
        psnr_elsewhere_p05_db: the same, 5th centile.
        psnr_db: reconstruction against the picture, mean over the scenes.
        duplicates: counted objects with two or more present particles on them: inside the visible
            mask or within 3 px of the centre.
        present: mean number of present particles per scene.
        objects: counted objects.
        moves: moves made.
        offset_px: mean (x, y) from object to particle, of the found objects.
    """

    recall_3px: float
    moved_within_1_5px: float
    moved_strict: float
    psnr_elsewhere_db: float
    psnr_elsewhere_p05_db: float
    psnr_db: float
    duplicates: float
    present: float
    objects: int
    moves: int
    offset_px: tuple[float, float]

    def rounded(self) -> dict[str, object]:
        """Return the figures as JSON values with two decimals."""
        return {
            name: round(value, 2) if isinstance(value, float) else value
            for name, value in (
                asdict(self) | {"offset_px": [round(v, 2) for v in self.offset_px]}
            ).items()
        }


@dataclass(frozen=True, slots=True)
class _Move:
    """One particle taken to another place: row in the latents, object, whole pixels (x, y)."""

    particle: int
    target: int
    step: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Outcome:
    moved: bool
    strict: bool
    elsewhere_db: float


def measure(
    model: KeypointModel, scenes: Iterable[Scene], seed: int = 0, batch: int = 16
) -> ObjectFigures:
    """Return how well a model's particles stand for the objects of scenes.

    Args:
        model: in eval mode; its capabilities must include presence and glimpses.
        scenes: of the model's size.
        seed: of the random moves.
        batch: scenes encoded at a time.

    Raises:
        CapabilityError: The model has no presence, or no glimpse size.
    """
    c = model.capabilities
    if c.presence == "none" or not c.glimpse_px:
        raise CapabilityError(
            "object figures need a model with presence and glimpses; this one has "
            f"presence '{c.presence}' and glimpses of {c.glimpse_px} px"
        )
    random = np.random.default_rng(seed)
    tally = _Tally()
    for group in _groups(scenes, batch):
        image = torch.from_numpy(np.stack([scene.image for scene in group]))
        with torch.inference_mode():
            latents = model.encode(image).latents
            decoded = model.decode(latents).image
        tally.psnr += psnr_db(decoded, image).tolist()
        picture = decoded.numpy()
        for row, scene in enumerate(group):
            _measure_scene(model, scene, latents.image(row), picture[row], random, tally)
    return tally.figures()


def _groups(scenes: Iterable[Scene], size: int) -> Iterable[list[Scene]]:
    group: list[Scene] = []
    for scene in scenes:
        group.append(scene)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


class _Tally:
    """Running counts of the figures."""

    def __init__(self) -> None:
        self.found: list[bool] = []
        self.doubled: list[bool] = []
        self.offsets: list[ndarray] = []
        self.outcomes: list[_Outcome] = []
        self.psnr: list[float] = []
        self.present: list[int] = []

    def figures(self) -> ObjectFigures:
        def share(values: Sequence[bool]) -> float:
            return 100.0 * float(np.mean(values)) if values else 0.0

        away = [o.elsewhere_db for o in self.outcomes] or [0.0]
        offset = np.mean(self.offsets, axis=0) if self.offsets else np.zeros(2)
        return ObjectFigures(
            recall_3px=share(self.found),
            moved_within_1_5px=share([o.moved for o in self.outcomes]),
            moved_strict=share([o.strict for o in self.outcomes]),
            psnr_elsewhere_db=float(np.mean(away)),
            psnr_elsewhere_p05_db=float(np.percentile(away, 5)),
            psnr_db=float(np.mean(self.psnr)),
            duplicates=share(self.doubled),
            present=float(np.mean(self.present)),
            objects=len(self.found),
            moves=len(self.outcomes),
            offset_px=(float(offset[0]), float(offset[1])),
        )


def _measure_scene(
    model: KeypointModel,
    scene: Scene,
    latents: Latents,
    picture: Float[ndarray, "3 H W"],
    random: np.random.Generator,
    tally: _Tally,
) -> None:
    size = scene.image.shape[-1]
    position = latents.position[0].numpy()
    presence = latents.presence
    gate = np.ones(len(position)) if presence is None else presence[0].numpy()
    shown: ndarray = np.flatnonzero(gate > PRESENT)
    tally.present.append(len(shown))
    moves: list[_Move] = []
    for number in range(len(scene.position)):
        centre = scene.position[number]
        if scene.visible[number] < 0.5 or np.abs(centre).max() > 1.0:
            continue
        gap = (position[shown] - centre) * (size / 2)
        distance = np.hypot(gap[:, 0], gap[:, 1])
        nearest = int(distance.argmin()) if len(shown) else -1
        found = nearest >= 0 and bool(distance[nearest] <= NEAR_PX)
        pixel = np.clip(((position[shown] + 1) * size / 2).astype(int), 0, size - 1)
        on_it = scene.mask[number][pixel[:, 1], pixel[:, 0]] | (distance <= NEAR_PX)
        tally.found.append(found)
        tally.doubled.append(int(on_it.sum()) > 1)
        if not found:
            continue
        tally.offsets.append(gap[nearest])
        step = _free_step(scene, number, random)
        if step is not None and scene.visible[number] >= WHOLE:
            moves.append(_Move(int(shown[nearest]), number, step))
    if moves:
        edited = _moved_pictures(model, latents, moves, size)
        glimpse = model.capabilities.glimpse_px
        for after, move in zip(edited, moves, strict=True):
            old = position[move.particle]
            tally.outcomes.append(_judge(scene, picture, after, move, old, glimpse))


def _free_step(
    scene: Scene, number: int, random: np.random.Generator, tries: int = 100
) -> tuple[int, int] | None:
    """A step in pixels that takes an object's mask to a place free of all objects, or None."""
    size = scene.image.shape[-1]
    mask = scene.mask[number]
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return None
    taken = _grown(np.any(scene.mask, axis=0), 2)
    for _ in range(tries):
        length = random.uniform(12, 26) * size / 64
        angle = random.uniform(0, 2 * np.pi)
        dx, dy = round(length * np.cos(angle)), round(length * np.sin(angle))
        x, y = columns + dx, rows + dy
        inside = x.min() >= 0 and y.min() >= 0 and x.max() < size and y.max() < size
        if inside and not taken[y, x].any():
            return int(dx), int(dy)
    return None


def _grown(mask: Bool[ndarray, "H W"], by: int) -> Bool[ndarray, "H W"]:
    grown = mask
    for _ in range(by):
        padded = np.pad(grown, 1)
        grown = (
            padded[1:-1, 1:-1]
            | padded[:-2, 1:-1]
            | padded[2:, 1:-1]
            | padded[1:-1, :-2]
            | padded[1:-1, 2:]
        )
    return grown


def _moved_pictures(
    model: KeypointModel, latents: Latents, moves: Sequence[_Move], size: int
) -> Float[ndarray, "M 3 H W"]:
    """The picture after each move alone."""
    edited: list[Latents] = []
    for move in moves:
        x, y = latents.position[0, move.particle].tolist()
        place = (x + 2 * move.step[0] / size, y + 2 * move.step[1] / size)
        edited.append(latents.with_rows("position", [move.particle], [place]))
    with torch.inference_mode():
        return model.decode(Latents.stack(edited)).image.numpy()


def _judge(
    scene: Scene,
    before: Float[ndarray, "3 H W"],
    after: Float[ndarray, "3 H W"],
    move: _Move,
    old: Float[ndarray, " 2"],
    glimpse: int,
) -> _Outcome:
    """What one move did to the picture."""
    size = before.shape[-1]
    step = np.asarray(move.step, dtype=np.float64)
    y, x = np.mgrid[0:size, 0:size] + 0.5
    here = (scene.position[move.target] + 1) * size / 2
    there = here + step
    changed = np.abs(after - before).max(axis=0) > CHANGED
    nearer_old = np.hypot(x - here[0], y - here[1]) < np.hypot(x - there[0], y - there[1])
    left, reached = changed & nearer_old, changed & ~nearer_old
    mask = scene.mask[move.target]
    shifted = np.roll(mask, (move.step[1], move.step[0]), axis=(0, 1))
    enough = mask.sum() / 2
    moved = bool(left.sum() >= enough and reached.sum() >= enough)
    if moved:
        travel = np.asarray(
            [x[reached].mean() - x[left].mean(), y[reached].mean() - y[left].mean()]
        )
        moved = bool(np.hypot(*(travel - step)) <= STEP_ERROR_PX)
    strict = moved and _overlap(left, mask) >= 0.5 and _overlap(reached, shifted) >= 0.5
    reach = glimpse / 2 + 1
    at = (old + 1) * size / 2
    elsewhere = np.ones((size, size), dtype=bool)
    for place in (at, at + step):
        elsewhere &= (np.abs(x - place[0]) > reach) | (np.abs(y - place[1]) > reach)
    return _Outcome(moved, strict, _psnr_db(after[:, elsewhere], before[:, elsewhere]))


def _psnr_db(a: Float[ndarray, "3 n"], b: Float[ndarray, "3 n"]) -> float:
    return (
        float(psnr_db(torch.from_numpy(a[None]), torch.from_numpy(b[None]))) if a.size else CAP_DB
    )


def _overlap(a: Bool[ndarray, "H W"], b: Bool[ndarray, "H W"]) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max((a | b).sum(), 1))
