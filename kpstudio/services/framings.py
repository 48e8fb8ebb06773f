"""How pictures of any size are brought to a model's size, and what of them it then sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpcore.geometry.framing import Framing, FramingRule


def framing_of(source: tuple[int, int], rule: FramingRule, size: tuple[int, int]) -> Framing:
    """Return how pictures of size `source` are brought to a model's `size`, both (H, W).

    Pictures that have the model's size are taken whole, whatever the rule's box: they were framed
    before (probe pictures of a run, exported inputs).
    """
    from kpcore.geometry.framing import FramingRule

    return (FramingRule() if source == size else rule).resolve(source, size)


def what_is_seen(framing: Framing) -> list[str]:
    """Return sentences' parts on what is cut away or squeezed; none when all is seen as it is."""
    height, width = framing.source_size
    high, wide = framing.box_size
    goal = f"{framing.size[1]} x {framing.size[0]}"
    left, top, right, bottom = framing.visible
    if (right - left, bottom - top) != (width, height):
        return [
            f"the model sees {right - left} x {bottom - top} of its {width} x {height} pixels, "
            f"at {goal}"
        ]
    if wide * framing.size[0] != high * framing.size[1]:
        return [f"squeezed from {width} x {height} to {goal} for this model"]
    return []
