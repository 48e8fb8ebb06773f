from __future__ import annotations

from pathlib import Path

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
