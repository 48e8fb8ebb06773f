"""Averages losses between reports without asking the device for numbers at every step."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from accelerate import Accelerator
from torch import Tensor

from kpcore.errors import TrainingError
from kpcore.training.events import Metrics
from kpcore.training.finite import not_finite


class _Entry(NamedTuple):
    step: int
    phase: str
    terms: tuple[str, ...]
    monitors: tuple[str, ...]
    values: Tensor


class Meter:
    """Collects the losses of each step on the device; reads them together."""

    def __init__(self, batch: int, accelerator: Accelerator) -> None:
        self._batch = batch
        self._accelerator = accelerator
        self._waiting: list[_Entry] = []
        self._since = time.monotonic()
        self.last: Metrics | None = None

    def add(
        self,
        step: int,
        phase: str,
        total: Tensor,
        terms: Mapping[str, Tensor],
        monitors: Mapping[str, Tensor],
    ) -> None:
        """Keep the losses of one step."""
        values = [total, *terms.values(), *monitors.values()]
        values = torch.stack([value.detach().float().reshape(()) for value in values])
        self._waiting.append(_Entry(step, phase, tuple(terms), tuple(monitors), values))

    def restart(self) -> None:
        """Begin to measure speed here, when everything before has been read."""
        if not self._waiting:
            self._since = time.monotonic()

    def read(self, last_good: str) -> list[Metrics]:
        """Return the averages since the last call, one event per phase.

        Raises:
            TrainingError: A loss or term is not finite; names the step, the term and `last_good`.
        """
        if not self._waiting:
            return []
        rows = self._rows(last_good)
        seconds = max(1e-9, time.monotonic() - self._since)
        speed = self._batch * len(rows) / seconds
        events = [
            self._mean(phase, rows, speed) for phase in {e.phase: None for e in self._waiting}
        ]
        self._waiting.clear()
        self._since = time.monotonic()
        self.last = events[-1]
        return events

    def require_finite(self, last_good: str) -> None:
        """Raise `TrainingError` like `read`, over this process alone; nothing is taken out."""
        if self._waiting:
            self._checked(torch.cat([entry.values for entry in self._waiting]), last_good)

    def _rows(self, last_good: str) -> list[tuple[_Entry, list[float]]]:
        """Return the numbers of each step, over all processes; the only wait for the device."""
        together = torch.cat([entry.values for entry in self._waiting])
        return self._checked(cast("Tensor", self._accelerator.reduce(together, "mean")), last_good)

    def _checked(self, together: Tensor, last_good: str) -> list[tuple[_Entry, list[float]]]:
        numbers: list[float] = together.tolist()
        rows: list[tuple[_Entry, list[float]]] = []
        for entry in self._waiting:
            mine, numbers = numbers[: len(entry.values)], numbers[len(entry.values) :]
            watched = dict(zip(("", *entry.terms), mine, strict=False))
            bad = [name for name, value in watched.items() if not math.isfinite(value)]
            if bad:
                terms = [name for name in bad if name]
                what = f"loss term '{terms[0]}'" if terms else "the loss"
                raise TrainingError(not_finite(entry.step, what, last_good))
            rows.append((entry, mine))
        return rows

    def _mean(self, phase: str, rows: list[tuple[_Entry, list[float]]], speed: float) -> Metrics:
        mine = [(entry, numbers) for entry, numbers in rows if entry.phase == phase]
        sums: dict[str, list[float]] = {}
        for entry, numbers in mine:
            for name, value in zip(("", *entry.terms, *entry.monitors), numbers, strict=True):
                sums.setdefault(name, []).append(value)
        means = {name: sum(values) / len(values) for name, values in sums.items()}
        terms = {name for entry, _ in mine for name in entry.terms}
        return Metrics(
            step=mine[-1][0].step,
            epoch=0.0,
            phase=phase,
            loss=means.pop(""),
            terms={name: value for name, value in means.items() if name in terms},
            monitors={name: value for name, value in means.items() if name not in terms},
            images_per_s=speed,
        )
