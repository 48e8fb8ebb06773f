"""Clips to judge prediction on: procedural ones with true tracks, or whole held-out videos."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.data.clips import Clip, ClipReader, HeldOut, Part, find_clips, split_parts
from kpcore.data.resample import apply_framing
from kpcore.data.synthetic import find_scenes
from kpcore.data.synthetic.scene import SceneClip
from kpcore.errors import DataError
from kpcore.geometry.framing import FramingRule

TEST_SEED = 1_000_003
"""Stream of scenes to measure on; no training run uses it unless it is asked to."""


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """Successive frames of one clip.

    Attributes:
        frames: In [0, 1].
        name: Of the clip and its first frame, for people.
        truth: The objects, where they are known.
    """

    frames: Float[Tensor, "T 3 H W"]
    name: str
    truth: SceneClip | None = None


def procedural_episodes(
    scene: str, size: int, frames: int, count: int, seed: int = TEST_SEED
) -> Iterator[Episode]:
    """Yield the first `count` clips of a stream of scenes.

    Raises:
        DataError: No such scenes, or their files are missing.
    """
    source = find_scenes(scene)
    for index in range(count):
        clip = source.clip(seed, index, size, frames)
        quantised = np.round(clip.image * 255.0).astype(np.float32) / 255.0
        yield Episode(torch.from_numpy(quantised), f"{scene} {index}", clip)


def video_episodes(
    path: str | Path,
    size: tuple[int, int],
    frames: int,
    count: int,
    *,
    held_out: HeldOut | None = None,
    framing: FramingRule | None = None,
    stride: int = 1,
) -> Iterator[Episode]:
    """Yield up to `count` runs of frames, spread evenly over videos; none overlap or leave a clip.

    Args:
        path: A video, or a folder of videos or of folders of pictures.
        size: (H, W) of the model.
        frames: In each run.
        count: Runs in all.
        held_out: What training did not see, as it was told; only that is used. None uses all.
        framing: How source pictures become the model's; None means the middle crop.
        stride: Every how many frames one is used.

    Raises:
        DataError: The videos cannot be read, or no part is long enough.
        InputError: No clip has a name that is held out.
    """
    clips = find_clips(path)
    rows = [-(-_length(clip) // stride) for clip in clips]
    parts = tuple(Part(number, range(length)) for number, length in enumerate(rows))
    if held_out is not None:
        parts, _ = split_parts(clips, rows, "held-out", held_out)
    places = [
        (clips[part.clip], start)
        for part in parts
        for start in range(part.rows.start, part.rows.stop - frames + 1, frames)
    ]
    if not places:
        longest = max(len(part.rows) for part in parts)
        raise DataError(
            f"runs of {frames} frames were asked for; the longest part of '{path}' has {longest} "
            f"at a stride of {stride}; ask for fewer steps"
        )
    chosen = sorted({round(i) for i in np.linspace(0, len(places) - 1, min(count, len(places)))})
    rule = framing or FramingRule()
    for clip, start in (places[index] for index in chosen):
        reader = ClipReader(clip, decoder_threads=1)
        try:
            seen = [reader.frame((start + row) * stride) for row in range(frames)]
        finally:
            reader.close()
        shown = [apply_framing(rule.resolve(one.shape[:2], size), one) for one in seen]
        image = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float() / 255.0
        yield Episode(image.contiguous(), f"{clip.name} from {start * stride}")


def stride_of(description: Mapping[str, Any]) -> int:
    """Return every how many frames a training used one.

    Args:
        description: Of the training's data, as its checkpoint has it.
    """
    return int((description.get("options") or {}).get("stride") or 1)


def held_out_of(path: str | Path, description: Mapping[str, Any]) -> HeldOut | None:
    """Return what of `path` a training held out, if these are the clips that it learned from.

    They are when every clip that it held out is among them, wherever the folder lies.

    Args:
        path: A video, or a folder of them.
        description: Of the training's data, as its checkpoint has it.

    Raises:
        DataError: There is nothing to read at `path`.
    """
    told = tuple(str(name) for name in description.get("held_out") or ())
    if not told:
        return None
    known = {clip.name for clip in find_clips(path)}
    last = re.fullmatch(r"(.*): last (\d+) of \d+ frames", told[0])
    if len(told) == 1 and last:
        return int(last.group(2)) if {last.group(1)} == known else None
    return told if known.issuperset(told) else None


def _length(clip: Clip) -> int:
    reader = ClipReader(clip, decoder_threads=1)
    try:
        return len(reader)
    finally:
        reader.close()
