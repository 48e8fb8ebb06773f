"""The open model and media, their encodings, and the edited particles: one frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from kpstudio.session.branches import Branch
from kpstudio.session.encodings import Encodings
from kpstudio.session.reference_edits import Reference

if TYPE_CHECKING:
    from kpcore.capabilities import Capabilities
    from kpcore.latents import Latents


def _nothing() -> Mapping[int, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the studio knows of the open model; the weights stay in the engine.

    Attributes:
        key: New for every load, so that late answers of another model are told apart.
        path: Of the checkpoint.
        title: Shown name, e.g. the file's stem.
        family: Shown name of its family.
        capabilities: What it can do.
        step: Training step of the weights.
        parameters: Number of weights.
        device: Where it runs, e.g. "cpu".
        facts: The manifest's card and data description, as JSON values.
        codebook: Feature of each prototype; empty where the particles have no kinds.
    """

    key: int
    path: str
    title: str
    family: str
    capabilities: Capabilities
    step: int = 0
    parameters: int = 0
    device: str = "cpu"
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    codebook: tuple[tuple[float, ...], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """The open image, folder or video.

    Attributes:
        key: New for every opening.
        path: Of the file or folder.
        name: Shown name.
        kind: What it is.
        count: Number of frames.
        fps: Frames per second of a video, else None.
        size: (width, height) of the first frame in pixels.
        times: Seconds of each frame from the first; empty where they are even.
    """

    key: int
    path: str
    name: str
    kind: Literal["image", "folder", "video"]
    count: int
    fps: float | None = None
    size: tuple[int, int] = (0, 0)
    times: tuple[float, ...] = ()

    @property
    def is_even(self) -> bool:
        """Whether frames follow each other at one rate."""
        return not self.times


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """Everything that edits change, and what they refer to.

    Attributes:
        model: The open model, or None.
        media: The open media, or None.
        encoded: Frame -> what the model made of it (a batch of one); shared by all documents of a
            history, and never changed by an edit.
        edited: Frame -> particles after edits; a frame without edits is absent.
        keep: Only this many of the surest particles are decoded, or more than the model was
            trained with where it can find them; None for as many as in training.
        branches: Futures that were asked for, oldest first.
        prototype_names: What the user calls prototypes, by their row in the codebook.
        reference: Whose appearance particles are decoded with; None for that of their own frame.
    """

    model: ModelInfo | None = None
    media: MediaInfo | None = None
    encoded: Encodings = field(default_factory=Encodings)
    edited: Mapping[int, Latents] = field(default_factory=_nothing)
    keep: int | None = None
    branches: tuple[Branch, ...] = ()
    prototype_names: Mapping[int, str] = field(default_factory=_nothing)
    reference: Reference | None = None

    def with_edited(self, frame: int, latents: Latents) -> Document:
        """Return the document with the particles of `frame` replaced; branches may follow."""
        edited = MappingProxyType({**self.edited, frame: latents})
        branches = tuple(branch.after_edit(frame, latents) for branch in self.branches)
        return replace(self, edited=edited, branches=branches)

    def with_branch(self, branch: Branch) -> Document:
        """Return the document with the branch of the same key replaced."""
        changed = (branch if old.key == branch.key else old for old in self.branches)
        return replace(self, branches=tuple(changed))

    @property
    def length(self) -> int:
        """Frames that can be looked at: those of the media, and those predicted beyond its end."""
        ends = (branch.end + 1 for branch in self.branches)
        return max((self.media.count if self.media else 0, *ends))

    @property
    def edited_frames(self) -> list[int]:
        """Frames whose particles are not as they were encoded."""
        edited = self.edited.items()
        return sorted(frame for frame, latents in edited if latents is not self.original(frame))

    def prototype_name(self, prototype: int) -> str:
        """Return what a prototype is called: by the user, or by its number from 1."""
        return self.prototype_names.get(prototype) or f"Prototype {prototype + 1}"

    def original(self, frame: int) -> Latents | None:
        """Return the particles as encoded, or None while the frame is not encoded."""
        return self.encoded.latents(frame)

    def latents(self, frame: int) -> Latents | None:
        """Return the particles of `frame` after edits, all K of them."""
        return self.edited.get(frame) or self.original(frame)

    def ranking(self, frame: int) -> Sequence[int]:
        """Return the rows of `frame`, surest first.

        Present particles come before absent ones; within each the smaller position variance is
        surer (DLP sec. 5.2). Taken from the encoding, so that edits do not reorder it.
        """
        original = self.original(frame)
        if original is None:
            return ()
        spare = self.usual(original.count)
        ranked = rank(original)
        return (*(row for row in ranked if row < spare), *range(spare, original.count))

    def usual(self, count: int) -> int:
        """Return how many of `count` encoded rows the model was trained to find.

        The rest, further down its list, are found in case that more are asked for.
        """
        return min(count, self.model.capabilities.particles) if self.model else count

    def found(self, count: int) -> int:
        """Return how many of `count` encoded rows there are to see: more when more are kept."""
        return max(self.usual(count), min(count, self.keep or 0))

    def kept(self, frame: int) -> frozenset[int]:
        """Return the rows that the top-K filter leaves."""
        if self.keep is None:
            original = self.original(frame)
            return frozenset(range(self.usual(original.count))) if original else frozenset()
        order = self.ranking(frame)
        return frozenset(order[: self.keep])

    def shown(self, frame: int) -> Latents | None:
        """Return what is decoded: the edited particles under the top-K filter."""
        latents = self.latents(frame)
        if latents is None:
            return None
        if self.found(latents.count) < latents.count:
            latents = latents.select(range(self.found(latents.count)))
        if self.keep is None or self.keep >= latents.count:
            return latents
        kept = self.kept(frame)
        if latents.presence is None:
            return latents.select(sorted(kept))
        dropped = [row for row in range(latents.count) if row not in kept]
        return latents.with_rows("presence", dropped, [0.0] * len(dropped))


def is_ranked(can: Capabilities) -> bool:
    """Return whether a model says which particles are surer than others."""
    return can.uncertainty or can.presence != "none"


def rank(latents: Latents) -> tuple[int, ...]:
    """Return the rows of one image's particles, surest first."""
    presence = latents.rows("presence")
    spread = latents.rows("position_log_var")

    def doubt(row: int) -> tuple[float, float]:
        absent = 0.0 if presence is None or float(presence[row]) > 0.5 else 1.0
        variance = sum(spread[row]) if spread is not None else 0.0
        if spread is None and presence is not None:
            variance = -float(presence[row])
        return absent, variance

    return tuple(sorted(range(latents.count), key=doubt))
