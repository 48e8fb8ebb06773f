"""The contract between models, trainer and studio.

A family is one folder under `kpcore.models`. It gives a `Family` value; its model encodes an image
once into particles and decodes particles freely; its `phases` tell the trainer what to minimise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kpcore.capabilities import Capabilities
from kpcore.errors import CapabilityError, InputError
from kpcore.geometry.patches import Rule, composite
from kpcore.latents import Latents

Image: TypeAlias = Float[Tensor, "B 3 H W"]
"""A batch of pictures in [0, 1]."""

Context: TypeAlias = Mapping[str, Tensor]
"""What a family's decoder needs beside the latents; opaque to everyone else; may be empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Particles of a batch of images, and what only their decoder understands."""

    latents: Latents
    context: Context = field(default_factory=dict[str, Tensor])

    def to(self, device: torch.device | str) -> Encoding:
        """Return the same values on `device`."""
        context = {name: value.to(device) for name, value in self.context.items()}
        return Encoding(self.latents.to(device), context)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What an encoder saw on its way to the particles; to be looked at, not to be decoded.

    Attributes:
        confidence: Where it sees particles, 0..1, row-major, y down, covering the whole image: one
            map for each particle, or a single one for all.
        count: Probability of 0, 1, 2, ... objects, where objects are counted.
    """

    confidence: Float[Tensor, "B C h w"] | None = None
    count: Float[Tensor, "B N"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Decoded glimpses over a background; composes to the picture without any network.

    Attributes:
        patches: Straight (not premultiplied) RGB and alpha of each glimpse, in the order of the
            latents' particles, before presence is applied.
        background: The picture behind all particles.
        rule: How the layers cover each other (see `kpcore.geometry.patches.composite`).
        position_scale: Factor from unit coordinates to those at which this family places patches
            (published DLP weights place on another grid); 1 otherwise.
    """

    patches: Float[Tensor, "B K 4 S S"]
    background: Float[Tensor, "B 3 H W"]
    rule: Rule = "remainder"
    position_scale: float = 1.0

    def composite(self, latents: Latents) -> Image:
        """Return the picture, clamped to [0, 1], with the glimpses at the latents' positions."""
        return self.drawn(latents.position, latents.presence)

    def drawn(
        self, position: Float[Tensor, "B K 2"], presence: Float[Tensor, "B K"] | None
    ) -> Image:
        """Return what `composite` does, of positions and presence alone."""
        scaled = position * self.position_scale
        picture = composite(self.patches, scaled, presence, self.background, self.rule)
        return picture.clamp(0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """A decoded batch.

    Attributes:
        image: The picture, clamped to [0, 1].
        layers: Glimpses and background, where the family has them: then
            `layers.composite(latents)` equals `image`.
        heatmaps: One map per particle in [0, 1], row-major, y down, covering the whole image.
        alphas: Share of each particle in each pixel of the picture, where particles share it among
            themselves; such families have no layers, for a moved particle is drawn anew.
    """

    image: Image
    layers: Layers | None = None
    heatmaps: Float[Tensor, "B K h w"] | None = None
    alphas: Float[Tensor, "B K H W"] | None = None


class Decoder(Protocol):
    """Decodes edited latents of one encoding; may keep what an edit does not change."""

    def __call__(self, latents: Latents) -> Decoding:
        """Return the same picture as `KeypointModel.decode`, to within float rounding.

        Within `kpcore.drafting.drafting` it may be a rough one.
        """
        ...


class KeypointModel(nn.Module, ABC):
    """A model of one family. Modules beneath are ordinary; callers use only these methods."""

    manifest: Any = None
    """The checkpoint's manifest, when the model was loaded from one."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this model can do."""

    def set_count(self, count: int) -> None:
        """Encode another number of particles from now on; the surest come first.

        So the first rows are those of any smaller count. Training keeps the number trained with.

        Raises:
            CapabilityError: The family finds one number of particles only.
            InputError: The count is not from 1 to `capabilities.most_particles`.
        """
        most = self.capabilities.most_particles
        if not most:
            raise CapabilityError(
                f"this model finds {self.capabilities.particles} particles and no other number; "
                f"use a family whose count is free at inference"
            )
        if not 1 <= count <= most:
            raise InputError(f"{count} particles were asked for; use 1 to {most}")
        self._count = count

    _count: int | None = None

    @property
    def codebook(self) -> Float[Tensor, "M D"] | None:
        """The feature of each prototype, `capabilities.prototypes` rows; None without them."""
        return None

    @abstractmethod
    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        """Return the particles of each image, without sampling; may be slow.

        Raises:
            ShapeError: The image does not have the model's size or three channels.
        """

    @abstractmethod
    def decode(self, latents: Latents, context: Context | None = None) -> Decoding:
        """Return the picture of each set of particles; fast, pure, no hidden state.

        Raises:
            ShapeError: The latents do not fit the model.
        """

    def evidence(self, image: Image) -> Evidence:
        """Return what the encoder sees; families with `capabilities.confidence` override it."""
        return Evidence()

    def decoder_for(self, encoding: Encoding) -> Decoder:
        """Return a decoder for edits of one encoding; families override it to cache."""
        return lambda latents: self.decode(latents, encoding.context)

    def settle(self, pictures: Iterable[Image]) -> None:
        """Do what is left after the last step of training; most models have nothing left to do.

        Args:
            pictures: Batches to learn from, as in training; drawn only if they are looked at.
        """


@runtime_checkable
class VideoPredictor(Protocol):
    """Rolls particles forward in time over a frozen model."""

    history: int
    renderer: KeypointModel

    def predict(self, past: Sequence[Latents], steps: int) -> Iterator[Latents]:
        """Yield the latents of each next frame."""
        ...


@runtime_checkable
class Prior(Protocol):
    """A model that draws pictures which it has never seen."""

    def sample(
        self, counts: Sequence[float] | None = None, batch: int = 1, seed: int = 0
    ) -> Latents:
        """Return particles of `batch` pictures; see `kp sample`.

        Args:
            counts: Probability of each number of objects, from 0; None for those learned.
            batch: Pictures.
            seed: Of the draw.

        Raises:
            InputError: The probabilities are none, or the model has no number of objects.
        """
        ...


@runtime_checkable
class Redrawing(Protocol):
    """A model that draws many pictures of the same particles."""

    def renewed(self, latents: Latents, seed: int) -> Latents:
        """Return the same particles with all else that their picture depends on drawn anew.

        Args:
            latents: As encoded; edited ones too.
            seed: Of the draw.
        """
        ...


# -- training ------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Window:
    """Which frames of one clip a family sees at once.

    Frames are counted after the stride of the data; no window crosses the end of a clip or of the
    part of it that is not held out.

    Attributes:
        frames: Successive frames in `Batch.clip`; 1 for families that learn from single pictures.
        stride: Frames of the clip from each of them to the next.
        reference_within: `Batch.reference` is another frame at most so many frames away; 0 for
            none. Stills have no such frame: there the reference is None, and the family makes a
            second view of its own.
    """

    frames: int = 1
    stride: int = 1
    reference_within: int = 0

    def __post_init__(self) -> None:
        if self.frames < 1 or self.stride < 1 or self.reference_within < 0:
            raise InputError(
                f"a window of {self.frames} frames, every {self.stride}, with a reference within "
                f"{self.reference_within} was asked for; use at least 1, 1 and 0"
            )

    @property
    def span(self) -> int:
        """Frames of a clip from the first to the last of a window."""
        return (self.frames - 1) * self.stride + 1


STILL = Window()
"""The window of a family that learns from single pictures."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training run stands.

    Attributes:
        step: Optimiser steps done.
        steps: Optimiser steps in the whole run.
        epoch: Passes over the data, with fraction.
    """

    step: int
    steps: int
    epoch: float


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the trainer hands an objective.

    Attributes:
        image: Pictures in [0, 1]; the first frames of the clips where there are clips.
        reference: Another frame of the same clips, for families whose window asks for one; None
            where the data are stills.
        clip: Successive frames, for families whose window has several.
        latents: Particles of the clip as the family's renderer encodes them, (B, T, ...), where
            they are kept.
    """

    image: Image
    reference: Image | None = None
    clip: Float[Tensor, "B T 3 H W"] | None = None
    latents: Latents | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LossReport:
    """The value to minimise, its named terms as they enter it, and what is only watched."""

    total: Float[Tensor, ""]
    terms: Mapping[str, Tensor]
    monitors: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])


class Objective(Protocol):
    """Computes the loss of one batch; schedules are functions of `progress`, not hidden state.

    What it must keep from step to step is the memory of its phase.
    """

    def __call__(self, batch: Batch, progress: Progress) -> LossReport:
        """Return the loss of `batch`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Weights of a phase that are stepped in their own way.

    Attributes:
        module: Its parameters.
        rate: Learning rate of a step, from where the run stands and the run's own rate; a pure
            function, so that a resumed run goes on as it was.
        betas: Of the optimiser; None for its usual ones.
    """

    module: nn.Module
    rate: Callable[[Progress, float], float] = lambda progress, rate: rate
    betas: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """One optimiser's share of training; the trainer cycles the phases of a model.

    Attributes:
        name: Shown in the events.
        module: Its parameters are stepped, and it is wrapped for several devices.
        objective: What is minimised.
        steps: Optimiser steps before the next phase takes over.
        groups: Parts of the module with rates of their own; the rest has the run's.
        optimiser: How weights are stepped.
        keeps_batch: Its steps learn from the pictures of the step before them, so that what they
            need of them can be computed once; the first phase never does.
        memory: What the objective keeps from step to step by name, such as running means; it goes
            into the run's checkpoints, and is filled again before a resumed run goes on.
    """

    name: str
    module: nn.Module
    objective: Objective
    steps: int = 1
    groups: Sequence[Group] = ()
    optimiser: Literal["adam", "adamax"] = "adam"
    keeps_batch: bool = False
    memory: MutableMapping[str, Tensor] = field(default_factory=dict[str, Tensor])


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a preset is trained unless the user says otherwise.

    Attributes:
        batch: Images per step, over all devices.
        learning_rate: Of Adam, after the linear start.
        steps: Optimiser steps of the whole run; None when `epochs` decides.
        epochs: Passes over the data; None when `steps` decides.
        milestones: Fractions of the run at which the rate is multiplied by `decay`.
        decay: Factor at each milestone.
        rise: Steps over which the rate rises linearly from zero.
        adam_eps: Adam's epsilon.
    """

    batch: int = 32
    learning_rate: float = 2e-4
    steps: int | None = None
    epochs: float | None = 100
    milestones: tuple[float, ...] = (0.3, 0.6)
    decay: float = 0.5
    rise: int = 0
    adam_eps: float = 1e-4


@dataclass(frozen=True, slots=True)
class Preset:
    """A named configuration with the recipe that goes with it.

    Attributes:
        config: The family's frozen configuration.
        recipe: How to train it.
        summary: One line for `kp models`.
    """

    config: Any
    recipe: Recipe
    summary: str


@dataclass(frozen=True, slots=True)
class Family:
    """One paper's model, as the registry knows it.

    Attributes:
        name: Registry name, as on the command line.
        title: Name shown to people.
        paper: Citation with link.
        config: The frozen dataclass that holds every choice; its defaults are the paper's.
        presets: By name; "default" and "tiny" (seconds on a CPU, for tests) always exist.
        build: Makes an untrained model of a configuration; a family that needs a renderer takes
            the model as second argument, `renderer`.
        phases: Tells the trainer what to minimise; the first one's loss is that of validation.
        stage: "image" or "video".
        window: Which frames a model of this configuration learns from at once.
        needs: "renderer" for a family that contains a trained model of another one: its weights
            lie under `renderer.` in the state dict, and its manifest inside the checkpoint's.
    """

    name: str
    title: str
    paper: str
    config: type[Any]
    presets: Mapping[str, Preset]
    build: Callable[..., KeypointModel]
    phases: Callable[[Any, Any], Sequence[Phase]]
    stage: Literal["image", "video"] = "image"
    window: Callable[[Any], Window] = lambda config: STILL
    needs: tuple[Literal["renderer"], ...] = ()
