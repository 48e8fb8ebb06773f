"""`kp table` from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kpcore.cli import main
from kpcore.training import tables
from kpcore.training.study import Column, Row, Schedule, Study

TINY = Study(
    "Keypoints, few and fewer",
    "no paper",
    (Column("PSNR, dB", "locality", "psnr_db"),),
    (
        Row("few", "keynet", {"small": "tiny"}, paper={"PSNR, dB": 20.0}),
        Row("fewer", "keynet", {"small": "tiny"}, ("keypoints=2",)),
    ),
    {"small": Schedule(4, "bouncing", pool=16, options={"locality": ("pictures=2", "moves=1")})},
)


def test_tables_are_listed(capsys: pytest.CaptureFixture[str]):
    assert main(["table"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in tables.TABLES)


def test_a_table_is_printed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(tables, "TABLES", {"tiny": TINY})
    words = ["table", "tiny", "--out", str(tmp_path), "--threads", "1", "--device", "cpu"]
    assert main([*words, "--only", "few"]) == 0
    assert main([*words, "--scale", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "fewer: training" in said
    plain = json.loads((tmp_path / "table.json").read_text())
    (table,) = plain["tables"]
    assert [row[1] for row in table["rows"]] == ["few", "fewer"]
    assert [row[-2] for row in table["rows"]] == [4, 2]
    assert "| few |" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "table.png").stat().st_size > 1000

    broken = replace(TINY, rows=(*TINY.rows, Row("none", "keynet", {"small": "tiniest"})))
    monkeypatch.setattr(tables, "TABLES", {"tiny": broken})
    assert main(words) == 1
    assert "has no preset 'tiniest'" in capsys.readouterr().out


def test_an_unknown_table_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["table", "tusk-cluster"]) == 2
    assert "Did you mean 'tusk-clustering'" in capsys.readouterr().err
