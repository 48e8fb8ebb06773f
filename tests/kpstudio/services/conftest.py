"""A tiny checkpoint, media to open with it, and an engine whose posts the test runs itself."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.registry import get
from kpstudio.services.engine import Engine
from kpstudio.services.model_host import ModelHost
from kpstudio.session.notice import Notice
from kpstudio.session.session import Session


def write_checkpoint(path: Path, seed: int = 0, **manifest: object) -> Path:
    torch.manual_seed(seed)
    family = get("dlp-compact")
    config = family.presets["tiny"].config
    model = family.build(config).eval()
    facts = checkpoint.Manifest("dlp-compact", to_plain(config), **manifest)  # type: ignore[arg-type]
    checkpoint.save(path, model, facts)
    return path


def write_predictor(path: Path, seed: int = 0) -> Path:
    """Write a tiny predictor with its renderer inside."""
    torch.manual_seed(seed)
    inner, outer = get("dlp-compact"), get("dlp-gcn")
    drawing, moving = inner.presets["tiny"].config, outer.presets["tiny"].config
    renderer = inner.build(drawing).eval()
    model = outer.build(moving, renderer=renderer).eval()
    inside = checkpoint.Manifest(inner.name, to_plain(drawing))
    facts = checkpoint.Manifest(outer.name, to_plain(moving), contains={"renderer": inside})
    checkpoint.save(path, model, facts)
    return path


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (32, 32)) -> Path:
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def make_checkpoint(tmp_path: Path) -> Callable[..., Path]:
    return lambda name, **facts: write_checkpoint(tmp_path / f"{name}.safetensors", **facts)


@pytest.fixture
def make_picture(tmp_path: Path) -> Callable[..., Path]:
    return lambda name, **facts: write_picture(tmp_path / f"{name}.png", **facts)


@pytest.fixture
def tiny(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint("tiny")


@pytest.fixture
def picture(make_picture: Callable[..., Path]) -> Path:
    return make_picture("picture")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "frames"
    place.mkdir()
    for index in range(4):
        write_picture(place / f"{index}.png", index)
    return place


class Bench:
    """A session with its engine; `wait` runs what the worker posts, as the UI thread would."""

    def __init__(self, host: ModelHost | None = None) -> None:
        self.session = Session()
        self.notices: list[Notice] = []
        self.session.noticed.connect(self.notices.append)
        self.posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self.engine = Engine(self.session, self.posted.put, host)

    def run_posted(self) -> None:
        while not self.posted.empty():
            self.posted.get()()

    def wait(self, until: Callable[[], object], limit_s: float = 30.0) -> None:
        end = time.monotonic() + limit_s
        while not until():
            left = end - time.monotonic()
            assert left > 0, f"waited in vain; notices: {self.notices}"
            try:
                self.posted.get(timeout=min(left, 0.1))()
            except queue.Empty:
                continue

    def open(self, model: Path, media: Path) -> None:
        self.engine.open_pair(str(model), str(media))
        self.wait(lambda: self.session.latents is not None)

    @property
    def is_exact(self) -> bool:
        shown = self.session.picture("edited")
        return (
            shown is not None and shown.tier == "exact" and shown.revision == self.session.revision
        )


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(host: ModelHost | None = None) -> Bench:
        made.append(Bench(host))
        return made[-1]

    yield make
    for bench in made:
        bench.engine.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
