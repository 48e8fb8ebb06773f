"""Turn what a user names (a video, a folder, procedural scenes) into pictures to learn from.

`open_media` opens the same paths to look at; it lives in `kpcore.data.media`, which needs no torch.
"""

from __future__ import annotations

from pathlib import Path

from kpcore.api import STILL, Window
from kpcore.data import frame_cache
from kpcore.data.clips import HeldOut, Split
from kpcore.data.image_folder import FrameSource
from kpcore.data.media import Media, open_media
from kpcore.data.procedural import EPOCH, SceneImages
from kpcore.data.procedural_clips import SceneClips
from kpcore.data.public import PUBLIC, LabelledImages, known_data
from kpcore.data.source import ImageSource, Report
from kpcore.data.synthetic import are_scenes
from kpcore.errors import DataError
from kpcore.geometry.framing import FramingRule

__all__ = ["HeldOut", "Media", "Split", "open_media", "open_source"]


def open_source(
    spec: str,
    size: tuple[int, int],
    *,
    split: Split = "train",
    held_out: HeldOut = 0.1,
    stride: int = 1,
    framing: FramingRule | None = None,
    window: Window = STILL,
    seed: int = 0,
    epoch: int = EPOCH,
    pool: int = 0,
    cache: Path | None = None,
    progress: Report | None = None,
) -> ImageSource:
    """Return the pictures called `spec`, at `size` (H, W).

    Args:
        spec: Path of a video, of an image or of a folder of them; the name of procedural scenes,
            with ":FOLDER" where they show files from there; or NAME:PATH of a public data set.
        size: (H, W) of the model.
        split: "train", or "held-out" for what training never sees.
        held_out: Clips kept out of training: how many, what fraction, or their names; of a single
            clip, frames at its end. Procedural scenes have an endless part of their own.
        stride: Every how many frames one is used.
        framing: How source pictures become the model's; None means the middle crop.
        window: Frames of one clip that are wanted together.
        seed: Of procedural scenes.
        epoch: Pictures in a nominal pass over procedural scenes.
        pool: Make so many procedural pictures at once and repeat them; 0 makes each when asked.
        cache: Folder for frames at the model's size; None means the user's cache folder.
        progress: Told how many pictures are ready, of how many.

    Raises:
        DataError: Nothing of that name, it cannot be read, or no clip is as long as the window,
            as in sets of single pictures where that is several frames.
        InputError: An option is out of range.
    """
    if Path(spec).exists():
        return FrameSource(
            spec,
            size,
            split=split,
            held_out=held_out,
            stride=stride,
            framing=framing,
            window=window,
            cache=cache or frame_cache.default_folder(),
            progress=progress,
        )
    if are_scenes(spec) and window != STILL:
        return SceneClips(
            spec, size, window, split=split, seed=seed, epoch=epoch, pool=pool, progress=progress
        )
    if are_scenes(spec):
        return SceneImages(
            spec, size, split=split, seed=seed, epoch=epoch, pool=pool, progress=progress
        )
    if spec.partition(":")[0] in PUBLIC:
        return LabelledImages(
            spec, size, split=split, stride=stride, framing=framing, window=window
        )
    if ":" not in spec and (Path(spec).suffix or len(Path(spec).parts) > 1):
        raise DataError(
            f"there is no file or folder '{spec}'; give the path of a video or of a folder of "
            f"images or videos, or the name of a data set (one that is unknown lists all)"
        )
    raise DataError(
        f"there is no data '{spec}'; give the path of a video or of a folder of images or videos, "
        f"{known_data(spec)}"
    )
