"""The one typed latent of all families: a set of particles, as a frozen value.

Edits make new values; tensors that an edit does not change are shared, so that a history of
edits costs kilobytes. Methods that edit take and return plain Python numbers, so that a caller
need not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kpcore.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Topology:
    """What does not change from image to image: level, parent and identity of each particle.

    Attributes:
        level: Pyramid level of each particle; 0 for flat models.
        parent: Index of the particle that each one hangs on; -1 for none.
        identity: Stable number shown to the user, and key of its colour.
    """

    level: tuple[int, ...]
    parent: tuple[int, ...]
    identity: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.level) == len(self.parent) == len(self.identity):
            raise ShapeError(
                f"a topology needs one level, parent and identity per particle; got "
                f"{len(self.level)}, {len(self.parent)} and {len(self.identity)}"
            )

    @classmethod
    def flat(cls, count: int) -> Topology:
        """Return the topology of `count` unconnected particles, numbered from 0."""
        return cls((0,) * count, (-1,) * count, tuple(range(count)))

    def __len__(self) -> int:
        return len(self.identity)

    def with_descendants(self, indices: Iterable[int]) -> frozenset[int]:
        """Return `indices` and all that hang on them: children, and children of children."""
        held = set(indices)
        if max(self.parent, default=-1) < 0:
            return frozenset(held)
        fresh = set(held)
        while fresh:
            fresh = {i for i, parent in enumerate(self.parent) if parent in fresh} - held
            held |= fresh
        return frozenset(held)

    def select(self, indices: Sequence[int]) -> Topology:
        """Return the topology of the particles at `indices`; lost parents become -1."""
        place = {old: new for new, old in enumerate(indices)}
        return Topology(
            tuple(self.level[i] for i in indices),
            tuple(place.get(self.parent[i], -1) for i in indices),
            tuple(self.identity[i] for i in indices),
        )


class _Field(NamedTuple):
    name: str
    per_particle: bool


_FIELDS = (
    _Field("position", True),
    _Field("position_log_var", True),
    _Field("feature", True),
    _Field("feature_log_var", True),
    _Field("presence", True),
    _Field("prototype", True),
    _Field("background", False),
)


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """The particles of an image, of a batch, or of a batch of clips.

    Attributes:
        position: (x, y) in unit coordinates: x right, y down, image edges at +-1.
        topology: Level, parent and identity per particle.
        position_log_var: Natural log of the variance in squared unit coordinates.
        feature: Appearance of each particle, as its family encodes it.
        feature_log_var: Natural log of the variance of each feature.
        presence: 0..1 per particle; None means that all are present.
        prototype: Row of the codebook that each particle belongs to.
        background: What the decoder needs beside the particles, as the family encodes it.
    """

    position: Float[Tensor, "*batch K 2"]
    topology: Topology
    position_log_var: Float[Tensor, "*batch K 2"] | None = None
    feature: Float[Tensor, "*batch K D"] | None = None
    feature_log_var: Float[Tensor, "*batch K D"] | None = None
    presence: Float[Tensor, "*batch K"] | None = None
    prototype: Int[Tensor, "*batch K"] | None = None
    background: Float[Tensor, "*batch E"] | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.position.shape)
        if len(shape) < 2 or shape[-1] != 2:
            raise ShapeError(f"positions have shape (..., K, 2); got {shape}")
        lead = shape[:-1]
        if len(self.topology) != lead[-1]:
            raise ShapeError(
                f"{lead[-1]} positions do not fit a topology of {len(self.topology)} particles"
            )
        for field in _FIELDS:
            name, value = field.name, getattr(self, field.name)
            if value is None:
                continue
            want = lead if field.per_particle else lead[:-1]
            if tuple(value.shape[: len(want)]) != want:
                raise ShapeError(
                    f"{name} has shape {tuple(value.shape)}; positions {shape} ask for "
                    f"{want} in front"
                )
            if value.device != self.position.device:
                raise ShapeError(
                    f"{name} is on {value.device}, positions on {self.position.device}; "
                    f"move both to one device with Latents.to"
                )

    # -- size -----------------------------------------------------------------------------------
    @property
    def count(self) -> int:
        """Number of particles K."""
        return self.position.shape[-2]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape in front of the particle axis: (), (B,) or (B, T)."""
        return tuple(self.position.shape[:-2])

    # -- whole-value changes ----------------------------------------------------------------------
    def named(self) -> dict[str, Tensor]:
        """Return the fields that the family has, by name, in their order."""
        return {
            field.name: value
            for field in _FIELDS
            if (value := getattr(self, field.name)) is not None
        }

    def _map(
        self, change: Callable[[Tensor, _Field], Tensor], topology: Topology | None = None
    ) -> Latents:
        values: dict[str, Tensor] = {
            field.name: change(value, field)
            for field in _FIELDS
            if (value := getattr(self, field.name)) is not None
        }
        return Latents(topology=self.topology if topology is None else topology, **values)

    def to(self, device: torch.device | str) -> Latents:
        """Return the same values on `device` (self when they are there already)."""
        if self.position.device == torch.device(device):
            return self
        return self._map(lambda value, _: value.to(device))

    def detach(self) -> Latents:
        """Return the same values without their gradient history."""
        return self._map(lambda value, _: value.detach())

    def image(self, index: int) -> Latents:
        """Return image `index` of a batch, still as a batch of one."""
        return self._map(lambda value, _: value[index : index + 1])

    def select(self, indices: Iterable[int]) -> Latents:
        """Return only the particles at `indices`, in that order."""
        chosen = list(indices)
        axis = len(self.batch_shape)
        rows = torch.tensor(chosen, dtype=torch.long, device=self.position.device)
        return self._map(
            lambda value, field: value.index_select(axis, rows) if field.per_particle else value,
            self.topology.select(chosen),
        )

    @staticmethod
    def stack(items: Sequence[Latents]) -> Latents:
        """Concatenate batches of images (all with the same topology) along the first axis."""
        first = items[0]
        if any(item.topology != first.topology for item in items):
            raise ShapeError("only latents of one topology stack; these differ")
        return first._map(lambda _, field: torch.cat([getattr(item, field.name) for item in items]))

    # -- edits (one image: batch shape () or (1,)) -------------------------------------------------
    def with_rows(
        self, name: str, rows: Sequence[int], values: Sequence[Sequence[float] | float]
    ) -> Latents:
        """Return a copy whose field `name` holds `values` at particles `rows` (all images alike).

        Raises:
            ShapeError: The family has no such field, or the sizes differ.
        """
        old: Tensor | None = getattr(self, name)
        if old is None:
            raise ShapeError(f"these particles have no {name}")
        new = old.clone()
        axis = len(self.batch_shape)
        fresh = torch.tensor(values, dtype=old.dtype, device=old.device)
        index = (slice(None),) * axis + (list(rows),)
        if tuple(fresh.shape) != tuple(new[index].shape[axis:]):
            raise ShapeError(
                f"{name} of {len(rows)} particles has shape {tuple(new[index].shape[axis:])}; "
                f"got {tuple(fresh.shape)}"
            )
        new[index] = fresh
        return replace(self, **{name: new})

    @overload
    def rows(self, name: Literal["position"], image: int = 0) -> list[list[float]]: ...

    @overload
    def rows(
        self,
        name: Literal["position_log_var", "feature", "feature_log_var"],
        image: int = 0,
    ) -> list[list[float]] | None: ...

    @overload
    def rows(
        self, name: Literal["presence", "background"], image: int = 0
    ) -> list[float] | None: ...

    @overload
    def rows(self, name: Literal["prototype"], image: int = 0) -> list[int] | None: ...

    def rows(self, name: str, image: int = 0) -> Any:
        """Return field `name` of one image as nested Python numbers, or None when absent."""
        value: Tensor | None = getattr(self, name)
        if value is None:
            return None
        return (value[image] if self.batch_shape else value).tolist()

    def equals(self, other: Latents) -> bool:
        """Return whether both hold the same values bit for bit."""
        if self.topology != other.topology:
            return False
        for field in _FIELDS:
            a, b = getattr(self, field.name), getattr(other, field.name)
            if (a is None) != (b is None) or (a is not None and not torch.equal(a, b)):
                return False
        return True
