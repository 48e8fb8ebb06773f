"""What is known of each roll-out: latents of every step, pictures within a budget, curves."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kpstudio.services.pixels import psnr
from kpstudio.services.rollout import Start, Step

if TYPE_CHECKING:
    from kpcore.latents import Latents
    from kpstudio.session.branches import Branch

Bytes: TypeAlias = NDArray[np.uint8]
State: TypeAlias = Literal["waiting", "rolling", "done", "stopped", "failed"]
Name: TypeAlias = tuple[str, int]
"""Identity of a roll-out (or of the media) and a frame."""

LIMIT_BYTES = 192_000_000
LEAD = 60
"""Steps that are taken before their pictures, so that trails and curves come first."""
KEPT = 24
"""Roll-outs that are remembered, those of the open branches among them."""


@dataclass(slots=True, eq=False)
class Roll:
    """One roll-out; grows while the worker answers.

    Attributes:
        name: Identity: model, media and start frames' values.
        start: Where it begins.
        frame: The last start frame.
        steps: The predicted frames, from `frame + 1` on.
        painted: Steps, from 0, of which a picture was made.
        errors: Step, from 0 -> PSNR to the video in dB.
        copies: The same of the start frame's picture left as it is.
        stopped: The user said enough.
        failure: One sentence; empty while it goes well.
        wanted: Steps that a branch asks for.
    """

    name: str
    start: Start
    frame: int
    steps: list[Step] = field(default_factory=list[Step])
    painted: set[int] = field(default_factory=set[int])
    errors: dict[int, float] = field(default_factory=dict[int, float])
    copies: dict[int, float] = field(default_factory=dict[int, float])
    stopped: bool = False
    failure: str = ""
    wanted: int = 0

    @property
    def start_frame(self) -> int:
        """The first start frame."""
        return self.frame - len(self.start.particles) + 1

    @property
    def is_whole(self) -> bool:
        """Whether the particles of every wanted step are known."""
        return len(self.steps) >= self.wanted

    @property
    def is_due(self) -> bool:
        """Whether steps should be taken before more pictures are made: a few ahead of them."""
        return len(self.steps) < min(self.wanted, len(self.painted) + LEAD)

    @property
    def unpainted(self) -> int | None:
        """The first known frame of which no picture was made yet, or None."""
        return next((f for f in self.frames_to_paint(1)), None)

    def frames_to_paint(self, most: int) -> tuple[int, ...]:
        """Return the next frames of which no picture was made yet."""
        steps = (step for step in range(len(self.steps)) if step not in self.painted)
        return tuple(self.frame + 1 + step for step in islice(steps, most))

    @property
    def state(self) -> State:
        """How it stands."""
        if self.failure:
            return "failed"
        if self.is_whole and len(self.painted) >= self.wanted:
            return "done"
        if self.stopped:
            return "stopped"
        return "rolling" if self.steps else "waiting"

    def latents(self, frame: int) -> Latents | None:
        """Return the particles of a start frame or of a predicted one, or None when not known."""
        past = self.start.particles
        step = frame - self.frame - 1
        if -len(past) <= step < 0:
            return past[len(past) + step]
        return self.steps[step].latents if 0 <= step < len(self.steps) else None

    def trail(self) -> NDArray[np.float32]:
        """Return the positions of every future (T, N, K, 2) from the last start frame on."""
        first = self.start.particles[-1].position.float().numpy()
        count = max(1, self.start.futures)
        here = np.broadcast_to(first, (count, *first.shape[1:]))
        return np.stack([here, *(step.positions for step in self.steps)])


def name_of(model: int, media: int, branch: Branch) -> str:
    """Return the identity of a branch's roll-out: the same start gives the same roll-out."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{model} {media} {branch.frame} {branch.futures} {branch.seed}".encode())
    for latents in branch.start:
        for field_name, value in latents.named().items():
            digest.update(field_name.encode())
            digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Pictures:
    """Pictures by name, the ones used last, within a budget of bytes."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._held: OrderedDict[Name, Bytes] = OrderedDict()
        self.nbytes = 0

    def __contains__(self, name: Name) -> bool:
        return name in self._held

    def peek(self, name: Name) -> Bytes | None:
        """Return a picture or None; may be called by any thread."""
        return self._held.get(name)

    def get(self, name: Name) -> Bytes | None:
        """Return a picture and count it as used, or None when it is not here."""
        picture = self._held.get(name)
        if picture is not None:
            self._held.move_to_end(name)
        return picture

    def put(self, name: Name, picture: Bytes) -> None:
        """Keep a picture; those used longest ago go, but never the last two."""
        old = self._held.pop(name, None)
        self.nbytes += picture.nbytes - (0 if old is None else old.nbytes)
        self._held[name] = picture
        while self.nbytes > self._limit and len(self._held) > 2:
            self.nbytes -= self._held.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        """Forget all."""
        self._held.clear()
        self.nbytes = 0


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two futures are from each other at one frame.

    Attributes:
        particles: Mean distance of particles of one number, in pixels of the model's picture.
        picture: Root mean square difference of the pictures, of 255.
    """

    particles: float | None
    picture: float | None


def particle_distance(
    first: Latents | None, second: Latents | None, size: tuple[int, int]
) -> float | None:
    """Return the mean distance in pixels of the particles of one number, or None without pairs.

    Args:
        first: A batch of one.
        second: A batch of one.
        size: (height, width) of the model's picture.
    """
    if first is None or second is None:
        return None
    places = {number: row for row, number in enumerate(second.topology.identity)}
    rows = [row for row, number in enumerate(first.topology.identity) if number in places]
    if not rows:
        return None
    others = [places[first.topology.identity[row]] for row in rows]
    change = first.position[0, rows].float().numpy() - second.position[0, others].float().numpy()
    pixels = change * (np.array([size[1], size[0]], np.float32) / 2)
    return float(np.hypot(pixels[:, 0], pixels[:, 1]).mean())


def picture_distance(first: Bytes | None, second: Bytes | None) -> float | None:
    """Return the root mean square difference of two pictures of bytes, or None without both."""
    if first is None or second is None or first.shape != second.shape:
        return None
    change = first.astype(np.float32) - second.astype(np.float32)
    return float(np.sqrt(np.mean(change * change)))


def spread(positions: NDArray[np.float32], size: tuple[int, int]) -> float:
    """Return how far the futures (N, K, 2) of a frame lie apart, in pixels.

    The root mean square distance of a particle from the mean of its futures.
    """
    off = (positions - positions.mean(axis=0)) * (np.array([size[1], size[0]]) / 2)
    return float(np.sqrt(np.mean(np.sum(off * off, axis=-1))))


def error_of(picture: Bytes, truth: Bytes | None) -> float | None:
    """Return the PSNR of a predicted picture in dB, or None where there is no video."""
    return None if truth is None or truth.shape != picture.shape else psnr(picture, truth)
