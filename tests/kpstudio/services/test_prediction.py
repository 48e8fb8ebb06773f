from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from kpcore.errors import CapabilityError
from kpstudio.services.prediction import Predictions
from kpstudio.services.rolls import particle_distance, picture_distance, spread
from kpstudio.session.branch_edits import AddBranch, DrawFutures, ExtendBranch, RemoveBranch
from kpstudio.session.branches import TRUTH
from kpstudio.session.edits import MoveParticles
from kpstudio.session.view import Comparison
from tests.kpstudio.predictor import SIDE, SPEED, Constant, PredictorHost, clip

START = (3, 4)
UP = MoveParticles(4, (1,), ((0.3, -0.5),))


class Desk:
    """A bench with a predictor open, some frames encoded, and the predictions listening."""

    def __init__(self, make_bench, model=None, media=None, limit_bytes=10**8) -> None:
        self.model = model or Constant()
        host = PredictorHost(self.model, media or clip())
        self.bench = make_bench(host)
        self.session = self.bench.session
        self.predictions = Predictions(self.session, self.bench.engine, limit_bytes)
        self.session.open_model(host.model_info)
        self.session.open_media(host.media_info)
        for frame in START:
            self.session.encoding_wanted.emit(frame)
            self.bench.wait(lambda frame=frame: frame in self.session.document.encoded)

    def add(self, key: str = "b1", steps: int = 6, **facts) -> None:
        self.session.commit(AddBranch(key, key, START, steps, **facts))

    def look(self, second: str = "b1", first: str = TRUTH, mode: str = "side") -> None:
        self.session.update_view(comparison=Comparison(mode, first, second))

    def wait(self, key: str, state: str = "done") -> None:
        self.bench.wait(lambda: self.predictions.roll(key).state == state)


@pytest.fixture
def make_desk(make_bench):
    return lambda *args, **kwargs: Desk(make_bench, *args, **kwargs)


@pytest.fixture
def desk(make_desk) -> Desk:
    return make_desk()


def test_a_branch_that_is_looked_at_is_rolled_out_and_measured(desk):
    desk.add()
    assert desk.predictions.roll("b1").state == "waiting"
    desk.look()
    desk.wait("b1")
    roll = desk.predictions.roll("b1")
    x = roll.latents(10).rows("position")[0][0]
    assert x == pytest.approx((2 + SPEED * 10 + 2) / SIDE * 2 - 1)
    picture = desk.predictions.picture("b1", 10)
    assert picture.shape == (SIDE, SIDE, 3)
    assert np.array_equal(picture, desk.predictions.picture(TRUTH, 10))
    assert roll.errors == dict.fromkeys(range(6), 99.0)
    assert max(roll.copies.values()) < 25.0
    assert desk.predictions.is_ready(10)


def test_it_goes_beyond_the_end_of_the_video_without_a_truth(desk):
    desk.add(steps=12)
    desk.look()
    desk.wait("b1")
    assert desk.session.document.length == 17
    desk.session.update_view(frame=16)
    assert desk.predictions.picture("b1", 16) is not None
    assert desk.predictions.picture(TRUTH, 16) is None
    assert not desk.predictions.has_truth(12)
    assert desk.predictions.is_ready(16)
    assert sorted(desk.predictions.roll("b1").errors) == list(range(7))


def test_frames_appear_while_it_is_still_going(desk):
    seen: list[int] = []
    desk.predictions.pictured.connect(seen.append)
    desk.model.gate.clear()
    desk.add()
    desk.look()
    desk.bench.wait(lambda: not desk.bench.run_posted() or True)
    assert desk.predictions.picture("b1", 5) is None
    desk.model.gate.set()
    desk.wait("b1")
    order = [frame for frame in seen if frame > 4]
    assert order[:6] == [5, 6, 7, 8, 9, 10]


def test_an_edit_of_the_start_changes_the_branch_that_follows(desk):
    desk.add("b2", follows=True, baseline="b1")
    desk.look("b2", "b1", "wipe")
    desk.wait("b2")
    desk.wait("b1")
    before = desk.predictions.roll("b2")
    assert before is desk.predictions.roll("b1") or before.name == desk.predictions.roll("b1").name
    assert desk.predictions.apart("b1", "b2", 8).particles == 0.0
    desk.session.commit(UP)
    desk.wait("b2")
    after = desk.predictions.roll("b2")
    assert after.name != before.name
    apart = [desk.predictions.apart("b1", "b2", frame) for frame in (4, 5, 8)]
    assert apart[0].particles < apart[1].particles < apart[2].particles
    assert apart[2].picture > 0
    desk.session.undo()
    assert desk.predictions.roll("b2").name == before.name
    assert desk.predictions.roll("b2").state == "done"


def test_during_a_drag_only_trails_are_worked_out(desk):
    desk.add("b2", follows=True, baseline="b1")
    desk.look("b2", "b1", "wipe")
    desk.wait("b2")
    whole = desk.predictions.trailing("b2")
    desk.session.preview(UP)
    assert desk.predictions.trailing("b2") is whole
    desk.bench.wait(lambda: desk.predictions.roll("b2").is_whole)
    assert desk.predictions.roll("b2").painted == set()
    assert desk.predictions.trailing("b2") is desk.predictions.roll("b2")
    desk.session.commit()
    desk.wait("b2")


def test_it_stops_in_the_middle_and_goes_on(desk):
    desk.add(steps=6)
    desk.model.gate.clear()
    desk.look()
    desk.predictions.stop("b1")
    desk.model.gate.set()
    desk.bench.wait(lambda: desk.predictions.roll("b1").steps)
    assert desk.predictions.roll("b1").state in ("stopped", "done")
    desk.predictions.go_on("b1")
    desk.wait("b1")
    desk.session.commit(ExtendBranch("b1", 8))
    desk.wait("b1")
    assert len(desk.predictions.roll("b1").steps) == 8


def test_closing_during_a_roll_out_returns_at_once(desk):
    desk.model.gate.clear()
    desk.add(steps=1000)
    desk.look()
    began = threading.Event()
    desk.bench.engine.later(lambda host: began.set())
    started = time.monotonic()
    desk.predictions.close()
    desk.bench.engine.close(0.3)
    assert time.monotonic() - started < 2.0
    desk.model.gate.set()


def test_nan_ends_a_prediction_with_one_sentence(desk):
    desk.model.nan_from = 3
    desk.add(steps=6)
    desk.look()
    desk.bench.wait(lambda: desk.predictions.roll("b1").state == "failed")
    notices = [notice.text for notice in desk.bench.notices if notice.level == "error"]
    assert len(notices) == 1
    assert "NaN from its frame 4 on" in notices[0]
    desk.model.nan_from = 10**9
    desk.predictions.go_on("b1")
    desk.wait("b1")


def test_out_of_memory_is_told_and_what_is_there_stays(desk):
    desk.model.fails_from = 2
    desk.add(steps=6)
    desk.look()
    desk.bench.wait(lambda: desk.predictions.roll("b1").state == "failed")
    assert "out of memory" in desk.predictions.roll("b1").failure
    assert [n.level for n in desk.bench.notices].count("error") == 1


def test_pictures_stay_within_their_budget_and_come_back_on_need(make_desk):
    desk = make_desk(limit_bytes=4 * SIDE * SIDE * 3)
    desk.add(steps=20)
    desk.look()
    desk.wait("b1")
    assert desk.predictions.nbytes <= 4 * SIDE * SIDE * 3
    assert len(desk.predictions.roll("b1").errors) == 7
    assert desk.predictions.picture("b1", 5) is None
    desk.session.update_view(frame=5)
    desk.bench.wait(lambda: desk.predictions.picture("b1", 5) is not None)


def test_several_futures_are_drawn_and_the_first_is_the_likeliest(desk):
    desk.add()
    desk.look()
    desk.wait("b1")
    single = desk.predictions.roll("b1").trail()
    desk.session.commit(DrawFutures("b1", 8, seed=3))
    desk.wait("b1")
    trail = desk.predictions.roll("b1").trail()
    assert trail.shape == (7, 8, 2, 2)
    assert np.allclose(trail[:, 0], single[:, 0])
    size = (SIDE, SIDE)
    assert 0 < spread(trail[1], size) < spread(trail[-1], size)


def test_without_uncertainty_only_one_future_can_be_drawn(make_desk):
    desk = make_desk(Constant(uncertain=False))
    desk.add(futures=4)
    desk.look()
    desk.bench.wait(lambda: desk.predictions.roll("b1").state == "failed")
    assert "one future only" in desk.predictions.roll("b1").failure


def test_another_document_forgets_the_futures_of_the_last(desk):
    desk.add()
    desk.look()
    desk.wait("b1")
    desk.session.open_media(None)
    assert desk.predictions.roll("b1") is None
    assert desk.predictions.nbytes == 0
    assert desk.session.view.comparison.mode == "off"


def test_nothing_is_worked_out_while_nobody_looks_unless_it_is_required(desk):
    desk.add()
    desk.session.update_view(frame=1)
    desk.bench.wait(lambda: 1 in desk.session.document.encoded)
    assert desk.predictions.roll("b1").state == "waiting"
    desk.predictions.require(["b1"])
    desk.wait("b1")
    desk.session.commit(RemoveBranch("b1"))
    assert desk.predictions.roll("b1") is None


def test_a_model_that_does_not_predict_is_named(make_desk):
    from kpstudio.services.rollout import Start, Walk

    model = torch.nn.Linear(1, 1)
    with pytest.raises(CapabilityError, match="predictor checkpoint"):
        Walk(model, Start((), None))


def test_distances_by_hand():
    model = Constant()
    latents = model.encode(torch.rand(1, 3, SIDE, SIDE)).latents
    at = latents.rows("position")[0]
    moved = latents.with_rows("position", (0,), ((at[0] + 0.25, at[1]),))
    assert particle_distance(latents, moved, (SIDE, SIDE)) == pytest.approx(0.25 * SIDE / 2 / 2)
    assert particle_distance(latents, None, (SIDE, SIDE)) is None
    black, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 7, np.uint8)
    assert picture_distance(black, grey) == pytest.approx(7.0)
    assert picture_distance(black, None) is None
    positions = np.array([[[0.0, 0.0]], [[0.5, 0.0]]], np.float32)
    assert spread(positions, (SIDE, SIDE)) == pytest.approx(0.25 * SIDE / 2)
