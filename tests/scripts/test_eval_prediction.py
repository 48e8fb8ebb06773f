"""The script's own logic: the JSON line, and the table in files."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import torch

from kpcore import checkpoint, registry
from kpcore.configuration import to_plain

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "eval_prediction.py"


def test_the_last_line_is_one_json_object(tmp_path, monkeypatch, capsys):
    family = registry.get("keynet-rnn")
    config = family.presets["tiny"].config
    torch.manual_seed(0)
    path = tmp_path / "predictor.safetensors"
    checkpoint.save(path, family.build(config), checkpoint.Manifest("keynet-rnn", to_plain(config)))
    out = tmp_path / "new" / "table"
    words = [path, "--steps", "3", "--clips", "2", "--out", out, "--baseline", path]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["steps"], said["clips"], said["data"]) == (3, 2, "traffic")
    assert {"steps_beating_copy", "steps_beating_velocity", "mean"} <= said.keys()
    table = json.loads(Path(said["table"]).read_text())["tables"][1]
    assert [row[0] for row in table["rows"]] == [1, 2, 3]
