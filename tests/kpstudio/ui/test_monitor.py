"""The Monitor over a run that the real trainer wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from kpcore.training.events import Metrics, Snapshot, from_line, to_line
from kpstudio.services.engine import Engine
from kpstudio.services.run_reader import RunSummary
from kpstudio.services.runs import RunFollower
from kpstudio.session.edits import MoveParticles
from kpstudio.session.session import Session
from kpstudio.ui.monitor import MonitorView
from kpstudio.ui.monitor.curves import title_of, y_range
from kpstudio.ui.monitor.film_strip import spread
from kpstudio.ui.monitor.run_list import status_line
from kpstudio.ui.monitor.view import duration
from kpstudio.ui.qt_post import QtPost

STEPS = 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps by `kp train`."""
    out = tmp_path_factory.mktemp("runs") / "real"
    command = [
        sys.executable, "-m", "kpcore", "train", "dlp-compact", "--preset", "tiny",
        "--data", "shapes", "--steps", str(STEPS), "--snapshot-every", "3", "--pool", "16",
        "--batch", "4", "--threads", "1", "--out", str(out),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run that a test may write to."""
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "runs" / "copy"))


class Desk:
    def __init__(self, qtbot: Any) -> None:
        self.qtbot = qtbot
        self.post = QtPost()
        self.session = Session()
        self.notices: list[Any] = []
        self.session.noticed.connect(self.notices.append)
        self.engine = Engine(self.session, self.post)
        self.runs = RunFollower(self.post, poll_s=0.05)
        self.may_leave = True
        self.view = MonitorView(
            self.session, self.engine, self.runs, may_leave=lambda: self.may_leave
        )
        self.view.resize(1280, 800)
        qtbot.addWidget(self.view)
        self.view.show()

    def wait(self, until: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(until()), timeout=30_000)

    def open(self, run: Path) -> None:
        self.view.open_run(run)
        self.wait(lambda: self.view.state is not None)

    def close(self) -> None:
        self.engine.close()
        self.runs.close()
        self.post.close()


@pytest.fixture
def desk(qtbot: Any) -> Iterator[Desk]:
    made = Desk(qtbot)
    yield made
    made.close()


def test_a_run_shows_curves_pictures_film_and_facts(desk: Desk, run: Path) -> None:
    desk.open(run)
    view = desk.view
    assert view.step_bar.step == STEPS
    names = [plot.name for plot in view.curves.plots]
    assert names[0] == "loss"
    assert "chamfer_kl" in names
    assert "psnr_db" in names
    loss = view.curves.plots[0]
    assert len(loss._lines["training"].getData()[0]) > 3
    assert len(loss._lines["held-out"].getData()[0]) > 0
    assert loss.value.text()
    desk.wait(lambda: len(view.film.images) == len(view.film.steps) == 5)
    assert view.film.steps == (0, 3, 6, 9, 12)
    desk.wait(lambda: view.original._image is not None)
    assert len(view.original._positions) == 4
    assert "finished" in view.facts.text()
    desk.wait(lambda: view.run_list.count() == 1)


def test_the_snapshot_at_a_step_is_dragged_like_any_checkpoint(desk: Desk, run: Path) -> None:
    desk.open(run)
    view, session = desk.view, desk.session
    desk.wait(lambda: view.live.is_live)
    assert session.document.model.step == STEPS  # type: ignore[union-attr]
    view.step_bar.go_to(6)
    desk.wait(lambda: view.live.is_live and session.document.model.step == 6)  # type: ignore[union-attr]
    view.probe.setValue(3)
    desk.wait(lambda: view.live.is_live and session.view.frame == 2)
    before = session.picture("edited").pixels  # type: ignore[union-attr]
    session.commit(MoveParticles(2, (0,), ((0.7, 0.7),)))
    desk.wait(
        lambda: (
            session.picture("edited").tier == "exact"  # type: ignore[union-attr]
            and session.picture("edited").revision == session.revision
        )  # type: ignore[union-attr]
    )
    assert view.live._stack.currentWidget() is view.live.canvas
    assert before.shape == (32, 32, 3)


def test_edits_are_never_left_by_moving_the_slider(desk: Desk, run: Path) -> None:
    desk.open(run)
    view, session = desk.view, desk.session
    desk.wait(lambda: view.live.is_live)
    session.commit(MoveParticles(0, (0,), ((0.7, 0.7),)))
    view.step_bar.go_to(3)
    desk.qtbot.wait(500)
    assert (session.document.model.step, session.history.cursor) == (STEPS, 1)  # type: ignore[union-attr]
    assert view.live.button.isVisible()
    assert view.live._stack.currentWidget() is view.live.stored
    desk.may_leave = False
    view.live.button.click()
    desk.qtbot.wait(200)
    assert (session.document.model.step, session.history.cursor) == (STEPS, 1)  # type: ignore[union-attr]
    desk.may_leave = True
    view.live.button.click()
    desk.wait(lambda: view.live.is_live and session.document.model.step == 3)  # type: ignore[union-attr]


def test_the_users_own_document_stays_open(desk: Desk, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes((run / "model.safetensors").read_bytes())
    desk.engine.open_pair(str(other), str(run / "snapshots" / "probe.npz"))
    desk.wait(lambda: desk.session.document.model is not None)
    desk.open(run)
    desk.qtbot.wait(500)
    assert desk.session.document.model.title == "other"  # type: ignore[union-attr]
    assert desk.view.live.button.isVisible()


def test_a_growing_run_is_followed_and_never_jumps_back(desk: Desk, run: Path) -> None:
    desk.open(run)
    view = desk.view

    def grow(step: int) -> None:
        with (run / "events.jsonl").open("ab") as file:
            file.write(to_line(Metrics(step, 1.0, "all", 1.0)))
            file.write(to_line(Snapshot(step, "snapshots/step_00000012.npz")))

    grow(20)
    desk.wait(lambda: view.step_bar.slider.maximum() == 20)
    assert view.step_bar.step == 20
    QTest.keyClick(view.step_bar.slider, Qt.Key.Key_Left)
    assert view.step_bar.step == 12
    assert not view.step_bar.follow.isChecked()
    grow(30)
    desk.wait(lambda: view.step_bar.slider.maximum() == 30)
    assert view.step_bar.step == 12
    QTest.keyClick(view.step_bar.slider, Qt.Key.Key_End)
    assert view.step_bar.step == 30
    grow(40)
    desk.wait(lambda: view.step_bar.step == 40)


def test_the_slider_is_worked_by_keys(desk: Desk, run: Path) -> None:
    desk.open(run)
    slider = desk.view.step_bar.slider
    steps = []
    for key in (
        Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
    ):  # fmt: skip
        QTest.keyClick(slider, key)
        steps.append(slider.value())
    assert steps == [0, 3, 6, 3, 12, 0]
    slider.setValue(7)
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert slider.value() == 6


def test_film_and_curves_choose_the_step(desk: Desk, run: Path) -> None:
    desk.open(run)
    view = desk.view
    QTest.mouseClick(
        view.film, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(100, 30)
    )
    assert view.step_bar.step == 3
    QTest.keyClick(view.film, Qt.Key.Key_Right)
    assert view.step_bar.step == 6
    view.curves.plots[0].step_wanted.emit(5)
    assert view.step_bar.step == 5
    assert view.curves.plots[1]._step_line.value() == 5


def test_log_scale_and_clipping_take_any_values(desk: Desk, run: Path) -> None:
    desk.open(run)
    with (run / "events.jsonl").open("ab") as file:
        for step, loss in enumerate((0.0, -3.0, 1e9, 2.0), start=STEPS + 1):
            file.write(to_line(Metrics(step, 1.0, "all", loss)))
    desk.wait(lambda: desk.view.step_bar.slider.maximum() == STEPS + 4)
    for box in (desk.view.log_scale, desk.view.clip):
        box.toggle()
        desk.view.grab()


def test_what_is_no_run_is_told_and_the_open_one_stays(
    desk: Desk, run: Path, tmp_path: Path
) -> None:
    desk.open(run)
    desk.view.open_run(tmp_path)
    desk.wait(lambda: desk.notices)
    assert "is not a run directory" in desk.notices[-1].text
    assert desk.view.state.path == run  # type: ignore[union-attr]


def test_thinned_out_weights_leave_the_pictures(desk: Desk, run: Path) -> None:
    (run / "snapshots" / "step_00000003.safetensors").unlink()
    desk.open(run)
    desk.wait(lambda: desk.view.live.is_live)
    desk.view.step_bar.go_to(3)
    desk.wait(lambda: desk.view._pictures is not None and desk.view._pictures[0] == 3)
    assert not desk.view.live.button.isVisible()
    assert desk.view.live._stack.currentWidget() is desk.view.live.stored


def test_small_things() -> None:
    assert title_of("chamfer_kl") == "Chamfer KL"
    assert title_of("psnr_db") == "PSNR, dB"
    assert spread(range(0, 100, 10), 3) == (0, 40, 90)
    assert spread([1, 2], 5) == (1, 2)
    assert spread([1, 2, 3], 1) == (3,)
    assert y_range(np.array([np.nan]), log=False, clip=True) is None
    low, high = y_range(np.array([1.0] * 99 + [1e9]), log=False, clip=True)  # type: ignore[misc]
    assert high < 1e9
    assert low < 1.0
    assert duration(20) == "less than a minute"
    assert duration(11520) == "3 h 12 min"
    line = status_line(RunSummary(Path("r"), "failed", 9, 0.0, "NaN in chamfer_kl"))
    assert line == "failed · NaN in chamfer_kl"
    assert from_line(json.dumps({"event": "later"}).encode()) is None
