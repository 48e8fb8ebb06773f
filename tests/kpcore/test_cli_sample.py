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


def _generator(folder: Path, box: tuple[int, int, int, int] | None = None) -> Path:
    torch.manual_seed(0)
    renderer, known = checkpoint.load(_saved(folder, "lmdis")), registry.get("lmdis-generator")
    config = known.presets["tiny"].config
    model, framing = known.build(config, renderer), {"fit": "crop", "box": box}
    manifest = checkpoint.Manifest(
        known.name,
        to_plain(config),
        data={"framing": framing},
        contains=checkpoint.contents(model, known.name),
    )
    path = folder / "generator.safetensors"
    checkpoint.save(path, model, manifest)
    return path


def _tiles(sheet: Path, side: int = 32) -> np.ndarray:
    """The pictures of a sheet, (rows, columns, side, side, 3)."""
    seen = np.asarray(Image.open(sheet))
    rows, columns = ((length + 2) // (side + 2) for length in seen.shape[:2])
    framed = np.pad(seen, ((0, 2), (0, 2), (0, 0)))
    framed = framed.reshape(rows, side + 2, columns, side + 2, 3)
    return framed[:, :side, :, :side].transpose(0, 2, 1, 3, 4)


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


def test_a_generator_draws_given_pictures_anew(tmp_path: Path, capsys) -> None:
    path, sheets = _generator(tmp_path), []
    for number, seed in enumerate((3, 3, 4)):
        out = tmp_path / f"{number}.png"
        words = ["sample", str(path), "--data", "shapes", "--pictures", "2", "--count", "3"]
        assert main([*words, "--scale", "1", "--seed", str(seed), "-o", str(out)]) == 0
        sheets.append(_tiles(out))
    assert "2 picture(s) drawn 3 time(s) each" in " ".join(capsys.readouterr().out.split())
    first, again, other = sheets
    assert first.shape[:2] == (2, 4)
    assert np.array_equal(first, again)
    assert np.array_equal(first[:, 0], other[:, 0]), "the given pictures"
    drawings = [*first[:, 1:].reshape(6, -1), *other[:, 1:].reshape(6, -1)]
    assert len({drawing.tobytes() for drawing in drawings}) == 12, "each with noise of its own"


def test_given_pictures_are_framed_as_in_training_and_spread(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        picture = np.full((32, 64, 3), 255, np.uint8)
        picture[:, :32] = 10 * number
        Image.fromarray(picture).save(folder / f"{number}.png")
    path, out = _generator(tmp_path, box=(0, 0, 32, 32)), tmp_path / "drawn.png"
    words = ["sample", str(path), "--count", "1", "--scale", "1", "-o", str(out), "--data"]
    assert main([*words, str(folder), "--pictures", "3"]) == 0
    assert [(g.min(), g.max()) for g in _tiles(out)[:, 0]] == [(0, 0), (20, 20), (40, 40)]
    assert main([*words, str(folder / "3.png")]) == 0
    (given,) = _tiles(out)[:, 0]
    assert (given.min(), given.max()) == (30, 30), "a picture alone is a row alone"


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        ("lmdis", [], "no prior"),
        ("lavae-baseline", ["--counts", "1"], "no number of objects"),
        ("lavae", ["--counts", "0", "-1"], "no probabilities"),
        ("lavae", ["--pictures", "0"], "--pictures"),
        ("lavae", ["--count", "3"], "use --pictures"),
        ("lavae", ["--data", "shapes"], "one picture of its particles"),
        ("lmdis", ["--data", "shapes"], "one picture of its particles"),
        ("lmdis", ["--data", "shapes", "--counts", "1"], "--counts is for"),
        ("lmdis", ["--data", "shapes", "--count", "0"], "--count is 0"),
        ("lmdis", ["--data", "shapes", "--count", "1023", "--pictures", "2"], "use 1 to 1, or"),
        ("lmdis", ["--data", "nothing-here"], "one picture of its particles"),
        ("generator", ["--data", "nothing-here"], "there is no data"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path: Path, capsys, family: str, more: list[str], said: str
) -> None:
    path = _generator(tmp_path) if family == "generator" else _saved(tmp_path, family)
    words = ["sample", str(path), "-o", str(tmp_path / "a.png")]
    assert main([*words, *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
