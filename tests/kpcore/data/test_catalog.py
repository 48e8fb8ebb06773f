from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from kpcore.data.catalog import open_source
from kpcore.data.image_folder import FrameSource
from kpcore.data.procedural import SceneImages
from kpcore.data.synthetic import scene_names as names
from kpcore.errors import DataError, InputError


def test_a_video(short_video: Path, home_of_its_own: Path):
    source = open_source(str(short_video), (32, 32), held_out=0.25)
    assert isinstance(source, FrameSource)
    assert len(source) == 30
    assert source.description.source == str(short_video)
    assert list((home_of_its_own / "cache" / "keypoint-studio" / "frames").glob("*.npy"))


def test_a_folder(tmp_path: Path):
    Image.new("RGB", (9, 9), (5, 5, 5)).save(tmp_path / "a.png")
    assert (open_source(str(tmp_path), (16, 16)).images([0]) == 5).all()


def test_procedural_scenes():
    source = open_source("shapes", (32, 32), seed=3)
    assert isinstance(source, SceneImages)
    assert source.description.source == "shapes"
    assert source.description.images == 0
    assert source.description.options["seed"] == 3


def test_a_path_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "shapes").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "shapes" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_source("shapes", (16, 16)), FrameSource)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match=r"no data 'shape'.* Did you mean 'shapes'\?"):
        open_source("shape", (32, 32))


def test_a_missing_path_names_what_is_accepted():
    with pytest.raises(DataError, match=r"film.mp4.*path of a video or of a folder.*name"):
        open_source("/no/such/film.mp4", (32, 32))


@pytest.mark.parametrize("name", names())
def test_scenes_are_a_pure_function_of_the_index(name: str):
    source = open_source(name, (32, 32), seed=1)
    batch = source.images([5, 0, 5, 123_456])
    assert batch.dtype == torch.uint8
    assert torch.equal(batch[0], batch[2])
    assert torch.equal(batch, open_source(name, (32, 32), seed=1).images([5, 0, 5, 123_456]))
    assert not torch.equal(batch[0], batch[1])
    assert not torch.equal(batch, open_source(name, (32, 32), seed=2).images([5, 0, 5, 123_456]))


def test_held_out_scenes_are_others():
    train = open_source("shapes", (32, 32)).images(range(8))
    held = open_source("shapes", (32, 32), split="held-out").images(range(8))
    assert all(not torch.equal(a, b) for a in train for b in held)


def test_a_pool_repeats_the_same_pictures():
    seen: list[tuple[int, int]] = []
    pool = open_source("shapes", (32, 32), pool=6, progress=lambda *at: seen.append(at))
    assert len(pool) == pool.description.images == 6
    assert seen[-1] == (6, 6)
    endless = open_source("shapes", (32, 32))
    assert torch.equal(pool.images(range(6)), endless.images(range(6)))
    assert torch.equal(pool.images([7]), pool.images([1]))


def test_scenes_are_square_and_their_options_bounded():
    with pytest.raises(InputError, match="square; 48 x 32"):
        open_source("shapes", (32, 48))
    with pytest.raises(InputError, match="seed -1"):
        open_source("shapes", (32, 32), seed=-1)
    with pytest.raises(InputError, match="numbered from 0"):
        open_source("shapes", (32, 32)).images([-1])
