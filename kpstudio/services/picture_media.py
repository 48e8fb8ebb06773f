"""Pictures that are read already, offered as media: those of a session file or a run's probe."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from kpcore.errors import DataError

if TYPE_CHECKING:
    from kpcore.data.media import Media

PROBE_FILE = "probe.npz"
"""Where a run keeps the pictures that it is watched through."""

Kind = Literal["image", "folder", "video"]


class PictureMedia:
    """Frames held in memory, some of which may be missing; a `kpcore.data.media.Media`."""

    def __init__(
        self,
        path: str | Path,
        pictures: Mapping[int, NDArray[np.uint8]],
        *,
        name: str,
        kind: Kind = "folder",
        count: int | None = None,
        fps: float | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Offer pictures under their numbers.

        Args:
            path: Of what they were taken from.
            pictures: At least one, each (H, W, 3).
            name: Shown name.
            kind: What they were taken from.
            count: Frames of that; None when all are here.
            fps: Of that, when it was a video.
            notes: For the user, when it is opened.
        """
        self.path = Path(path)
        self.kind: Kind = kind
        self.name = name
        self.count = len(pictures) if count is None else count
        self.fps = fps
        self.notes = notes
        self._pictures = dict(pictures)
        first = self._pictures[min(self._pictures)]
        self.size = (first.shape[0], first.shape[1])

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Return a frame.

        Raises:
            DataError: That one is missing.
        """
        if index not in self._pictures:
            raise DataError(
                f"frame {index + 1} of '{self.name}' is not stored in the session; put the file "
                f"back at '{self.path}' and open the session again"
            )
        return self._pictures[index]

    def frame_name(self, index: int) -> str:
        """Return the shown name of a frame."""
        return f"{self.name} {index + 1}"

    def thumbnail(self, index: int, px: int) -> NDArray[np.uint8]:
        """Return a frame reduced to fit a square of `px` pixels."""
        from kpcore.data.resample import resize

        picture = self.frame(index)
        height, width = picture.shape[:2]
        scale = min(1.0, px / max(height, width))
        return resize(picture, (max(1, round(height * scale)), max(1, round(width * scale))))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Nothing is odd about them."""
        return ()

    @property
    def times(self) -> tuple[float, ...]:
        """Not known of pictures."""
        return ()

    def again(self, cache_bytes: int | None = None) -> PictureMedia:
        """Return itself: pictures in memory are shared."""
        return self

    def close(self) -> None:
        """Nothing to let go of."""


def open_source(path: str | Path) -> Media:
    """Return the media at a path: an image, folder or video, or the probe of a run.

    Raises:
        DataError: Nothing there can be read.
    """
    path = Path(path)
    if path.name == PROBE_FILE:
        return _probe(path)
    from kpcore.data.media import open_media

    return open_media(path)


def _probe(path: Path) -> PictureMedia:
    try:
        with np.load(path, allow_pickle=False) as file:
            originals = file["originals"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"the probe pictures '{path}' cannot be read: {error}") from error
    name = f"{path.parent.parent.name} probe"
    return PictureMedia(path, dict(enumerate(originals)), name=name)
