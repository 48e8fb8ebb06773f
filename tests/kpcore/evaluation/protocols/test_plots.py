"""Every protocol writes a plot that fits its figures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kpcore import registry
from kpcore.api import KeypointModel
from kpcore.data.synthetic import find_scenes
from kpcore.evaluation import protocols
from kpcore.evaluation.plot import Bars, Matrix, Panel
from kpcore.evaluation.report import Report, write
from tests.kpcore.evaluation.protocols.test_object_protocols import Oracle
from tests.kpcore.evaluation.test_locality import Dots
from tests.kpcore.evaluation.test_objects import Oracle as SceneOracle
from tests.toy_family import Toy, ToyConfig

FACES = {"pictures": 30}
PEOPLE = {"videos": 44, "frames": 2}


def judged(protocol: str, model: KeypointModel, data: str, **options: object) -> Report:
    chosen = protocols.get(protocol)
    subject = protocols.Subject(model.eval(), Path("one.safetensors"), data)
    return chosen.run(subject, chosen.options(**options))


def tiny(family: str) -> KeypointModel:
    torch.manual_seed(0)
    chosen = registry.get(family)
    return chosen.build(chosen.presets["tiny"].config)


def column(report: Report, name: str, table: int = 0) -> dict[str, object]:
    chosen = report.tables[table]
    at = chosen.columns.index(name)
    return {str(row[0]): row[at] for row in chosen.rows}


def shown(bars: object, line: str) -> dict[str, float]:
    assert isinstance(bars, Bars)
    return dict(zip(bars.names, bars.lines[line], strict=True))


def test_landmarks_show_the_error_of_each_input():
    report = judged("landmarks", Toy(ToyConfig()), "cartoon-faces", **FACES)
    (bars,) = report.drawings()
    assert shown(bars, "error, %") == column(report, "error, %")
    assert bars.title == "error, % of the distance of the eyes"


@pytest.mark.parametrize("variant", ["halves", "left-right"])
def test_variants_of_landmarks_show_both_of_their_fits(variant: str):
    report = judged("landmarks", Toy(ToyConfig()), "stick-figures", pictures=60, variant=variant)
    (bars,) = report.drawings()
    assert tuple(shown(bars, "error").values()) == report.tables[0].rows[0][:2]


def test_attributes_show_all_inputs_beside_guessing():
    report = judged(
        "attributes", Toy(ToyConfig()), "cartoon-faces", **FACES, names="Smiling,Pale_Skin"
    )
    (bars,) = report.drawings()
    assert isinstance(bars, Bars)
    assert list(bars.lines) == ["positions", "more frequent answer"]
    for line in bars.lines:
        assert shown(bars, line) == column(report, line)


def test_poses_show_both_errors_by_level():
    report = judged("pose", tiny("keypoint-pyramids"), "stick-figures", **PEOPLE)
    first, second = report.drawings()
    assert shown(first, "rmse %") == report.facts["rmse_percent"]
    assert shown(second, "left-right %") == report.facts["left_right_percent"]


def test_actions_show_what_each_was_taken_for():
    quick = {"clips": 22, "frames": 2, "steps": 2, "hidden": 4}
    report = judged("actions", tiny("keypoint-pyramids"), "stick-figures", **quick)
    bars, taken = report.drawings()
    assert shown(bars, "people never seen") == column(report, "people never seen")
    assert isinstance(taken, Matrix)
    assert taken.rows == taken.columns
    right = {name: 50.0 * taken.values[i][i] for i, name in enumerate(taken.rows)}
    assert right == column(report, "percent", table=1)


def test_digits_show_what_prototypes_stand_for():
    report = judged("digits", Oracle("mnist-hard", "digit"), "mnist-hard", pictures=10)
    bars, found = report.drawings()
    assert shown(bars, "percent") == column(report, "percent")
    assert isinstance(found, Matrix)
    assert len(found.rows) == 20
    assert sum(map(sum, found.values)) == report.facts["digits"]
    assert all(sum(count > 0 for count in row) <= 1 for row in found.values)


def test_counts_are_shown_by_the_true_number():
    options = {"pictures": 24, "bound_pictures": 2, "samples": 2}
    report = judged("counting", tiny("lavae"), "multi-dsprites", **options)
    told = column(report, "measured")
    counted, bound = report.drawings()
    seen = shown(counted, "counted right")
    assert seen.pop("all") == report.facts["count_accuracy"]
    assert seen == {name: told[name] for name in told if name.endswith(" objects")}
    assert list(seen) == sorted(seen)
    assert shown(bound, "").popitem()[1] == report.facts["nats"]


def test_discovery_and_locality_show_their_figures():
    report = judged("discovery", Oracle("tetrominoes", "colour"), "tetrominoes", pictures=10)
    (bars,) = report.drawings()
    assert shown(bars, "percent") == report.facts["percent"]
    report = judged("locality", Dots(), "shapes", pictures=3, moves=1)
    drawn = [value for bars in report.drawings() for value in shown(bars, "value").values()]
    assert drawn == [row[1] for row in report.tables[0].rows]


def test_objects_show_shares_and_decibels_apart():
    scenes = [find_scenes("multi-dsprites").sample(5, i, 64) for i in range(3)]
    report = judged("objects", SceneOracle(scenes), "multi-dsprites", scenes=3, seed=5)
    shares, quality = report.drawings()
    assert shown(shares, "percent")["found within 3 px"] == 100.0
    assert len(shown(quality, "dB")) == 3


def test_all_kinds_lie_side_by_side_in_one_file(tmp_path: Path):
    panels = (
        Panel("lines", "x", {"a": [1.0, 2.0]}),
        Bars("bars", ("one",), {"a": [1.0], "b": [2.0]}),
        Matrix("matrix", "row", ("r",), "column", ("c",), [[3]]),
    )
    assert write(Report("T", {}, (), panels), tmp_path / "out")[-1].stat().st_size > 1000
