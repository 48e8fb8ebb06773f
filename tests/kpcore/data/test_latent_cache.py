from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpcore.data import latent_cache

SHAPES = {"position": (3, 2, 2), "presence": (3, 2)}


@pytest.fixture
def arrays():
    chance = np.random.default_rng(0)
    return {name: chance.random(shape).astype(np.float32) for name, shape in SHAPES.items()}


def test_numbers_come_back(tmp_path: Path, arrays):
    file = tmp_path / "cache" / latent_cache.cache_name("model", "clip")
    assert latent_cache.recall(file, SHAPES) is None
    latent_cache.keep(file, arrays)
    again = latent_cache.recall(file, SHAPES)
    assert again is not None
    assert again.keys() == arrays.keys()
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)


def test_another_model_or_clip_has_another_name():
    names = {latent_cache.cache_name(a, b) for a in ("a", "b") for b in ("a", "b")}
    assert len(names) == 4


@pytest.mark.parametrize("place", ["cut", "header", "number"])
def test_what_is_damaged_is_not_used(tmp_path: Path, arrays, place: str):
    file = tmp_path / "a.safetensors"
    latent_cache.keep(file, arrays)
    blob = bytearray(file.read_bytes())
    if place == "cut":
        blob = blob[:-5]
    elif place == "header":
        blob[9] ^= 0xFF
    else:
        blob[-3] ^= 1
    file.write_bytes(bytes(blob))
    assert latent_cache.recall(file, SHAPES) is None


def test_numbers_of_another_shape_are_not_used(tmp_path: Path, arrays):
    file = tmp_path / "a.safetensors"
    latent_cache.keep(file, arrays)
    assert latent_cache.recall(file, {**SHAPES, "position": (4, 2, 2)}) is None
    assert latent_cache.recall(file, {"position": (3, 2, 2)}) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, arrays):
    (tmp_path / "file").write_text("")
    latent_cache.keep(tmp_path / "file" / "a.safetensors", arrays)


def test_the_oldest_go_first(tmp_path: Path, arrays, monkeypatch: pytest.MonkeyPatch):
    import os

    for number in range(3):
        file = tmp_path / f"{number}.safetensors"
        latent_cache.keep(file, arrays)
        os.utime(file, (number, number))
    size = file.stat().st_size
    monkeypatch.setattr(latent_cache, "LIMIT_BYTES", 2 * size)
    latent_cache.keep(tmp_path / "3.safetensors", arrays)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.safetensors", "3.safetensors"]
