"""Branches in saved sessions and in the crash log, with a real predictor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kpstudio.services.autosave import Autosave, find_recoverable
from kpstudio.services.prediction import Predictions
from kpstudio.services.reopen import open_session, restore, save_session
from kpstudio.session.branch_edits import AddBranch, RenameBranch
from kpstudio.session.edits import MoveParticles
from kpstudio.session.view import Comparison
from tests.kpstudio.services.conftest import write_predictor

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench

WHAT_IF = AddBranch("b2", "What-if 1", (1, 2), 5, follows=True, baseline="b1")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_predictor(tmp_path_factory.mktemp("model") / "predictor.safetensors")


@pytest.fixture
def bench(make_bench: Callable[..., Bench], predictor: Path, folder: Path) -> Bench:
    made = make_bench()
    made.open(predictor, folder)
    session = made.session
    for frame in (1, 2):
        session.update_view(frame=frame)
        made.wait(lambda frame=frame: frame in session.document.encoded)
    return made


def ask_for_futures(bench: Bench) -> None:
    session = bench.session
    session.commit(WHAT_IF)
    session.commit(MoveParticles(1, (0,), ((0.3, -0.2),)))
    session.commit(MoveParticles(2, (0,), ((0.5, -0.2),)))
    session.commit(RenameBranch("b2", "Left"))
    session.update_view(frame=6, comparison=Comparison("wipe", "b1", "b2", 0.25))


def is_alike(first: Bench, second: Bench) -> bool:
    old, new = first.session.document.branches, second.session.document.branches
    names = [(b.key, b.name, b.steps, b.follows) for b in old]
    return names == [(b.key, b.name, b.steps, b.follows) for b in new] and all(
        a.equals(b)
        for one, other in zip(old, new, strict=True)
        for a, b in zip(one.start, other.start, strict=True)
    )


def test_a_real_predictor_rolls_out_both_futures(bench: Bench) -> None:
    predictions = Predictions(bench.session, bench.engine)
    ask_for_futures(bench)
    for key in ("b1", "b2"):
        bench.wait(lambda key=key: predictions.roll(key).state == "done")
    apart = predictions.apart("b1", "b2", 7)
    assert apart is not None
    assert apart.particles > 0
    assert apart.picture is not None
    predictions.close()


def test_a_saved_session_brings_its_branches_back(
    bench: Bench, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    ask_for_futures(bench)
    file = tmp_path / "futures.kps"
    save_session(bench.engine, bench.session, file)
    again = make_bench()
    done: list[object] = []
    open_session(again.engine, again.session, file, done=done.append)
    again.wait(lambda: done)
    assert is_alike(bench, again)
    assert again.session.view.comparison == Comparison("wipe", "b1", "b2", 0.25)
    assert again.session.view.frame == 6
    again.session.go_to(0)
    assert again.session.document.branches == ()


def test_a_crash_loses_no_branch(
    bench: Bench, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    autosave = Autosave(bench.session, tmp_path / "recovery")
    bench.session.document_changed.emit(bench.session.document)
    ask_for_futures(bench)
    autosave._lock.release()
    autosave._lock = None
    (left,) = find_recoverable(tmp_path / "recovery")
    again = make_bench()
    done: list[object] = []
    restore(again.engine, again.session, left.saved, {}, done.append)
    again.wait(lambda: done)
    assert is_alike(bench, again)
    autosave.close()
