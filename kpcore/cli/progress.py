"""What `kp train` shows while it works: a bar in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from kpcore.training import events

if TYPE_CHECKING:
    from kpcore.training.trainer import Job

_LINE_EVERY_S = 10.0


class _Bars(Bars):
    """Bars with the loss terms on lines of their own beneath."""

    figures = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if self.figures:
            yield Text(self.figures, style="dim")


class Progress:
    """Listens to a run's events."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._bars = _Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._reading: TaskID | None = None
        self._steps, self._shown = 0, 0.0
        self._quiet = False
        self._folder = Path()

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def report(self, done: int, total: int) -> None:
        """Show how many pictures of the data are ready."""
        if self._reading is None:
            self._reading = self._bars.add_task("reading pictures", total=total)
        self._bars.update(self._reading, completed=done, total=total, visible=done < total)

    def open(self, job: Job) -> None:
        """Say what is about to be trained."""
        self._quiet = not job.accelerator.is_main_process
        self._folder = job.folder
        if self._quiet:
            return
        record = job.record
        self._steps = record.optimisation.steps
        weights = sum(weight.numel() for weight in job.model.parameters()) / 1e6
        images = job.source.description.images or "endless"
        self._say(
            f"{record.family} ({record.preset}), {weights:.2f} M weights, on "
            f"{job.accelerator.device} with {job.accelerator.num_processes} process(es), "
            f"{record.threads} thread(s), {record.precision}; {images} pictures of "
            f"{record.data.source}; run directory {job.folder}"
        )
        self._task = self._bars.add_task("training", total=self._steps)

    def tell(self, event: events.Event) -> None:
        """Show one event."""
        match event:
            case events.Resumed():
                self._say(f"going on after step {event.step} of {event.steps}")
            case events.Metrics():
                self._metrics(event)
            case events.Validation():
                self._say(
                    f"step {event.step}: held-out PSNR {event.psnr_db:.2f} dB, "
                    f"loss {event.loss:.4g} over {event.images} pictures"
                )
            case events.Warned() | events.Stopped():
                self._say(event.message)
            case events.Finished():
                path = self._folder / event.file
                self._say(f"done: {event.step} steps in {event.seconds:.0f} s, {path}")
            case _:
                pass

    def _metrics(self, event: events.Metrics) -> None:
        named = {"loss": event.loss, **event.terms, **event.monitors}
        figures = "  ".join(f"{name} {value:.4g}" for name, value in named.items())
        speed = f"{event.images_per_s:.1f} images/s"
        if self._task is not None:
            self._bars.figures = f"{speed}  {figures}"
            self._bars.update(self._task, completed=event.step)
        now = time.monotonic()
        if not self._console.is_terminal and (
            now - self._shown > _LINE_EVERY_S or event.step == self._steps
        ):
            self._shown = now
            self._say(f"step {event.step}/{self._steps}  {speed}  {figures}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(text, markup=False, soft_wrap=True)
