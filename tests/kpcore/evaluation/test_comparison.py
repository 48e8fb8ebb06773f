from __future__ import annotations

from pathlib import Path

from kpcore.evaluation.comparison import compare
from kpcore.evaluation.plot import Bars
from kpcore.evaluation.report import Report, Table

NOTE = Table("Figures", ("figure",), (), "Edges lie at +-1.")


def told(**facts) -> Report:
    return Report("A report", facts, (NOTE,))


def test_rows_hold_the_numbers_of_the_facts():
    reports = {
        Path("a/one.safetensors"): told(data="shapes", ratio=2.5, percent={"left": 1}, fine=True),
        Path("a/two.safetensors"): told(data="traffic", ratio=3.5, psnr_db=None, moves=4),
    }
    report = compare("locality", reports, {Path("b/three.safetensors"): "it cannot be moved"})
    (table,) = report.tables
    assert table.columns == ("checkpoint", "data", "ratio", "percent left", "moves")
    assert table.rows == (
        ("one", "shapes", 2.5, 1, None),
        ("two", "traffic", 3.5, None, 4),
        ("three", None, None, None, None),
    )
    assert table.note == "Edges lie at +-1. three: it cannot be moved"
    assert report.title == "Locality of 3 checkpoints"


def test_figures_in_which_checkpoints_differ_are_drawn():
    reports = {
        Path("one.safetensors"): told(data="shapes", pictures=64, psnr_db=20.5, ratio=2.5),
        Path("two.safetensors"): told(data="shapes", pictures=64, psnr_db=21.5),
        Path("six.safetensors"): told(data="shapes", pictures=64, psnr_db=19.5, ratio=3.0),
    }
    drawn = compare("locality", reports, {Path("no.safetensors"): "damaged"}).drawings()
    assert drawn == (
        Bars("psnr db", ("one", "two", "six"), {"psnr db": [20.5, 21.5, 19.5]}),
        Bars("ratio", ("one", "six"), {"ratio": [2.5, 3.0]}),
    )


def test_files_of_one_name_are_told_apart_by_their_folders():
    paths = [Path("runs/a/model.safetensors"), Path("runs/b/model.safetensors")]
    report = compare("pose", {path: told(data="x") for path in paths}, {})
    assert [row[0] for row in report.tables[0].rows] == ["runs/a/model", "runs/b/model"]
    assert set(report.facts["checkpoints"]) == {"runs/a/model", "runs/b/model"}  # type: ignore[arg-type]
