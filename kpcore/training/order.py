"""Which picture comes when, and fetching it while the model is busy.

The order is a pure function of (seed, epoch), so that a resumed run needs only its step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from kpcore.api import Phase
from kpcore.data.source import ImageSource
from kpcore.training.frames import Frames, fetch


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, length: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(length)


def draw_of_step(phases: Sequence[Phase], step: int) -> int:
    """Return which draw of pictures a step learns from: the step itself, unless phases keep some.

    A pure function.
    """
    fresh = [not phase.keeps_batch for phase in phases for _ in range(phase.steps)]
    cycles, place = divmod(step, len(fresh))
    return cycles * sum(fresh) + sum(fresh[: place + 1]) - 1


def indices_of_step(
    step: int, batch: int, length: int, seed: int, rank: int = 0, processes: int = 1
) -> list[int]:
    """Return which pictures process `rank` of `processes` learns from in one step (or draw).

    The pictures of all steps, end to end, are one shuffled pass after the other; a batch may lie
    across two passes. With `length` 0 (endless data) every picture is new.
    """
    first = step * batch
    mine = range(first + rank, first + batch, processes)
    if not length:
        return list(mine)
    return [int(_permutation(seed, n // length, length)[n % length]) for n in mine]


def batches(
    source: ImageSource, steps: Iterator[tuple[int, list[int]]], seed: int, ahead: int = 4
) -> Generator[Frames]:
    """Yield the pictures of each (step, indices), in order, fetched `ahead` by one thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="pictures") as pool:
        waiting: deque[Future[Frames]] = deque()
        try:
            for step, indices in steps:
                waiting.append(pool.submit(fetch, source, indices, (seed, step)))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
