"""Owns the model, its device and the open media; called by the worker thread only."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kpcore.allocation import keep_freed_memory
from kpcore.errors import CapabilityError
from kpstudio.services.compositor import Compositor
from kpstudio.services.decoded import Bytes, Decoded, Frame, overlays_of
from kpstudio.services.framings import framing_of, what_is_seen
from kpstudio.services.linking import Linker
from kpstudio.services.loading import load, warm_up
from kpstudio.services.picture_reader import PictureReader
from kpstudio.services.pixels import difference, finished
from kpstudio.services.reference import dressed, unpacked
from kpstudio.session.document import MediaInfo, ModelInfo
from kpstudio.session.evidence import Evidence
from kpstudio.session.pictures import Wanted
from kpstudio.session.reference_edits import Reference

if TYPE_CHECKING:
    from torch import Tensor

    from kpcore.api import Decoder, Encoding, KeypointModel
    from kpcore.data.labelled import LabelledPictures
    from kpcore.data.media import Media
    from kpcore.geometry.framing import Framing, FramingRule
    from kpcore.latents import Latents

logger = logging.getLogger(__name__)

UNFRAMED_SIDE = 1024
"""Longest side of the picture shown while no model says at what size it works."""


class ModelHost:
    """Loads, encodes and decodes; knows nothing of the session and of other threads.

    Attributes:
        usual: Particles that the open model was trained to find.
        prototypes: Kinds that its particles come in; 0 where they keep their rows.
    """

    def __init__(self) -> None:
        self._model: KeypointModel | None = None
        self._media: Media | None = None
        self._model_key = 0
        self._media_key = 0
        self.usual = self.prototypes = 0
        self._drafts = False
        self._rule: FramingRule | None = None
        self._decoder: tuple[Encoding, Decoder] | None = None
        self._compositor: Compositor | None = None
        self._borrowed: tuple[Encoding, Reference, Encoding] | None = None
        self._readers: list[PictureReader] = []
        self._warned: set[str] = set()

    # -- opening ---------------------------------------------------------------------------------
    @staticmethod
    def import_torch() -> list[str]:
        """Import what models stand on and return the devices that torch can use."""
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        keep_freed_memory()
        import torch

        import kpcore.checkpoint  # noqa: F401  (so that the first open need not wait for it)

        devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        if torch.backends.mps.is_available():
            devices.append("mps")
        return devices

    @property
    def device(self) -> str:
        """Where the model runs."""
        if self._model is None:
            return "cpu"
        return str(next(self._model.parameters()).device)

    def open(
        self, model_path: str | None, source: str | Media | None, device: str = "auto"
    ) -> tuple[ModelInfo | None, MediaInfo | None]:
        """Open a checkpoint, media, or both; on failure what was open stays open.

        Args:
            model_path: Of a checkpoint.
            source: Path of media, or media that are read already (a saved session's pictures).
            device: For the model.

        Raises:
            KpError: One of them cannot be opened.
        """
        from kpstudio.services.picture_media import open_source

        media = open_source(source) if isinstance(source, str) else source
        try:
            loaded = None if model_path is None else load(model_path, device)
        except BaseException:
            if media is not None:
                media.close()
            raise
        return (
            None if loaded is None or model_path is None else self._use_model(*loaded, model_path),
            None if media is None else self._use_media(media),
        )

    def _use_model(self, model: KeypointModel, drafts: bool, path: str) -> ModelInfo:
        from kpcore.configuration import from_plain
        from kpcore.geometry.framing import FramingRule
        from kpcore.registry import get

        manifest, can = model.manifest, model.capabilities
        if can.most_particles > can.particles:
            model.set_count(can.most_particles)
        self._rule = from_plain(FramingRule, manifest.data.get("framing") or {})
        self._model, self._decoder, self._compositor = model, None, None
        self._drafts = drafts
        self._model_key += 1
        self.usual, self.prototypes = can.particles, can.prototypes
        return ModelInfo(
            key=self._model_key,
            path=path,
            title=Path(path).stem,
            family=get(manifest.family).title,
            capabilities=can,
            step=manifest.step,
            parameters=sum(weight.numel() for weight in model.parameters()),
            device=self.device,
            facts={**manifest.card, "data": manifest.data},
            codebook=_codebook(model),
        )

    def _use_media(self, media: Media) -> MediaInfo:
        if self._media is not None:
            self._media.close()
        self._media = media
        self._readers.clear()
        self._media_key += 1
        height, width = media.size
        return MediaInfo(
            self._media_key,
            str(media.path),
            media.name,
            media.kind,
            media.count,
            media.fps,
            (width, height),
            uneven(media.times, media.fps),
        )

    def opening_note(self) -> str:
        """Return one sentence on what was converted or is not seen of the media; may be empty."""
        if self._media is None:
            return ""
        notes = list(self._media.notes)
        if self._model is not None and self._rule is not None:
            size = self._model.capabilities.image_size
            notes += what_is_seen(framing_of(self._media.size, self._rule, size))
        return f"'{self._media.name}': {'; '.join(notes)}" if notes else ""

    def move_to(self, device: str) -> None:
        """Move the open model.

        Raises:
            DeviceError: The device is absent.
        """
        from kpcore.checkpoint import find_device

        found = find_device(device)
        if self._model is not None:
            self._model.to(found)
            self._decoder = None
            self._drafts = warm_up(self._model)

    # -- looking ---------------------------------------------------------------------------------
    def is_open(self, model: int, media: int) -> bool:
        """Return whether these are still the open model and media."""
        return (model, media) == (self._model_key, self._media_key)

    def predictor(self) -> KeypointModel:
        """Return the open model for a roll-out.

        Raises:
            CapabilityError: Nothing is open.
        """
        return self._opened()[0]

    def framed(self, frame: int) -> tuple[Bytes, Framing, Bytes]:
        """Return a frame as the model sees it, how it was framed, and the frame in its own size.

        Any thread may call this: media are shared safely and the rest is only read.

        Raises:
            KpError: Nothing is open, or the frame cannot be read.
        """
        from kpcore.data.resample import apply_framing

        model, media, rule = self._opened()
        source = media.frame(frame)
        size = model.capabilities.image_size
        framing = framing_of((source.shape[0], source.shape[1]), rule, size)
        return np.array(apply_framing(framing, source)), framing, source

    def picture_reader(self, cache_bytes: int) -> PictureReader:
        """Return a reader of the open media for another thread.

        Frames come as the open model sees them, or within `UNFRAMED_SIDE` while there is none.

        Raises:
            CapabilityError: No media is open.
        """
        from kpcore.data.resample import apply_framing, resize

        if self._media is None:
            raise CapabilityError("open an image, folder or video first")
        if self._model is None or self._rule is None:

            def prepare(source: Bytes) -> Bytes:
                height, width = source.shape[:2]
                scale = min(1.0, UNFRAMED_SIDE / max(height, width))
                return resize(source, (round(height * scale) or 1, round(width * scale) or 1))
        else:
            rule, size = self._rule, self._model.capabilities.image_size

            def prepare(source: Bytes) -> Bytes:
                framing = framing_of((source.shape[0], source.shape[1]), rule, size)
                return np.array(apply_framing(framing, source))

        reader = PictureReader(self._media, prepare, cache_bytes)
        self._readers.append(reader)
        return reader

    def linker(self) -> Linker | None:
        """Return what links the frames of the open media; None while not both are open."""
        if self._model is None or self._media is None:
            return None
        return Linker(self._media.frame_name, self._model.capabilities.ordered)

    def new_warnings(self) -> list[str]:
        """Return what was found to be odd about the open media since last asked."""
        found = [text for reader in self._readers for text in reader.warnings]
        fresh = [text for text in dict.fromkeys(found) if text not in self._warned]
        self._warned.update(fresh)
        return fresh

    def encode_all(self, pictures: Sequence[Bytes]) -> list[Encoding]:
        """Return the particles of pictures that have the model's size, each a batch of one.

        Raises:
            CapabilityError: Nothing is open.
        """
        from kpstudio.services.batches import encode_all

        return encode_all(self._opened()[0], pictures)

    def reconstruct_all(self, encodings: Sequence[Encoding]) -> list[Bytes]:
        """Return the reconstruction of each encoding, (H, W, 3)."""
        from kpstudio.services.batches import reconstruct_all

        trained = [replace(encoding, latents=self._trained(encoding)) for encoding in encodings]
        return reconstruct_all(self._opened()[0], trained)

    def encode(
        self, frame: int, known: Encoding | None = None, picture: Bytes | None = None
    ) -> Frame:
        """Return a frame as the model sees it, with its particles and reconstruction.

        Args:
            frame: Of the open media.
            known: The frame's particles, when it was encoded before.
            picture: The frame as the model sees it, when it was read before.

        Raises:
            KpError: The frame cannot be read, or the model gave no numbers.
        """
        import torch

        model = self._opened()[0]
        if picture is None:
            picture = self.framed(frame)[0]
        encoding = known
        if encoding is None:
            with torch.inference_mode():
                encoding = model.encode(self._image(picture)).to("cpu")
            if not torch.isfinite(encoding.latents.position).all():
                raise CapabilityError(
                    f"the model found particles of frame {frame + 1} at NaN; its weights are "
                    f"damaged or the picture is far from what it learned: open another checkpoint"
                )
        return Frame(picture, encoding, self._decode(encoding, self._trained(encoding), None))

    def _trained(self, encoding: Encoding) -> Latents:
        """Return as many particles of an encoding as the model was trained to find."""
        latents = encoding.latents
        return latents if latents.count <= self.usual else latents.select(range(self.usual))

    def decode(self, wanted: Wanted, reconstruction: Bytes | None) -> Decoded:
        """Return the picture of edited particles; within a gesture a draft, where that is faster.

        Raises:
            KpError: The model gave no numbers.
        """
        from kpcore.drafting import drafting

        encoding, latents = wanted.encoding, wanted.latents
        if wanted.reference is not None:
            encoding = self._lent(wanted, wanted.reference)
            latents = dressed(wanted.latents, wanted.encoding.latents, encoding.latents)
        if wanted.final or not self._drafts:
            return self._decode(encoding, latents, reconstruction)
        with drafting():
            draft = self._decode(encoding, latents, reconstruction)
        return replace(draft, tier="draft")

    def evidence(self, frame: int) -> Evidence:
        """Return what the open model's encoder sees of a frame.

        Raises:
            KpError: Nothing is open, or the frame cannot be read.
        """
        import torch

        with torch.inference_mode():
            seen = self._opened()[0].evidence(self._image(self.framed(frame)[0]))
        maps, count = seen.confidence, seen.count
        return Evidence(
            frame,
            None if maps is None else maps[0].clamp(0, 1).mul(255).round().byte().cpu().numpy(),
            () if count is None else tuple(count[0].tolist()),
        )

    def frame_names(self, most: int) -> list[str]:
        """Return the file, without folders, that each of the first frames comes from."""
        media = self._opened()[1]
        names = (media.frame_name(frame) for frame in range(min(most, media.count)))
        return [Path(name).name for name in names]

    def labelled(
        self, pictures: LabelledPictures, row: int
    ) -> tuple[Bytes, NDArray[np.floating] | None]:
        """Return a labelled picture as the open model sees it, and its landmarks (T, 2) there.

        Raises:
            KpError: It cannot be read, or no model is open.
        """
        from kpcore.data.labelled import framed
        from kpcore.geometry.framing import FramingRule

        model, _, rule = self._opened()
        size = model.capabilities.image_size
        height, width = pictures.picture(row).shape[:2]
        whole = FramingRule() if (height, width) == size else rule
        picture, labels = framed(pictures, row, size, whole)
        return picture, labels.landmarks

    def picture_at(self, path: str) -> Bytes:
        """Return a picture, or the first frame of a video, as the open model sees it.

        Raises:
            KpError: It cannot be read, or no model is open.
        """
        from kpcore.data.resample import apply_framing
        from kpstudio.services.picture_media import open_source

        if self._model is None or self._rule is None:
            raise CapabilityError("open a checkpoint first")
        media = open_source(path)
        try:
            source = media.frame(0)
        finally:
            media.close()
        size = self._model.capabilities.image_size
        framing = framing_of((source.shape[0], source.shape[1]), self._rule, size)
        return np.array(apply_framing(framing, source))

    def _lent(self, wanted: Wanted, reference: Reference) -> Encoding:
        """Return the encoding of a frame with the appearance of another picture."""
        import torch

        if self._borrowed is not None:
            encoding, held, made = self._borrowed
            if encoding is wanted.encoding and held == reference:
                return made
        model, own = self._opened()[0], wanted.encoding
        other = self._image(unpacked(reference.picture))
        with torch.inference_mode():
            if model.capabilities.needs_reference:
                image = self._image(self.framed(wanted.frame)[0])
                made = replace(own, context=model.encode(image, other).to("cpu").context)
            else:
                theirs = model.encode(other).to("cpu").latents
                made = replace(own, latents=dressed(own.latents, own.latents, theirs))
        self._borrowed = wanted.encoding, reference, made
        return made

    def _image(self, picture: Bytes) -> Tensor:
        """Return a picture as the model takes it, (1, 3, H, W) in 0..1."""
        import torch

        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float().div(255.0)
        return image.to(self.device)

    def _opened(self) -> tuple[KeypointModel, Media, FramingRule]:
        if self._model is None or self._media is None or self._rule is None:
            raise CapabilityError("open a checkpoint and an image, folder or video first")
        return self._model, self._media, self._rule

    def _decode(
        self, encoding: Encoding, latents: Latents, reconstruction: Bytes | None
    ) -> Decoded:
        import torch

        model = self._opened()[0]
        started = time.perf_counter()
        with torch.inference_mode():
            if self._decoder is None or self._decoder[0] is not encoding:
                self._decoder = encoding, model.decoder_for(encoding.to(self.device))
            decoding = self._decoder[1](latents.to(self.device))
            pixels = finished(decoding.image)
        if pixels is None:
            raise CapabilityError(
                "the model's picture holds NaN, so the last good one stays; take the edit "
                "back, or open another checkpoint"
            )
        took = (time.perf_counter() - started) * 1000.0
        identity = encoding.latents.topology.identity
        compositor, extras = overlays_of(decoding, latents, identity, pixels, self._compositor)
        self._compositor = compositor
        changed = None if reconstruction is None else difference(pixels, reconstruction)
        return Decoded(pixels, changed, extras, compositor, took)

    def fall_back_to_cpu(self) -> str | None:
        """Move the model to the CPU after its device ran out of memory.

        Returns:
            The device it left, or None when it was on the CPU already.
        """
        import torch

        left = self.device
        if self._model is None or left == "cpu":
            return None
        self._model.to("cpu")
        self._decoder = None
        self._drafts = False
        if left.startswith("cuda"):
            torch.cuda.empty_cache()
        return left


def _codebook(model: KeypointModel) -> tuple[tuple[float, ...], ...]:
    found = model.codebook
    return () if found is None else tuple(tuple(row) for row in found.tolist())


def uneven(times: tuple[float, ...], fps: float | None) -> tuple[float, ...]:
    """Return the times of frames where they stray from an even rate by over a tenth of a frame."""
    if fps is None:
        return ()
    strays = any(abs(time * fps - index) > 0.1 for index, time in enumerate(times))
    return times if strays else ()
