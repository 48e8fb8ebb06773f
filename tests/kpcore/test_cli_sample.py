from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kpcore import checkpoint, registry
from kpcore.cli import main
from kpcore.configuration import to_plain


def _saved(folder: Path, family: str) -> Path:
    torch.manual_seed(0)
    known = registry.get(family)
    config = known.presets["tiny"].config
    path = folder / f"{family}.safetensors"
    checkpoint.save(path, known.build(config), checkpoint.Manifest(family, to_plain(config)))
    return path


def test_drawn_pictures_have_the_numbers_asked_for(tmp_path: Path, capsys) -> None:
    path, out = _saved(tmp_path, "lavae"), tmp_path / "drawn.png"
    words = ["sample", str(path), "--pictures", "5", "--scale", "1", "-o", str(out)]
    assert main([*words, "--counts", "0", "0", "1"]) == 0
    assert "5 of 2" in " ".join(capsys.readouterr().out.split())
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (2 * 34 - 2, 3 * 34 - 2, 3)
    assert main([*words, "--counts", "1"]) == 0
    assert np.asarray(Image.open(out))[:32, :32].max() == 0


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    path = _saved(tmp_path, "lavae-baseline")
    sheets = []
    for seed in (3, 3, 4):
        out = tmp_path / f"{len(sheets)}.png"
        assert main(["sample", str(path), "--seed", str(seed), "-o", str(out)]) == 0
        sheets.append(np.asarray(Image.open(out)))
    assert np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        ("lmdis", [], "no prior"),
        ("lavae-baseline", ["--counts", "1"], "no number of objects"),
        ("lavae", ["--counts", "0", "-1"], "no probabilities"),
        ("lavae", ["--pictures", "0"], "--pictures"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path: Path, capsys, family: str, more: list[str], said: str
) -> None:
    words = ["sample", str(_saved(tmp_path, family)), "-o", str(tmp_path / "a.png")]
    assert main([*words, *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
