"""More particles than the model was trained with, where its family can find them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.errors import CapabilityError, InputError
from kpcore.registry import get
from kpstudio.services.reopen import open_session, save_session
from kpstudio.session.duplicate_edits import duplicated
from kpstudio.session.edits import KeepTop, MoveParticles, SetPresence
from kpstudio.ui.canvas.marks import MarkReader

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench

TRAINED = 4


def build():
    torch.manual_seed(0)
    return get("tusk").build(get("tusk").presets["tiny"].config).eval()


@pytest.fixture
def tusk(tmp_path: Path) -> Path:
    model = build()
    path = tmp_path / "tusk.safetensors"
    checkpoint.save(path, model, checkpoint.Manifest("tusk", to_plain(model.config)))
    return path


def test_more_keypoints_begin_with_those_of_training() -> None:
    model, image = build(), torch.rand(1, 3, 32, 32)
    few = model.encode(image).latents
    model.set_count(9)
    many = model.encode(image).latents
    assert (few.count, many.count, model.capabilities.particles) == (TRAINED, 9, 9)
    assert many.select(range(TRAINED)).equals(few)
    assert model.decode(many).image.shape == image.shape
    with pytest.raises(InputError, match="use 1 to 16"):
        model.set_count(17)


def test_families_of_one_count_say_so() -> None:
    with pytest.raises(CapabilityError, match="no other number"):
        get("keynet").build(get("keynet").presets["tiny"].config).set_count(3)


def shown(bench: Bench) -> np.ndarray:
    bench.wait(lambda: bench.is_exact)
    return bench.session.picture("edited").pixels.copy()  # type: ignore[union-attr]


def test_the_slider_goes_beyond_training_and_back(
    make_bench: Callable[..., Bench], tusk: Path, make_picture: Callable[..., Path], tmp_path: Path
) -> None:
    bench = make_bench()
    bench.open(tusk, make_picture("picture"))
    session = bench.session
    usual = shown(bench)
    model, host = build(), bench.engine._host
    with torch.inference_mode():
        image = host._image(host.framed(0)[0])
        own = model.decode(model.encode(image).latents).image[0].permute(1, 2, 0).mul(255).round()
    np.testing.assert_array_equal(usual, own.numpy())
    assert session.document.model is not None
    assert session.document.model.capabilities.particles == TRAINED
    assert session.scene.offered(0) == frozenset(range(TRAINED))
    assert len(MarkReader(session).read("edited")) == TRAINED
    session.commit(KeepTop(7))
    assert len(MarkReader(session).read("edited")) == 7
    decoded = session.document.shown(0)
    assert decoded is not None
    assert decoded.count == 7
    more = shown(bench)
    assert not np.array_equal(more, usual)
    session.commit(MoveParticles(0, (6,), ((0.0, 0.0),)))
    moved = shown(bench)
    save_session(bench.engine, session, tmp_path / "s.kps")
    session.commit(KeepTop(None))
    np.testing.assert_array_equal(shown(bench), usual)
    session.undo()
    session.undo()
    np.testing.assert_array_equal(shown(bench), more)
    session.undo()
    np.testing.assert_array_equal(shown(bench), usual)
    again, done = make_bench(), []
    open_session(again.engine, again.session, tmp_path / "s.kps", done=done.append)
    again.wait(lambda: done)
    np.testing.assert_array_equal(shown(again), moved)


def test_a_duplicate_takes_a_spare_keypoint_and_is_kept_in_a_session(
    make_bench: Callable[..., Bench], tusk: Path, make_picture: Callable[..., Path], tmp_path: Path
) -> None:
    bench = make_bench()
    bench.open(tusk, make_picture("picture"))
    session = bench.session
    usual = shown(bench)
    for row in session.document.kept(0):
        session.commit(SetPresence(0, (row,), (1.0,)))
    before = shown(bench)
    edit = duplicated(session.document, 0, {0})
    assert (edit.into, edit.keep) == ((TRAINED,), TRAINED + 1)
    session.commit(edit)
    latents = session.latents
    assert latents is not None
    copied = shown(bench)
    assert not np.array_equal(copied, before)
    save_session(bench.engine, session, tmp_path / "s.kps")
    again, done = make_bench(), []
    open_session(again.engine, again.session, tmp_path / "s.kps", done=done.append)
    again.wait(lambda: done)
    np.testing.assert_array_equal(shown(again), copied)
    restored = again.session.latents
    assert restored is not None
    assert restored.equals(latents)
    assert again.session.document.keep == TRAINED + 1
    again.session.undo()
    np.testing.assert_array_equal(shown(again), before)
    again.session.go_to(0)
    np.testing.assert_array_equal(shown(again), usual)
