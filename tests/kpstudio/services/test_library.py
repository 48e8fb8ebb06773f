from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpcore.errors import DataError
from kpstudio.services import library


def test_a_path_is_told_by_its_kind(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    assert library.kind_of(run) == "media"
    (run / "config.json").write_text("{}")
    assert library.kind_of(run) == "run"
    kinds = {
        "a.safetensors": "checkpoint",
        "a.PTH": "checkpoint",
        "b.kps": "session",
        "c.mp4": "media",
        "d": "media",
        "events.jsonl": "run",
    }
    assert {name: library.kind_of(tmp_path / name) for name in kinds} == kinds


def test_the_demos_of_the_table_have_their_files_and_names_of_their_own() -> None:
    demos = library.demos()
    assert demos[0].name == "particles"
    assert len({demo.name for demo in demos}) == len(demos)
    for demo in demos:
        assert demo.checkpoint.is_file()
        assert demo.sample.exists()
        assert demo.title
        assert demo.text.endswith(".")


def test_what_a_card_says_fits_its_three_lines() -> None:
    assert max(len(demo.text) for demo in library.demos()) <= 105


def test_a_demo_is_found_by_name_and_the_first_without_one() -> None:
    assert library.demo() == library.demos()[0]
    assert library.demo("particles").checkpoint.name == "demo.safetensors"
    with pytest.raises(DataError, match="Did you mean 'particles'"):
        library.demo("particle")


def test_a_demo_without_its_files_is_not_offered_and_a_damaged_table_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "demos.json"
    entry = {"name": "a", "title": "A", "text": "A.", "checkpoint": "no.safetensors", "sample": "x"}
    table.write_text(json.dumps([entry]))
    real = library.resource_path
    monkeypatch.setattr(
        library, "resource_path", lambda name: table if name == library.DEMOS else real(name)
    )
    assert library.demos() == ()
    with pytest.raises(DataError, match="has no demo"):
        library.demo()
    table.write_text(json.dumps([{"name": "a"}]))
    with pytest.raises(DataError, match="install Keypoint Studio again"):
        library.demos()
