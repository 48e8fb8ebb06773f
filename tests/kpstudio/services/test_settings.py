from __future__ import annotations

import json
from pathlib import Path

from kpstudio.services.settings import Settings, SettingsStore, read_settings


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    store = SettingsStore(path)
    assert store.settings == Settings()
    assert store.update(theme="dark", record_fps=60) == ""
    store.add_recent(tmp_path / "a.mp4")
    store.add_recent(tmp_path / "b.mp4")
    store.add_recent(tmp_path / "a.mp4")
    again = SettingsStore(path).settings
    assert again == store.settings
    assert [Path(p).name for p in again.recent] == ["a.mp4", "b.mp4"]
    store.forget_recent(tmp_path / "a.mp4")
    assert [Path(p).name for p in SettingsStore(path).settings.recent] == ["b.mp4"]
    store.forget_recent()
    assert store.settings.recent == ()


def test_an_unreadable_value_falls_back_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    values = {"version": 1, "theme": "purple", "device": "cpu", "recent": [1], "record_fps": True}
    path.write_text(json.dumps(values))
    settings, notices = read_settings(path)
    assert settings == Settings(device="cpu")
    assert len(notices) == 3
    assert "purple" in notices[0]


def test_a_damaged_file_gives_defaults_and_a_notice(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    for text in ("{", "[]", "\x00"):
        path.write_text(text)
        settings, notices = read_settings(path)
        assert settings == Settings()
        assert len(notices) == 1


def test_a_newer_file_is_read_as_far_as_known(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"version": 99, "theme": "dark", "later": 1}))
    settings, notices = read_settings(path)
    assert settings.theme == "dark"
    assert "newer" in notices[0]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    store = SettingsStore(blocked / "settings.json")
    assert "cannot write" in store.update(theme="light")
    assert store.settings.theme == "light"


def test_many_recent_paths_are_capped(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "settings.json")
    for index in range(30):
        store.add_recent(tmp_path / f"{index}")
    assert len(store.settings.recent) == 12
    assert store.settings.recent[0].endswith("29")
