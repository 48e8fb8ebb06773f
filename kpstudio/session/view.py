"""How the document is looked at; never undone, never lost with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from kpstudio.session.branches import TRUTH

Role: TypeAlias = Literal["input", "reconstruction", "edited", "difference"]
ROLES: tuple[Role, ...] = ("input", "reconstruction", "edited", "difference")

LayerName: TypeAlias = Literal[
    "picture", "input", "reconstruction", "masks", "glimpses", "heatmaps", "confidence", "trails",
    "springs", "particles", "ellipses", "labels", "landmarks",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerView:
    """One row of the layers panel.

    Attributes:
        name: What is drawn.
        visible: Whether it is drawn.
        opacity: 0..1.
    """

    name: LayerName
    visible: bool = True
    opacity: float = 1.0


DEFAULT_LAYERS = (
    LayerView("landmarks"),
    LayerView("labels"),
    LayerView("ellipses", opacity=0.8),
    LayerView("particles"),
    LayerView("springs"),
    LayerView("trails", opacity=0.8),
    LayerView("glimpses", visible=False),
    LayerView("heatmaps", visible=False, opacity=0.6),
    LayerView("confidence", visible=False, opacity=0.6),
    LayerView("masks", visible=False, opacity=0.5),
    LayerView("reconstruction", visible=False),
    LayerView("input", visible=False),
    LayerView("picture"),
)
"""Front first. "picture" is what the canvas's role says: input, reconstruction, edited, ..."""


ComparisonMode: TypeAlias = Literal["off", "side", "wipe", "difference"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which two futures are looked at, and how.

    Attributes:
        mode: "off" shows the usual canvases; else side by side, one over the other with a divider,
            or their difference.
        first: Key of a branch, or `TRUTH` for the video itself.
        second: Key of a branch.
        divider: Where the wipe divides the picture, 0..1 of its width; `first` is at the left.
    """

    mode: ComparisonMode = "off"
    first: str = TRUTH
    second: str = ""
    divider: float = 0.5

    def with_divider(self, share: float) -> Comparison:
        """Return the comparison with the wipe's divider at another share of the width."""
        return replace(self, divider=min(1.0, max(0.0, share)))


@dataclass(frozen=True, slots=True)
class ViewState:
    """Frame, selection and what is drawn.

    Attributes:
        frame: Shown frame, from 0.
        selection: Selected rows.
        hovered: Row under the mouse, or None.
        layers: Front first.
        main: The role of the large canvas.
        grid: The centre is a grid of equals instead of one large canvas.
        overlays_hidden: Held-key state: overlays are out of the way.
        show_original: Held-key state: the input is shown in place of the edited picture.
        comparison: Which futures are compared.
        playing: Frames follow each other by the clock; pictures may come a little late.
        raw_numbers: Particles are numbered by their row in each frame, not followed over frames.
        trail_frames: How many frames back the trails reach.
        level: Only particles of this level of the pyramid are drawn and can be picked; None for
            all levels.
        solo: Masks, heatmaps and confidence maps show the selected particles' own alone, while
            any is selected.
        landmarks: Annotated pictures whose landmarks are fitted to the particles and drawn: a
            folder, NAME:PATH as for `kp eval`, or its report (.json); empty for none.
    """

    frame: int = 0
    selection: frozenset[int] = field(default=frozenset())
    hovered: int | None = None
    layers: tuple[LayerView, ...] = DEFAULT_LAYERS
    main: Role = "edited"
    grid: bool = False
    overlays_hidden: bool = False
    show_original: bool = False
    comparison: Comparison = Comparison()
    playing: bool = False
    raw_numbers: bool = False
    trail_frames: int = 12
    level: int | None = None
    solo: bool = False
    landmarks: str = ""

    def layer(self, name: LayerName) -> LayerView:
        """Return the row called `name`."""
        return next(layer for layer in self.layers if layer.name == name)

    def with_layer(
        self, name: LayerName, *, visible: bool | None = None, opacity: float | None = None
    ) -> ViewState:
        """Return the view with one row of the layers panel changed."""
        layers = tuple(
            replace(
                layer,
                visible=layer.visible if visible is None else visible,
                opacity=layer.opacity if opacity is None else min(1.0, max(0.0, opacity)),
            )
            if layer.name == name
            else layer
            for layer in self.layers
        )
        return replace(self, layers=layers)
