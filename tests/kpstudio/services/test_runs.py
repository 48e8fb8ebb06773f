from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpcore.configuration import to_plain
from kpcore.training.config import Cadence, DataChoice, Optimisation, RunRecord
from kpcore.training.events import (
    Failed,
    Finished,
    Metrics,
    ProbePictures,
    Resumed,
    Snapshot,
    Started,
    Stopped,
    Validation,
    to_line,
)
from kpstudio.services.model_host import ModelHost
from kpstudio.services.picture_media import open_source
from kpstudio.services.run_reader import RunReader, RunState, summarise_folder
from kpstudio.services.runs import RunFollower


class FakeRun:
    """A run directory that the test writes to as the trainer would."""

    def __init__(self, folder: Path, steps: int = 100) -> None:
        self.folder = folder
        (folder / "snapshots").mkdir(parents=True)
        record = RunRecord(
            "dlp-compact",
            "tiny",
            {},
            DataChoice("shapes"),
            Optimisation(steps, 4, 1e-3),
            Cadence(1, 10, 10, 10),
        )
        (folder / "config.json").write_text(json.dumps(to_plain(record)))
        (folder / "events.jsonl").touch()
        rng = np.random.default_rng(0)
        originals = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
        np.savez_compressed(folder / "snapshots" / "probe.npz", originals=originals)

    def write(self, *events: Any, raw: bytes = b"") -> None:
        with (self.folder / "events.jsonl").open("ab") as file:
            file.write(b"".join(to_line(event) for event in events) + raw)

    def snapshot(self, step: int) -> Snapshot:
        name = f"snapshots/{step}.npz"
        pictures = np.full((3, 32, 32, 3), step % 256, np.uint8)
        position = np.zeros((3, 4, 2), np.float32)
        np.savez_compressed(self.folder / name, reconstructions=pictures, position=position)
        return Snapshot(step, name)


def metrics(step: int, loss: float, **facts: Any) -> Metrics:
    return Metrics(step, step / 10, "all", loss, {"kl": loss / 2}, {"present": 3.0}, **facts)


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path / "runs" / "one")


def test_curves_grow_as_the_run_is_written(run: FakeRun) -> None:
    run.write(Started(100, "cpu"), metrics(1, 5.0))
    reader = RunReader(run.folder)
    assert reader.refresh()
    assert not reader.refresh()
    whole = to_line(metrics(2, 4.0))
    run.write(raw=whole[:20])  # half a line is left for the next time
    assert not reader.refresh()
    run.write(raw=whole[20:] + b"{damaged\n" + to_line(Validation(2, 3.5, 20.0)))
    assert reader.refresh()
    state = reader.state(time.time())
    assert state.summary.status == "running"
    assert state.curves["loss"].values.tolist() == [5.0, 4.0]
    assert state.curves["kl"].at(1) == 2.5
    assert state.curves["loss"].at(0) is None
    assert state.curves["held-out psnr_db"].steps.tolist() == [2]
    assert (state.summary.step, state.steps, state.device) == (2, 100, "cpu")


def test_a_resumed_run_takes_back_what_it_repeats(run: FakeRun) -> None:
    run.write(Started(100), *(metrics(n, n) for n in range(1, 8)), run.snapshot(5))
    run.write(Stopped(7, "by the user"))
    reader = RunReader(run.folder)
    reader.refresh()
    assert reader.state(time.time()).summary.status == "stopped"
    run.write(Resumed(4, 100), metrics(5, 50.0))
    reader.refresh()
    state = reader.state(time.time())
    assert state.curves["loss"].values.tolist() == [1, 2, 3, 4, 50]
    assert state.snapshots == ()
    assert state.summary.status == "running"


@pytest.mark.parametrize(
    ("last", "status", "message"),
    [
        (Finished(9, "model.safetensors"), "finished", ""),
        (Stopped(9, "Ctrl-C"), "stopped", "Ctrl-C"),
        (Failed(9, "NaN in kl"), "failed", "NaN in kl"),
        (metrics(9, 1.0), "running", ""),
        (metrics(9, 1.0, time=1000.0), "stale", ""),
    ],
)
def test_the_status_tells_how_it_ended(run: FakeRun, last: Any, status: str, message: str) -> None:
    early = 900.0 if status == "stale" else time.time()
    if status == "running":
        last = replace(last, time=early)
    run.write(Started(100, time=early), last)
    reader = RunReader(run.folder)
    reader.refresh()
    summary = reader.state(time.time()).summary
    assert (summary.status, summary.message) == (status, message)
    (listed,) = summarise_folder(run.folder.parent)
    assert (listed.status, listed.step, listed.message) == (status, 9, message)


def test_10000_steps_stay_reachable_in_bounded_memory(run: FakeRun) -> None:
    run.write(Started(10_000), *(metrics(n, 1 / n) for n in range(1, 10_001)))
    shots = [Snapshot(n, f"snapshots/{n}.npz") for n in range(0, 10_001, 10)]
    run.write(*shots)
    reader = RunReader(run.folder)
    reader.refresh()
    state = reader.state(time.time())
    assert len(state.curves["loss"].steps) == 10_000
    assert state.curves["loss"].at(7_777) == 1 / 7_777
    assert len(state.snapshots) == 1001
    assert state.snapshot_at(1234).step == 1230  # type: ignore[union-attr]
    held = sum(len(a) * 8 + len(b) * 8 for a, b in reader._columns.values())
    assert held < 1_000_000


@pytest.fixture
def follow() -> Iterator[Callable[[], tuple[RunFollower, Callable[..., None]]]]:
    made: list[RunFollower] = []

    def make() -> tuple[RunFollower, Callable[..., None]]:
        posted: queue.Queue[Callable[[], None]] = queue.Queue()
        follower = RunFollower(posted.put, poll_s=0.02)
        made.append(follower)

        def wait(until: Callable[[], object]) -> None:
            end = time.monotonic() + 30
            while not until():
                assert time.monotonic() < end, "waited in vain"
                try:
                    posted.get(timeout=0.1)()
                except queue.Empty:
                    continue

        return follower, wait

    yield make
    for follower in made:
        follower.close()


def test_a_follower_tells_what_is_new(run: FakeRun, follow: Any) -> None:
    other = FakeRun(run.folder.parent / "two")
    other.write(Started(10), Finished(10, "m"))
    follower, wait = follow()
    states: list[RunState] = []
    lists: list[Any] = []
    follower.run_changed.connect(states.append)
    follower.runs_changed.connect(lists.append)
    run.write(Started(100), metrics(1, 5.0))
    follower.open(run.folder)
    wait(lambda: states and lists)
    assert {summary.name for summary in lists[-1]} == {"one", "two"}
    run.write(metrics(2, 4.0), run.snapshot(2))
    wait(lambda: states[-1].summary.step == 2 and states[-1].snapshots)
    pictures: list[tuple[int, ProbePictures]] = []
    follower.pictures_read.connect(lambda step, got: pictures.append((step, got)))
    follower.want_pictures(2)
    wait(lambda: pictures)
    assert pictures[0][0] == 2
    assert pictures[0][1].reconstructions[0, 0, 0, 0] == 2
    run.write(*(run.snapshot(step) for step in (3, 4, 5)))
    wait(lambda: len(states[-1].snapshots) == 4)
    follower.want_film((2, 3, 4, 5))
    wait(lambda: [step for step, _ in pictures[1:]] == [2, 3, 4, 5])


def test_what_is_no_run_is_one_sentence(tmp_path: Path, follow: Any) -> None:
    follower, wait = follow()
    told: list[str] = []
    follower.failed.connect(told.append)
    follower.open(tmp_path)
    wait(lambda: told)
    assert "is not a run directory" in told[0]


def test_a_missing_snapshot_file_is_one_sentence(run: FakeRun, follow: Any) -> None:
    run.write(Started(100), Snapshot(3, "snapshots/gone.npz"))
    follower, wait = follow()
    told: list[str] = []
    follower.failed.connect(told.append)
    follower.open(run.folder)
    follower.want_pictures(3)
    wait(lambda: told)
    assert "step 3" in told[0]


def test_the_probe_opens_like_any_media(run: FakeRun, tiny: Path) -> None:
    host = ModelHost()
    probe = run.folder / "snapshots" / "probe.npz"
    model, media = host.open(str(tiny), str(probe))
    assert model is not None
    assert media is not None
    assert (media.count, media.name) == (3, "one probe")
    assert host.opening_note() == ""
    np.testing.assert_array_equal(host.encode(2).input, open_source(probe).frame(2))
