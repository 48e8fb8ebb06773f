"""Clips to judge prediction on: procedural ones with true tracks, or whole held-out videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kpcore.data.clips import Clip, ClipReader, find_clips
from kpcore.data.resample import apply_framing
from kpcore.data.synthetic import SCENES
from kpcore.data.synthetic.scene import SceneClip
from kpcore.errors import DataError, InputError, nearest
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
        InputError: No such scene.
    """
    if scene not in SCENES:
        raise InputError(
            f"there is no scene '{scene}'; known: {', '.join(SCENES)}.{nearest(scene, SCENES)}"
        )
    for index in range(count):
        clip = SCENES[scene].clip(seed, index, size, frames)
        quantised = np.round(clip.image * 255.0).astype(np.float32) / 255.0
        yield Episode(torch.from_numpy(quantised), f"{scene} {index}", clip)


def video_episodes(
    path: str | Path,
    names: Sequence[str],
    size: tuple[int, int],
    frames: int,
    count: int,
    *,
    framing: FramingRule | None = None,
    stride: int = 1,
) -> Iterator[Episode]:
    """Yield up to `count` runs of frames, spread evenly over whole videos; none overlap.

    Args:
        path: A video, or a folder of them.
        names: Which clips of the folder; empty for all.
        size: (H, W) of the model.
        frames: In each run.
        count: Runs in all.
        framing: How source pictures become the model's; None means the middle crop.
        stride: Every how many frames one is used.

    Raises:
        DataError: The videos cannot be read, a name is not there, or none is long enough.
    """
    clips = [clip for clip in find_clips(path) if not names or clip.name in names]
    missing = set(names) - {clip.name for clip in clips}
    if missing:
        raise DataError(
            f"'{path}' has no clip '{min(missing)}', which is held out; give the folder that the "
            f"checkpoint was trained on"
        )
    places = [
        (clip, start)
        for clip in clips
        for start in range(0, _length(clip) - (frames - 1) * stride, frames * stride)
    ]
    if not places:
        raise DataError(
            f"no clip of '{path}' has {(frames - 1) * stride + 1} frames; ask for fewer steps"
        )
    chosen = sorted({round(i) for i in np.linspace(0, len(places) - 1, min(count, len(places)))})
    rule = framing or FramingRule()
    for clip, start in (places[index] for index in chosen):
        reader = ClipReader(clip, decoder_threads=1)
        try:
            rows = [reader.frame(start + row * stride) for row in range(frames)]
        finally:
            reader.close()
        shown = [apply_framing(rule.resolve(row.shape[:2], size), row) for row in rows]
        image = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float() / 255.0
        yield Episode(image.contiguous(), f"{clip.name} from {start}")


def _length(clip: Clip) -> int:
    reader = ClipReader(clip, decoder_threads=1)
    try:
        return len(reader)
    finally:
        reader.close()
