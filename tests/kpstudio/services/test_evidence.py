"""What the encoder saw: fetched while it is looked at, counted, and drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.registry import get
from kpstudio.session.edits import SetPresence
from kpstudio.ui.canvas.overlays import tinted
from tests.kpstudio.services.conftest import Bench


@pytest.fixture
def opened(bench: Bench, tmp_path: Path, make_picture: Callable[..., Path]):
    def open_family(name: str) -> Bench:
        torch.manual_seed(0)
        config = get(name).presets["tiny"].config
        path = tmp_path / f"{name}.safetensors"
        checkpoint.save(path, get(name).build(config), checkpoint.Manifest(name, to_plain(config)))
        bench.open(path, make_picture("picture"))
        bench.wait(lambda: bench.is_exact)
        return bench

    return open_family


def test_confidence_maps_are_asked_for_when_their_layer_is_shown(opened) -> None:
    bench = opened("keynet")
    session = bench.session
    assert session.evidence is None
    session.update_view(layers=session.view.with_layer("confidence", visible=True).layers)
    bench.wait(lambda: session.evidence is not None)
    seen = session.evidence
    assert seen is not None
    maps = seen.confidence
    assert maps is not None
    assert maps.dtype == np.uint8
    assert len(maps) == session.latents.count
    assert (maps.max((1, 2)) == 255).all()


def test_objects_are_counted_without_being_asked(opened) -> None:
    bench = opened("lavae")
    session = bench.session
    bench.wait(lambda: session.evidence is not None)
    assert len(session.evidence.count) == session.latents.count + 1
    assert sum(session.evidence.count) == pytest.approx(1.0, abs=1e-4)
    before = session.scene.present()
    row = next(r for r, v in enumerate(session.latents.rows("presence")) if v < 0.5)
    session.commit(SetPresence(0, (row,), (1.0,)))
    assert session.scene.present() == before + 1
    session.update_view(frame=3)
    assert session.evidence is None, "of another frame"


def test_maps_of_some_particles_alone(qapp) -> None:
    maps = np.zeros((3, 2, 2), np.uint8)
    for row in range(3):
        maps[row, row // 2, row % 2] = 255
    every = tinted(maps, (0, 1, 2))
    alone = tinted(maps, (0, 1, 2), only=frozenset({1}))
    assert [every.pixelColor(x, y).alpha() for y in (0, 1) for x in (0, 1)] == [255, 255, 255, 0]
    assert [alone.pixelColor(x, y).alpha() for y in (0, 1) for x in (0, 1)] == [0, 255, 0, 0]
    assert alone.pixelColor(1, 0) == every.pixelColor(1, 0)
    assert tinted(maps, (0, 1, 2), only=frozenset({7})).pixelColor(0, 0).alpha() == 0
