"""`kp rollout`: predict how a video goes on, and write it as a video."""

from __future__ import annotations

import math
import signal
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.progress import Progress
from tyro.conf import Positional

from kpcore import checkpoint
from kpcore.cli.encode import framing_rule
from kpcore.errors import CapabilityError, DataError, DeviceError, InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from kpcore.api import Context, Encoding, KeypointModel, VideoPredictor
    from kpcore.data.media import Media
    from kpcore.data.video_writer import VideoWriter
    from kpcore.latents import Latents

_GAP = 2
_PRESENT = 0.5
_LARGEST = 8192
"""Longest side of a video, in pixels."""
_AT_ONCE = 32
"""Futures decoded together."""
_FPS = 12.0
"""Of what is written from a folder of pictures, which has no rate of its own."""


def _arg(metavar: str, **more: Any) -> Any:
    return tyro.conf.arg(metavar=metavar, **more)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Predict the next frames of a video with a video predictor, and write them as a video.

    - kp rollout predictor.safetensors traffic.mp4 --from 40 --steps 100 -o future.mp4
    - kp rollout predictor.safetensors traffic.mp4 --from 40 --beside -o compare.mp4
    - kp rollout predictor.safetensors traffic.mp4 --from 40 --futures 9 --seed 1 -o nine.mp4

    Frames are written as they are computed. Ctrl-C ends the roll-out; then no file is left.

    Attributes:
        checkpoint: A predictor's .safetensors file, written by 'kp train dlp-gcn'.
        video: Video, or folder with the frames of one.
        out: The video to write: .mp4, .mov or .mkv.
        start: Number of the last frame that is given, from 0; the first predicted one comes after
            it. The predictor also sees the frame before.
        steps: Frames to predict.
        beside: Write truth, left, and prediction, right; where the video has ended, the truth is
            black.
        futures: Draw so many futures from the particles' posterior, and show them in a grid; the
            first is the likeliest. Their spread is printed.
        seed: Of the draws.
        spread: Also write the spread of every particle at every step into this .csv file.
        stride: Use every n-th frame of the video.
        scale: Enlarge the pictures so many times, in whole pixels.
        device: cpu, cuda, cuda:N, mps or auto.
    """

    checkpoint: Positional[Annotated[Path, _arg("CHECKPOINT")]]
    video: Positional[Annotated[Path, _arg("VIDEO")]]
    out: Annotated[Path, _arg("OUT", aliases=["-o"])]
    start: Annotated[int, _arg("FRAME", name="from")]
    steps: Annotated[int, _arg("N")] = 100
    beside: bool = False
    futures: Annotated[int, _arg("N")] = 1
    seed: Annotated[int, _arg("N")] = 0
    spread: Annotated[Path | None, _arg("FILE.csv")] = None
    stride: Annotated[int, _arg("N", help_behavior_hint="(default: that of the training)")] = 0
    scale: Annotated[int, _arg("N")] = 1
    device: str = "auto"

    def run(self) -> int:
        """Predict and write; return the exit status."""
        self._check()
        from kpcore.data.media import open_media
        from kpcore.data.video_writer import VideoWriter
        from kpcore.training.interruption import Interruption

        model = checkpoint.load(self.checkpoint, self.device)
        predictor = _predictor(model, self.checkpoint)
        media = open_media(self.video)
        stride = self.stride or _trained_stride(model)
        numbers = _given(media, self.start, predictor.history, stride)
        pictures = _Pictures(model, media)
        past = [model.encode(pictures.image(number)) for number in numbers]
        fps = (media.fps or _FPS) / stride
        told = Console(highlight=False, soft_wrap=True)
        spreads: list[dict[int, float]] = []
        size = self._size(model.capabilities.image_size)
        if max(size) > _LARGEST:
            raise InputError(
                f"{self.futures} future(s) at scale {self.scale} make a video of {size[1]} x "
                f"{size[0]} pixels; use fewer --futures or a smaller --scale, for at most "
                f"{_LARGEST} pixels a side"
            )
        with (
            VideoWriter(self.out, size, fps) as writer,
            Interruption() as interruption,
            closing(_rolled(predictor, past, self.steps, self.futures, self.seed)) as frames,
            _bar() as bar,
        ):
            task = bar.add_task("predicting", total=self.steps)
            for step, (latents, pictured) in enumerate(frames, 1):
                truth = pictures.truth(self.start + step * stride) if self.beside else None
                writer.write(self._page(pictured, truth))
                if self.futures > 1:
                    spreads.append(_spread_px(latents, size=model.capabilities.image_size))
                bar.update(task, completed=step)
                if interruption.signal is not None and step < self.steps:
                    writer.discard()
                    told.print(
                        f"stopped by {interruption.name} after {step} of {self.steps} frames; "
                        f"'{self.out}' was not written",
                        markup=False,
                    )
                    return 128 + (interruption.signal or signal.SIGINT)
        media.close()
        self._tell(told, media, numbers, writer, spreads)
        return 0

    def _check(self) -> None:
        least = {"start": 0, "steps": 1, "futures": 1, "seed": 0, "stride": 0, "scale": 1}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                shown = "from" if name == "start" else name
                raise InputError(f"--{shown} is {getattr(self, name)}; use {lowest} or more")
        if self.spread is not None and (self.futures < 2 or self.spread.suffix != ".csv"):
            raise InputError(
                "--spread writes a .csv file and needs at least 2 futures; give --futures"
            )
        if self.beside and self.futures > 1:
            raise InputError("--beside shows one future; leave out --futures or --beside")

    # -- pages ---------------------------------------------------------------------------------
    @property
    def _columns(self) -> int:
        return 2 if self.beside else math.ceil(math.sqrt(self.futures))

    def _size(self, image: tuple[int, int]) -> tuple[int, int]:
        """(H, W) of the written video."""
        tiles, columns = (2 if self.beside else self.futures), self._columns
        rows = math.ceil(tiles / columns)
        height, width = (side * self.scale for side in image)
        return rows * height + (rows - 1) * _GAP, columns * width + (columns - 1) * _GAP

    def _page(self, pictured: Tensor, truth: Tensor | None) -> np.ndarray:
        """All pictures of one step in a grid, uint8."""
        import numpy as np
        import torch

        tiles = pictured if truth is None else torch.cat([truth.to(pictured), pictured])
        shown = (tiles.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1)
        rows = shown.cpu().numpy().repeat(self.scale, 1).repeat(self.scale, 2)
        height, width = rows.shape[1:3]
        page = np.zeros((*self._size((height // self.scale, width // self.scale)), 3), np.uint8)
        for index, tile in enumerate(rows):
            row, column = divmod(index, self._columns)
            top, left = row * (height + _GAP), column * (width + _GAP)
            page[top : top + height, left : left + width] = tile
        return page

    # -- what is said --------------------------------------------------------------------------
    def _tell(
        self,
        told: Console,
        media: Media,
        numbers: Sequence[int],
        writer: VideoWriter,
        spreads: Sequence[dict[int, float]],
    ) -> None:
        given = ", ".join(str(number) for number in numbers)
        told.print(
            f"{writer.frames} frame(s) predicted from frames {given} of '{media.name}', written "
            f"to {self.out}",
            markup=False,
        )
        if not spreads:
            return
        means = [sum(row.values()) / max(1, len(row)) for row in spreads]
        marks = sorted({1, max(1, self.steps // 2), self.steps})
        told.print(
            f"spread of {self.futures} futures, mean over present particles: "
            + ", ".join(f"{means[step - 1]:.2f} px at step {step}" for step in marks),
            markup=False,
        )
        if self.spread is not None:
            from kpcore.files import write_atomically

            lines = [",".join(["step", *(f"particle_{number}_px" for number in spreads[0])])]
            lines += [
                ",".join([str(step), *(f"{value:.4f}" for value in row.values())])
                for step, row in enumerate(spreads, 1)
            ]
            write_atomically(self.spread, ("\n".join(lines) + "\n").encode(), DataError)


def _predictor(model: KeypointModel, path: Path) -> VideoPredictor:
    """Return the model as what it must be."""
    from kpcore.api import VideoPredictor

    if not model.capabilities.video_history or not isinstance(model, VideoPredictor):
        family = model.manifest.family if model.manifest else type(model).__name__
        raise CapabilityError(
            f"'{path.name}' is an image model ({family}), which predicts no frames; train a "
            f"predictor over it with 'kp train dlp-gcn --renderer {path} --data VIDEO'"
        )
    return model


def _trained_stride(model: KeypointModel) -> int:
    data = model.manifest.data if model.manifest else {}
    stride = data.get("options", {}).get("stride", 1)
    return stride if isinstance(stride, int) and stride > 0 else 1


def _given(media: Media, start: int, history: int, stride: int) -> list[int]:
    """Return the numbers of the frames that the predictor is given, the last one `start`."""
    first = (history - 1) * stride
    if media.count <= first:
        raise DataError(
            f"'{media.name}' has {media.count} frame(s); predicting needs {history} frames, "
            f"{stride} apart: give a video with at least {first + 1}"
        )
    if not first <= start < media.count:
        raise InputError(
            f"--from is {start}; '{media.name}' has frames 0 to {media.count - 1}, and this "
            f"predictor needs {history}, {stride} apart: use {first} to {media.count - 1}"
        )
    return list(range(start - first, start + 1, stride))


class _Pictures:
    """Frames of a video as the model sees them."""

    def __init__(self, model: KeypointModel, media: Media) -> None:
        self._media = media
        self._rule = framing_rule(model)
        self._size = model.capabilities.image_size
        self._device = next(model.parameters()).device
        self._source: tuple[int, int] | None = None

    def image(self, number: int) -> Tensor:
        """Return a frame, (1, 3, H, W) in [0, 1].

        Raises:
            DataError: It cannot be read, or has another size than the one before.
        """
        import torch

        from kpcore.data.resample import apply_framing

        picture = self._media.frame(number)
        size = (picture.shape[0], picture.shape[1])
        if self._source is not None and size != self._source:
            raise DataError(
                f"frame {number} of '{self._media.name}' has {size[1]} x {size[0]} pixels, those "
                f"before have {self._source[1]} x {self._source[0]}; give a video whose frames "
                f"have one size"
            )
        self._source = size
        seen = apply_framing(self._rule.resolve(size, self._size), picture)
        return torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].to(self._device) / 255.0

    def truth(self, number: int) -> Tensor:
        """Return a frame, or black after the last."""
        import torch

        if number < self._media.count:
            return self.image(number)
        return torch.zeros(1, 3, *self._size, device=self._device)


def _rolled(
    predictor: VideoPredictor, past: Sequence[Encoding], steps: int, futures: int, seed: int
) -> Generator[tuple[Latents, Tensor]]:
    """Yield particles and pictures, (N, ...), of each step of all futures.

    Raises:
        DeviceError: The memory does not hold so many futures.
    """
    import torch

    from kpcore.futures import drawn

    try:
        start = drawn([encoding.latents for encoding in past], futures, seed)
        context = past[-1].context
        for latents in predictor.predict(start, steps):
            yield latents, _decoded(predictor, latents, context)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and (
            "allocate memory" not in str(error)
        ):
            raise
        raise DeviceError(
            f"the memory does not hold {futures} future(s) at once; use fewer --futures"
        ) from error


def _decoded(predictor: VideoPredictor, latents: Latents, context: Context) -> Tensor:
    """Return the picture of every future; few are decoded at once."""
    import torch

    from kpcore.latents import Latents as Values

    pictures: list[Tensor] = []
    for at in range(0, len(latents.position), _AT_ONCE):
        some = {name: value[at : at + _AT_ONCE] for name, value in latents.named().items()}
        count = len(some["position"])
        own = {name: value.expand(count, *value.shape[1:]) for name, value in context.items()}
        with torch.inference_mode():
            part = Values(topology=latents.topology, **some)
            pictures.append(predictor.renderer.decode(part, own).image)
    return torch.cat(pictures)


def _spread_px(latents: Latents, size: tuple[int, int]) -> dict[int, float]:
    """Spread of every particle that is present in the likeliest future, in the model's pixels."""
    from kpcore.futures import spread

    scale = latents.position.new_tensor([size[1], size[0]]) / 2.0
    values = spread(latents.position * scale).tolist()
    shown = [True] * len(values)
    if latents.presence is not None:
        shown = (latents.presence[0] >= _PRESENT).tolist()
    return {number: value for number, value in enumerate(values) if shown[number]}


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
