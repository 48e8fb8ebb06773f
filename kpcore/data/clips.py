"""What a path holds: clips, each one video file or the pictures of one folder.

A clip is what is held out as a whole, so that no model is judged on neighbours of frames that it
learned from. Free of torch.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from jaxtyping import UInt8
from numpy import ndarray

from kpcore.data import image_file, video, video_index
from kpcore.errors import DataError, InputError, nearest

Split = Literal["train", "held-out"]

HeldOut: TypeAlias = int | float | tuple[str, ...]
"""What is kept out of training: a number of clips, a fraction of them, or their names (* and ?
stand for any characters). Of a single clip: so many frames, or that fraction, at its end."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames that belong together.

    Attributes:
        name: Path below the folder that was opened, with forward slashes.
        paths: The video file, or the image files in natural order.
        kind: "video" or "stills".
    """

    name: str
    paths: tuple[Path, ...]
    kind: Literal["video", "stills"]


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key by which "frame 2" comes before "frame 10"."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts if part)


def find_clips(path: str | Path) -> tuple[Clip, ...]:
    """Return the clips of a file, or of a folder and all folders in it, in natural order.

    Raises:
        DataError: There is no such path, it cannot be listed, or it holds nothing that can be read.
    """
    path = Path(path)
    if path.is_file():
        return (Clip(path.name, (path,), _kind(path)),)
    if not path.is_dir():
        raise DataError(f"there is no file or folder '{path}'; check the path")
    clips: list[Clip] = []
    for folder, names in _walk(path):
        stills = [name for name in names if Path(name).suffix.lower() in image_file.SUFFIXES]
        if stills:
            name = folder.relative_to(path).as_posix()
            files = tuple(folder / still for still in stills)
            clips.append(Clip(path.name if name == "." else name, files, "stills"))
        for name in names:
            if Path(name).suffix.lower() in video.SUFFIXES:
                file = folder / name
                clips.append(Clip(file.relative_to(path).as_posix(), (file,), "video"))
    if not clips:
        kinds = ", ".join(s[1:] for s in (*image_file.SUFFIXES, *video.SUFFIXES))
        raise DataError(f"the folder '{path}' holds no images or videos; known kinds: {kinds}")
    return tuple(sorted(clips, key=lambda clip: natural_key(clip.name)))


def _kind(file: Path) -> Literal["video", "stills"]:
    """Tell images from videos by name, or by content where the name is not known."""
    suffix = file.suffix.lower()
    if suffix in image_file.SUFFIXES:
        return "stills"
    if suffix in video.SUFFIXES:
        return "video"
    if image_file.is_image(file):
        return "stills"
    if video_index.is_video(file):
        return "video"
    raise DataError(
        f"'{file.name}' is neither an image nor a video that can be read; open a PNG, JPEG, TIFF, "
        f"BMP or WebP image, or an MP4, MOV, MKV, WebM or AVI video"
    )


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder with its visible files in natural order."""

    def refuse(error: OSError) -> None:
        raise DataError(f"cannot list the folder '{error.filename}': {error.strerror}") from error

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_key)
        yield Path(folder), sorted((n for n in names if not n.startswith(".")), key=natural_key)


class ClipReader:
    """Reads frames of one clip; opens its video on the first use."""

    def __init__(self, clip: Clip, decoder_threads: int = 0, cache_bytes: int = 0) -> None:
        self.clip = clip
        self._threads = decoder_threads
        self._cache_bytes = cache_bytes
        self._video: video.Video | None = None

    @property
    def video(self) -> video.Video:
        """The open video of a clip of kind "video"."""
        if self._video is None:
            self._video = video.Video(self.clip.paths[0], self._cache_bytes, self._threads)
        return self._video

    def __len__(self) -> int:
        return len(self.clip.paths) if self.clip.kind == "stills" else len(self.video)

    def frame(self, index: int) -> UInt8[ndarray, "H W 3"]:
        """Return frame `index`.

        Raises:
            DataError: It cannot be read.
        """
        if self.clip.kind == "stills":
            return image_file.read_image(self.clip.paths[index]).picture
        return self.video.frame(index)

    def close(self) -> None:
        """Let go of the file."""
        if self._video is not None:
            self._video.close()
            self._video = None


class ClipReaders:
    """Readers of some clips, of which the few used last stay open; not for several threads."""

    def __init__(self, clips: Sequence[Clip], most: int, cache_bytes: int = 0) -> None:
        self._clips, self._most, self._cache_bytes = clips, most, cache_bytes
        self._open: OrderedDict[int, ClipReader] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __getitem__(self, number: int) -> ClipReader:
        reader = self._open.pop(number, None)
        if reader is None:
            reader = ClipReader(self._clips[number], cache_bytes=self._cache_bytes)
        self._open[number] = reader
        while len(self._open) > self._most:
            self._open.popitem(last=False)[1].close()
        return reader

    def close(self) -> None:
        """Let go of all files."""
        while self._open:
            self._open.popitem()[1].close()


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a clip's rows (its frames, every n-th where a stride is set) a split has."""

    clip: int
    rows: range


def split_parts(
    clips: Sequence[Clip], rows: Sequence[int], split: Split, held_out: HeldOut
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Return the rows of each clip that belong to `split`, and the names of what is held out.

    Several clips are held out whole, chosen by a hash of their names, so that the same are chosen
    on every machine and adding clips seldom changes the choice. A single clip gives its last rows.

    Raises:
        InputError: `held_out` is negative or more than there is, or no clip has such a name.
        DataError: The split is empty.
    """
    if split not in ("train", "held-out"):
        raise InputError(f"split '{split}' is not known; use train or held-out")
    if isinstance(held_out, tuple) or len(clips) > 1:
        out = _named(clips, held_out) if isinstance(held_out, tuple) else _hashed(clips, held_out)
        names = tuple(clips[i].name for i in sorted(out))
        parts = tuple(
            Part(i, range(rows[i]))
            for i in range(len(clips))
            if (i in out) == (split == "held-out")
        )
    else:
        count = _how_many(held_out, rows[0], "frames")
        first = rows[0] - count
        names = (f"{clips[0].name}: last {count} of {rows[0]} frames",) if count else ()
        kept = range(first) if split == "train" else range(first, rows[0])
        parts = (Part(0, kept),) if kept else ()
    if not parts:
        raise DataError(
            f"the {split} part is empty: {len(names)} of {len(clips)} clips are held out by "
            f"{held_out!r}; choose another number, fraction or name to hold out"
        )
    return parts, names


def _how_many(held_out: float, count: int, what: str) -> int:
    """Number held out of `count`, at least one for a fraction above 0 where that leaves one."""
    if isinstance(held_out, int):
        if not 0 <= held_out <= count:
            raise InputError(f"cannot hold out {held_out} of {count} {what}; use 0 to {count}")
        return held_out
    if not 0.0 <= held_out < 1.0:
        raise InputError(f"cannot hold out a fraction of {held_out:g}; use 0 up to below 1")
    return min(count - 1, max(1, round(count * held_out))) if held_out else 0


def _hashed(clips: Sequence[Clip], held_out: float) -> set[int]:
    order = sorted(
        range(len(clips)), key=lambda i: hashlib.sha256(clips[i].name.encode()).hexdigest()
    )
    return set(order[: _how_many(held_out, len(clips), "clips")])


def _named(clips: Sequence[Clip], patterns: tuple[str, ...]) -> set[int]:
    names = [clip.name for clip in clips]
    out: set[int] = set()
    for pattern in patterns:
        found = {i for i, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)}
        if not found:
            raise InputError(
                f"no clip is called '{pattern}', so it cannot be held out.{nearest(pattern, names)}"
            )
        out |= found
    return out
