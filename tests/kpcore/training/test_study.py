"""Tables of papers: what is done is not done again, what stopped goes on, what fails is told."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kpcore import registry
from kpcore.configuration import from_plain, override
from kpcore.errors import InputError
from kpcore.evaluation import protocols
from kpcore.models.keypoint_pyramids import ABLATIONS
from kpcore.training import study as module
from kpcore.training.events import CheckpointWritten, read_record
from kpcore.training.study import Choices, Column, Row, Schedule, Size, Study, conduct
from kpcore.training.tables import TABLES
from kpcore.training.trainer import Trainer

PSNR, RATIO = "PSNR, dB", "ratio"
TINY = Study(
    "Two sizes of heatmap",
    "no paper",
    (Column(PSNR, "locality", "psnr_db"), Column(RATIO, "locality", "ratio")),
    (
        Row("narrow", "keynet", {"small": "tiny"}, ("sigma=0.1",), paper={PSNR: 30.0}),
        Row("wide", "keynet", {"small": "tiny"}, ("sigma=0.4",), facts={PSNR: "psnr_db"}),
    ),
    {"small": Schedule(16, "bouncing", pool=16, options={"locality": ("pictures=2", "moves=1")})},
    "Tiny.",
)
ONCE = Choices(scale=0.5, device="cpu", threads=1)


def run(folder: Path, choices: Choices = ONCE, study: Study = TINY):
    told: list[str] = []
    report, whole = conduct(study, folder, choices, told.append)
    return report, whole, told


def test_rows_are_trained_alike_judged_once_and_stand_beside_the_paper(tmp_path: Path):
    report, whole, told = run(tmp_path)
    assert whole
    assert [word.split(":")[0] for word in told] == ["narrow", "wide", "narrow", "wide"]
    (table,) = report.tables
    assert table.columns == ("", "row", PSNR, f"{PSNR}, paper", RATIO, "steps", "minutes")
    narrow, wide = table.rows
    assert narrow[:2] == (1, "narrow")
    assert narrow[3] == 30.0
    assert wide[3:5] == (None, None), "the row has neither a paper's figure nor this column"
    assert narrow[5] == wide[5] == 8, "half of 16 steps"
    assert report.facts == {"data": "bouncing", "size": "small"}
    records = [read_record(tmp_path / name) for name in ("narrow", "wide")]
    assert [record.config["sigma"] for record in records] == [0.1, 0.4]
    assert "--set sigma=0.4" in " ".join(records[1].command)
    assert len(report.panels[0].lines["narrow"]) > 2, "how it learned"
    before = (tmp_path / "narrow" / "model.safetensors").stat().st_mtime_ns

    again, whole, told = run(tmp_path)
    assert whole
    assert told == [], "nothing is trained or measured twice"
    assert again.tables == report.tables
    assert (tmp_path / "narrow" / "model.safetensors").stat().st_mtime_ns == before

    other = replace(TINY, schedules={"small": replace(TINY.schedules["small"], options={})})
    kept = json.loads((tmp_path / "wide" / "figures.json").read_text())
    assert kept["locality"]["asked"]["options"] == ["pictures=2", "moves=1"]
    few = replace(other.schedules["small"], options={"locality": ("pictures=1", "moves=1")})
    _, _, told = run(tmp_path, ONCE, replace(TINY, schedules={"small": few}))
    assert told == ["narrow: locality", "wide: locality"], "judged otherwise"


def test_a_stopped_row_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(event: object) -> None:
        if isinstance(event, CheckpointWritten):
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(module, "Trainer", lambda job: Trainer(job, [stop]))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, replace(ONCE, only=("wide",)))
    assert not (tmp_path / "wide" / "model.safetensors").exists()
    report, whole, told = run(tmp_path, replace(ONCE, only=("wide",), scale=9.0))
    assert whole
    assert told[0] == "wide: going on"
    (row,) = report.tables[0].rows
    assert row[-2] == 8, "as it was begun"


def test_a_row_that_fails_is_told_and_the_others_go_on(tmp_path: Path):
    first = replace(TINY.rows[0], overrides=("sigma=none",))
    report, whole, told = run(tmp_path, ONCE, replace(TINY, rows=(first, TINY.rows[1])))
    assert not whole
    assert "sigma should be float" in told[1]
    assert [row[1] for row in report.tables[0].rows] == ["wide"]


def test_nothing_is_trained_when_only_judging(tmp_path: Path):
    report, whole, told = run(tmp_path, replace(ONCE, train=False))
    assert not whole
    assert told == []
    assert report.tables[0].rows == ()


def test_mistakes_are_refused_in_one_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="Did you mean 'wide'"):
        run(tmp_path, Choices(only=("wid",)))
    with pytest.raises(InputError, match="scale is 0"):
        Choices(scale=0.0)
    nowhere = replace(TINY, schedules={"small": replace(TINY.schedules["small"], data="")})
    with pytest.raises(InputError, match="--data"):
        run(tmp_path, ONCE, nowhere)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_trained_and_judged(name: str):
    study = TABLES[name]
    titles = {column.title for column in study.columns}
    assert len({row.name for row in study.rows}) == len(study.rows)
    for size, schedule in study.schedules.items():
        for row in study.rows:
            family = registry.get(row.family)
            preset = family.presets[row.presets[size]]
            changed = override(preset.config, (*schedule.overrides, *row.overrides))
            assert isinstance(changed, family.config)
            assert set(row.facts) | set(row.paper) <= titles
        for protocol, options in schedule.options.items():
            assert protocol in {column.protocol for column in study.columns}
            override(protocols.get(protocol).options(), options)


def test_the_ablations_of_pyramids_are_the_familys():
    rows = {row.name: row for row in TABLES["pyramids"].rows}
    family = registry.get("keypoint-pyramids")
    plain = family.presets["default"].config
    for name, fields in ABLATIONS.items():
        changed = override(plain, rows[f"pyramids-{name}"].overrides)
        assert changed == replace(plain, **fields)
        assert changed == family.presets[name].config
        assert from_plain(family.config, {}) != changed


@pytest.mark.parametrize("size", ["small", "paper"])
def test_a_row_that_names_its_losses_is_trained_with_no_other(size: Size):
    rows = {row.name: row for row in TABLES["tusk-losses"].rows}
    presets = registry.get("tusk").presets

    def config(name: str) -> Any:
        return override(presets[rows[name].presets[size]].config, rows[name].overrides)

    others = ("heatmap_weight", "feature_weight", "attention_weight")
    for name in ("reconstruction", "wasserstein", "wasserstein-k-means"):
        assert [getattr(config(name), other) for other in others] == [0.0, 0.0, 0.0]
    preset = presets[rows["all-in-turns"].presets[size]].config
    assert config("all-in-turns") == preset
    assert replace(config("all-together"), alternate=True) == preset
