"""Families that share pixels among particles show their shares as masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.registry import get
from kpstudio.session.edits import KeepTop
from kpstudio.ui.actions import layer_is_offered
from tests.kpstudio.services.conftest import Bench


def test_shares_are_masks_of_all_particles(
    bench: Bench, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    torch.manual_seed(0)
    config = get("tusk").presets["tiny"].config
    path = tmp_path / "tusk.safetensors"
    checkpoint.save(path, get("tusk").build(config), checkpoint.Manifest("tusk", to_plain(config)))
    bench.open(path, make_picture("picture"))
    session = bench.session
    bench.wait(lambda: bench.is_exact)
    masks = session.picture("edited").extras["masks"]  # type: ignore[union-attr,index]
    assert masks.shape == (16, 32, 32), "of as many as may be asked for"
    assert not masks[4:].any()
    assert np.abs(masks.astype(int).sum(0) - 255).max() <= 4
    session.commit(KeepTop(2))
    bench.wait(lambda: bench.is_exact)
    masks = session.picture("edited").extras["masks"]  # type: ignore[union-attr,index]
    shown = masks.any((1, 2))
    assert masks.shape == (16, 32, 32)
    assert shown.sum() == 2
    assert np.abs(masks[shown].astype(int).sum(0) - 255).max() <= 2


def test_the_studio_offers_masks_where_there_are_shares() -> None:
    model = get("tusk")
    can = model.build(model.presets["tiny"].config).capabilities
    assert layer_is_offered("masks", can)
    assert not layer_is_offered("glimpses", can)
    assert not layer_is_offered("heatmaps", can)
