"""Clips together with the particles that a frozen model finds in them, encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from kpcore.api import KeypointModel, Window
from kpcore.checkpoint import fingerprint
from kpcore.data import latent_cache
from kpcore.data.source import DataDescription, FrameRows, ImageSource, Report
from kpcore.latents import Latents

_BATCH = 32


class EncodedSource:
    """A source whose windows have latents; an `ImageSource`.

    All frames are encoded at the start, or read from the cache folder.
    """

    def __init__(
        self,
        source: ImageSource,
        rows: FrameRows,
        model: KeypointModel,
        folder: Path | None = None,
        progress: Report | None = None,
    ) -> None:
        """Encode what is not in the cache.

        Args:
            source: Of the windows.
            rows: The same source, which can number its frames.
            model: In eval mode; it is not changed.
            folder: Cache; None means the user's.
            progress: Told of the frames that are ready.
        """
        self._source, self._rows = source, rows
        folder = folder or latent_cache.default_folder()
        mark = fingerprint(model)
        total = sum(count for _, count in rows.clips)
        sample = self._encoded(model, range(1))
        self._topology = sample.topology
        parts: list[dict[str, Tensor]] = []
        first = 0
        for key, count in rows.clips:
            shapes = {n: (count, *value.shape[1:]) for n, value in sample.named().items()}
            file = folder / latent_cache.cache_name(mark, key)
            kept = latent_cache.recall(file, shapes)
            if kept is None:
                fresh = self._encoded(model, range(first, first + count)).named()
                latent_cache.keep(file, {name: value.numpy() for name, value in fresh.items()})
            else:
                fresh = {name: torch.from_numpy(value) for name, value in kept.items()}
            parts.append(fresh)
            first += count
            if progress is not None:
                progress(first, total)
        self._values = {name: torch.cat([part[name] for part in parts]) for name in sample.named()}

    @torch.no_grad()
    def _encoded(self, model: KeypointModel, rows: range) -> Latents:
        device = next(model.parameters()).device
        found: list[Latents] = []
        for at in range(rows.start, rows.stop, _BATCH):
            pictures = self._rows.pictures(range(at, min(at + _BATCH, rows.stop)))
            image = pictures.to(device).float() / 255.0
            found.append(model.encode(image).latents.to("cpu"))
        return Latents.stack(found)

    @property
    def description(self) -> DataDescription:
        """What the source is."""
        return self._source.description

    @property
    def window(self) -> Window:
        """Which frames lie in a window."""
        return self._source.window

    def __len__(self) -> int:
        return len(self._source)

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "B 3 H W"]:
        """Return the first frame of each window."""
        return self._source.images(indices)

    def windows(self, indices: Sequence[int]) -> UInt8[Tensor, "B T 3 H W"]:
        """Return all frames of each window."""
        return self._source.windows(indices)

    def references(
        self, indices: Sequence[int], draw: tuple[int, int]
    ) -> UInt8[Tensor, "B 3 H W"] | None:
        """Return another frame near each window's first."""
        return self._source.references(indices, draw)

    def latents(self, indices: Sequence[int]) -> Latents:
        """Return the particles of all frames of each window, (B, T, ...)."""
        rows = torch.tensor(self._rows.rows(indices))
        return Latents(
            topology=self._topology, **{name: value[rows] for name, value in self._values.items()}
        )


def encoded(
    source: ImageSource, model: KeypointModel, progress: Report | None = None
) -> ImageSource:
    """Return the source with latents; itself where it is endless, to be encoded step by step."""
    if not isinstance(source, FrameRows) or not source.clips:
        return source
    return EncodedSource(source, source, model, progress=progress)
