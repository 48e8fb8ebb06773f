from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from kpcore.errors import DataError
from kpcore.evaluation.plot import COLOURS, Panel, draw, ticks
from kpcore.evaluation.report import Report, Table, shown, write

TABLE = Table(
    "Figures", ("name", "value"), (("a|b", 1.234), ("none", None), ("gap", math.nan)), "A note."
)


def test_a_report_is_written_as_json_markdown_and_plot(tmp_path):
    panel = Panel("PSNR", "step", {"ours": [30.0, 28.0], "theirs": [25.0, math.nan]})
    report = Report(
        "Title", {"clips": 3, "mean": {"psnr": 1.5}, "lost": [1, 2]}, (TABLE,), (panel,)
    )
    names = write(report, tmp_path / "out.json")
    assert [path.name for path in names] == ["out.json", "out.md", "out.png"]
    plain = json.loads(names[0].read_text())
    assert plain["facts"] == {"clips": 3, "mean": {"psnr": 1.5}, "lost": [1, 2]}
    assert plain["tables"][0]["rows"] == [["a|b", 1.234], ["none", None], ["gap", None]]
    text = names[1].read_text()
    assert text.startswith("# Title\n\n- clips: 3\n- mean psnr: 1.50\n- lost: 1, 2\n")
    assert "![Title](out.png)" in text
    assert "## Figures\n\nA note.\n\n| name | value |\n| --- | --- |\n| a\\|b | 1.23 |" in text
    assert "| gap | - |" in text
    with Image.open(names[2]) as picture:
        assert picture.format == "PNG"


def test_without_curves_there_is_no_plot(tmp_path):
    names = write(Report("T", {}, (TABLE,)), tmp_path / "out")
    assert [path.suffix for path in names] == [".json", ".md"]
    assert "![" not in names[1].read_text()


def test_a_name_with_a_dot_keeps_it(tmp_path):
    assert write(Report("T", {}), tmp_path / "v1.5")[0].name == "v1.5.json"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError):
        write(Report("T", {}), tmp_path / "file" / "out")


def test_rows_must_fit_their_columns():
    with pytest.raises(DataError, match="2 columns and a row of 1"):
        Table("T", ("a", "b"), ((1,),))


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, "-"), (12.345, "12.35"), (0.01234, "0.0123"), (0.0, "0.00"), (True, "yes"), (7, "7")],
)
def test_cells_are_read_easily(cell, text):
    assert shown(cell) == text


def test_ticks_are_round_numbers_inside_the_range():
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(1, 30) == [5, 10, 15, 20, 25, 30]
    assert ticks(-7.0, 33.0) == [0.0, 10.0, 20.0, 30.0]
    assert ticks(2.0, 2.0) == [2.0]


def test_a_higher_line_is_drawn_higher():
    panel = Panel("T", "x", {"low": [1.0, 1.0], "high": [9.0, 9.0]})
    with Image.open(io.BytesIO(draw([panel]))) as picture:
        pixels = np.asarray(picture.convert("RGB"))[:600]
    rows = [np.nonzero((pixels == colour).all(-1).sum(1) > 100)[0].mean() for colour in COLOURS[:2]]
    assert rows[1] < rows[0] - 300


def test_a_dashed_line_has_gaps():
    def ink(dashed: frozenset[str]) -> int:
        panel = Panel("T", "x", {"a": [1.0, 2.0]}, dashed)
        with Image.open(io.BytesIO(draw([panel]))) as picture:
            return int((np.asarray(picture.convert("RGB")) == COLOURS[0]).all(-1).sum())

    assert 0.3 * ink(frozenset()) < ink(frozenset({"a"})) < 0.7 * ink(frozenset())
