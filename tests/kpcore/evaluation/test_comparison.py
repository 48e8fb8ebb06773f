from __future__ import annotations

from pathlib import Path

from kpcore.evaluation.comparison import compare
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


def test_files_of_one_name_are_told_apart_by_their_folders():
    paths = [Path("runs/a/model.safetensors"), Path("runs/b/model.safetensors")]
    report = compare("pose", {path: told(data="x") for path in paths}, {})
    assert [row[0] for row in report.tables[0].rows] == ["runs/a/model", "runs/b/model"]
    assert set(report.facts["checkpoints"]) == {"runs/a/model", "runs/b/model"}  # type: ignore[arg-type]
