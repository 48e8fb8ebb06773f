from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from kpcore.errors import DataError
from kpcore.evaluation.plot import COLOURS, Bars, Matrix, Panel, draw, labelled, ticks
from kpcore.evaluation.report import Report, Table, bars, shown, write

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


def test_without_numbers_there_is_no_plot(tmp_path):
    words = Table("T", ("name", "value"), (("a", "b"), ("c", None), ("d", True), ("e", math.nan)))
    names = write(Report("T", {}, (words,)), tmp_path / "out")
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


def drawn(*drawings: Panel | Bars | Matrix) -> np.ndarray:
    with Image.open(io.BytesIO(draw(drawings))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def painted(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (pixels == colour).all(-1)


def test_named_numbers_are_drawn_by_their_unit(tmp_path):
    rows = (("PSNR, dB", 27.0), ("near, of 255", 12), ("far, of 255", 0.5), ("ratio", 24.0))
    report = Report("T", {}, (Table("T", ("figure", "value"), rows), TABLE))
    found = report.drawings()
    assert [one.title for one in found] == ["dB", "of 255", "value", "value"]
    assert isinstance(found[1], Bars)
    assert found[1].names == ("near", "far")
    assert found[1].lines == {"value": [12, 0.5]}
    names = write(report, tmp_path / "out")
    assert [path.suffix for path in names] == [".json", ".md", ".png"]
    assert "![T](out.png)" in names[1].read_text()


def test_a_report_with_panels_draws_them_alone():
    panel = Panel("PSNR", "step", {"ours": [30.0, 28.0]})
    assert Report("T", {}, (TABLE,), (panel,)).drawings() == (panel,)


def test_a_column_becomes_bars_without_the_rows_that_have_no_number():
    rows = (("a", 3, 1.5), ("b", 4, None), ("c", 5, 2.5), ("d", 6, math.inf))
    found = bars(Table("T", ("name", "K", "error"), rows), "error", title="error, %")
    assert found == Bars("error, %", ("a", "c"), {"error": [1.5, 2.5]})


def test_bars_are_as_long_as_their_values():
    pixels = drawn(Bars("T", ("twenty", "ten", "none"), {"x": [20.0, 10.0, math.nan]}))
    lengths = painted(pixels, COLOURS[0]).sum(1)
    longest, shorter = sorted({int(one) for one in lengths if one}, reverse=True)
    assert shorter == pytest.approx(longest / 2, abs=2)
    rows = [np.nonzero(lengths == one)[0].mean() for one in (longest, shorter)]
    assert rows[0] < rows[1], "from the top"


def test_bars_below_zero_go_to_the_other_side():
    pixels = painted(drawn(Bars("T", ("up", "down"), {"x": [5.0, -5.0]})), COLOURS[0])
    up, down = (np.nonzero(half)[1] for half in np.array_split(pixels, [110]))
    assert down.max() <= up.min() + 1


def test_groups_of_bars_have_a_legend_that_fits():
    kinds = {"positions": [3.0], "positions and features": [4.0], "more frequent answer": [5.0]}
    pixels = drawn(Bars("T", ("a",), kinds))
    alone = drawn(Bars("T", ("a",), {"positions": [3.0]}))
    for colour in COLOURS[:3]:
        assert painted(pixels, colour).sum() > 1000
    assert len(pixels) > len(alone), "one kind of bar needs no legend"
    assert (pixels[:, -16:] == 255).all(), "nothing is cut off at the right"


def test_a_long_name_has_lines_and_stays_inside():
    name = "how far the picture changes where nothing was moved, beside and behind all objects"
    pixels = drawn(Bars("T", (name,), {"x": [1.0]}))
    assert (pixels[:, :8] == 255).all()
    ink = (pixels[80:, :380] < 128).any((1, 2))
    assert (np.diff(ink.astype(int)) == 1).sum() >= 3


def test_a_cell_is_the_darker_the_more_it_holds():
    names = ("0", "1")
    pixels = drawn(Matrix("T", "row", names, "column", names, [[0, 10], [5, 0]]))
    half = tuple(round(255 + 0.5 * (c - 255)) for c in COLOURS[0])
    full_at, half_at = (np.argwhere(painted(pixels, c)).mean(0) for c in (COLOURS[0], half))
    assert full_at[0] < half_at[0], "first row"
    assert full_at[1] > half_at[1] + 200, "second column"
    assert painted(pixels, COLOURS[0]).sum() > 5000


def test_long_names_of_columns_are_written_upwards():
    def tall(columns: tuple[str, ...]) -> int:
        return len(drawn(Matrix("T", "row", ("a",), "column", columns, [[1, 2]])))

    assert tall(("jumping jack", "walking")) > tall(("0", "1")) + 80


def test_a_fifth_drawing_begins_another_row():
    one = Bars("T", ("a",), {"x": [1.0]})
    alone, four, five = (drawn(*[one] * count).shape for count in (1, 4, 5))
    assert four[:2] == (alone[0], 4 * alone[1])
    assert five[:2] == (2 * alone[0], 4 * alone[1])
    assert painted(drawn(*[one] * 5)[alone[0] :], COLOURS[0]).any()


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (10977.4, "10977"), (99.942, "99.94"), (0.016553, "0.0166"), (-2.5, "-2.5"),
     (2.5e9, "2.5e+09")],
)  # fmt: skip
def test_bars_tell_their_values_in_few_digits(value, text):
    assert labelled(value) == text
