from __future__ import annotations

import pytest

from kpcore.configuration import from_plain, to_plain
from kpcore.errors import InputError
from kpcore.training.config import Cadence, DataChoice, Optimisation, RunRecord


def test_rate_rises_and_falls():
    o = Optimisation(steps=100, batch=1, learning_rate=1.0, milestones=(0.5, 0.9), rise=10)
    assert o.rate(0) == pytest.approx(0.1)
    assert o.rate(9) == 1.0
    assert o.rate(49) == 1.0
    assert o.rate(50) == 0.5
    assert o.rate(90) == 0.25


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}]
)
def test_impossible_numbers_are_refused(change: dict[str, float]):
    with pytest.raises(InputError, match=next(iter(change))):
        Optimisation(**{"steps": 1, "batch": 1, "learning_rate": 1.0, **change})  # type: ignore[arg-type]


def test_cadence_follows_the_length_and_the_user():
    assert Cadence.for_steps(10_000).snapshot == 200
    assert Cadence.for_steps(10_000, snapshot=7, checkpoint=9) == Cadence(10, 7, 400, 9)
    assert Cadence.for_steps(3).log == 1
    with pytest.raises(InputError, match="snapshot"):
        Cadence.for_steps(10, snapshot=-1)


def test_record_goes_through_json():
    record = RunRecord(
        family="toy",
        preset="default",
        config={"particles": 3},
        data=DataChoice("street.mp4", box=(1, 2, 3, 4)),
        optimisation=Optimisation(3, 2, 0.1, (0.5,)),
        cadence=Cadence.for_steps(3),
    )
    assert from_plain(RunRecord, to_plain(record)) == record
