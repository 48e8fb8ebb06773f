"""`kp eval` from the command line, on an untrained predictor of seconds."""

from __future__ import annotations

import io
import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from rich.console import Console

from kpcore import checkpoint, registry
from kpcore.cli import main
from kpcore.cli.evaluate import print_report
from kpcore.configuration import to_plain
from kpcore.evaluation.report import Report, Table


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    family = registry.get("keynet-rnn")
    config = family.presets["tiny"].config
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "predictor.safetensors"
    manifest = checkpoint.Manifest("keynet-rnn", to_plain(config), data={"source": "shapes"})
    checkpoint.save(path, family.build(config), manifest)
    return path


def evaluate(*words: object) -> int:
    return main(["eval", *map(str, words), "--device", "cpu"])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert evaluate(*words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said


def test_the_report_is_printed_and_written(predictor, tmp_path, capsys):
    options = ["--set", "steps=4", "--set", "clips=3", "--set", f"baseline={predictor}"]
    assert evaluate(predictor, *options, "-o", tmp_path / "report") == 0
    said = capsys.readouterr().out
    assert "predictor.safetensors on shapes" in said
    assert "velocity" in said
    plain = json.loads((tmp_path / "report.json").read_text())
    facts, (means, steps) = plain["facts"], plain["tables"]
    assert (facts["clips"], facts["steps"], facts["lpips"]) == (3, 4, "no weights given")
    assert 0 <= facts["steps_beating_copy"] <= 4
    assert len(facts["lost_to_copy_at"]) == 4 - facts["steps_beating_copy"]
    names = ["keynet-rnn", "copy last frame", "constant velocity", "keynet-rnn (baseline)"]
    assert [row[0] for row in means["rows"]] == names
    assert means["rows"][0][2:] == means["rows"][3][2:], "the baseline is the same model here"
    assert len(steps["rows"]) == 4
    assert (tmp_path / "report.md").read_text().count("\n| ") > 8
    assert (tmp_path / "report.png").stat().st_size > 1000


def test_videos_have_no_tracks(predictor, tmp_path, capsys):
    for frame in range(9):
        picture = np.full((40, 50, 3), 20 * frame, dtype=np.uint8)
        iio.imwrite(tmp_path / f"{frame}.png", picture)
    out = tmp_path / "out"
    words = ["--data", tmp_path, "--set", "steps=2", "--set", "clips=9", "-o", out]
    assert evaluate(predictor, *words) == 0
    plain = json.loads((tmp_path / "out.json").read_text())
    assert plain["facts"]["clips"] == 1
    assert plain["tables"][0]["rows"][0][5] is None


def test_protocols_are_listed_with_their_options(capsys):
    assert main(["eval"]) == 0
    said = capsys.readouterr().out
    assert "prediction" in said
    assert "lpips_trunk" in said
    assert "objects" in said


def test_several_checkpoints_are_rows_of_one_table(predictor, tmp_path, capsys):
    family = registry.get("dlp-compact")
    config = family.presets["tiny"].config
    nameless, other = tmp_path / "nameless.safetensors", tmp_path / "other.safetensors"
    for path, data in ((nameless, {}), (other, {"source": "bouncing"})):
        manifest = checkpoint.Manifest("dlp-compact", to_plain(config), data=data)
        checkpoint.save(path, family.build(config), manifest)
    words = ["--protocol", "locality", "--set", "pictures=2", "-o", tmp_path / "both"]
    assert evaluate(other, nameless, predictor, *words) == 1
    assert "nameless: 'nameless.safetensors' does not say" in capsys.readouterr().out
    plain = json.loads((tmp_path / "both.json").read_text())
    (table,) = plain["tables"]
    assert table["columns"][:4] == ["checkpoint", "data", "moves", "psnr db"]
    names = [(row[0], row[1]) for row in table["rows"]]
    assert names == [("other", "bouncing"), ("predictor", "shapes"), ("nameless", None)]
    assert table["rows"][2][2:] == [None] * 5
    facts = plain["facts"]["checkpoints"]["other"]
    assert table["rows"][0][2:] == [
        facts[name] for name in ("moves", "psnr_db", "near", "elsewhere", "ratio")
    ]


def test_what_cannot_be_judged_is_refused_in_one_sentence(predictor, tmp_path, capsys):
    assert "Did you mean 'prediction'" in refused(capsys, predictor, "--protocol", "predictions")
    assert "Did you mean 'steps'" in refused(capsys, predictor, "--set", "step=3")
    assert "use at least 1" in refused(capsys, predictor, "--set", "steps=0")
    assert "both of its files" in refused(capsys, predictor, "--set", "lpips_trunk=a.pth")
    assert "no file or folder" in refused(capsys, predictor, "--data", tmp_path / "nowhere")
    assert "presence 'gate' and glimpses of 0 px" in refused(
        capsys, predictor, "--protocol", "objects", "--set", "scenes=2"
    )
    family = registry.get("dlp-compact")
    config = family.presets["tiny"].config
    image = tmp_path / "image.safetensors"
    checkpoint.save(
        image, family.build(config), checkpoint.Manifest("dlp-compact", to_plain(config))
    )
    assert "predicts no video" in refused(
        capsys, image, "--data", "shapes", "--protocol", "prediction"
    )
    assert "no particle is present" in refused(
        capsys, image, "--data", "shapes", "--set", "pictures=2"
    ), "a model of stills is judged by what its edits change"
    assert "with --data" in refused(capsys, image)
    baseline = ["--set", f"baseline={image}", "--set", "steps=2"]
    assert "predicts no video" in refused(capsys, predictor, *baseline)


def test_a_wide_table_is_printed_with_its_figures_going_down():
    figures = tuple(f"figure {index}" for index in range(9))
    rows = (
        ("runs/one-long-name/model", *range(9)),
        ("runs/another-long-name/model", *range(9, 18)),
    )
    report = Report("Two", {}, (Table("Figures", ("checkpoint", *figures), rows, ""),))
    console = Console(width=60, record=True, file=io.StringIO())
    print_report(report, console)
    said = console.export_text()
    assert "…" not in said
    for index in range(9):
        line = next(line for line in said.splitlines() if f"figure {index}" in line)
        assert [cell.strip() for cell in line.split("│")[2:4]] == [str(index), str(9 + index)]
