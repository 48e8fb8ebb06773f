from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from kpcore.data.clips import Clip, find_clips, natural_key, split_parts
from kpcore.errors import DataError, InputError


def clips(*names: str) -> list[Clip]:
    return [Clip(name, (Path(name),), "video") for name in names]


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def test_numbers_sort_as_numbers():
    names = ["f10.png", "f2.png", "F1.png", "10.png", "9.png", "f.png", ""]
    assert sorted(names, key=natural_key) == [
        "",
        "9.png",
        "10.png",
        "F1.png",
        "f2.png",
        "f10.png",
        "f.png",
    ]


def test_a_folder_with_images_and_videos_below(tmp_path: Path, short_video: Path):
    for name in ("b/2.png", "b/10.png", "b/1.JPG", "a/x.bmp", ".hidden/1.png", "b/.2.png"):
        picture(tmp_path / name)
    shutil.copy(short_video, tmp_path / "a" / "Clip 3.MP4")
    (tmp_path / "a" / "notes.txt").write_text("not looked at")
    found = find_clips(tmp_path)
    assert [(clip.name, clip.kind) for clip in found] == [
        ("a", "stills"),
        ("a/Clip 3.MP4", "video"),
        ("b", "stills"),
    ]
    assert [path.name for path in found[2].paths] == ["1.JPG", "2.png", "10.png"]


def test_single_files_are_told_by_name_or_content(tmp_path: Path, short_video: Path):
    odd_image = tmp_path / "picture.dat"
    shutil.copy(picture(tmp_path / "a.png"), odd_image)
    odd_video = tmp_path / "film.dat"
    shutil.copy(short_video, odd_video)
    assert find_clips(odd_image)[0].kind == "stills"
    assert find_clips(odd_video)[0].kind == "video"
    assert find_clips(short_video)[0].kind == "video"


def test_what_cannot_be_found(tmp_path: Path):
    with pytest.raises(DataError, match="there is no file or folder"):
        find_clips(tmp_path / "none")
    with pytest.raises(DataError, match=r"holds no images or videos; known kinds: png"):
        find_clips(tmp_path)
    (tmp_path / "model.bin").write_bytes(os.urandom(500))
    with pytest.raises(DataError, match=r"'model\.bin' is neither an image nor a video"):
        find_clips(tmp_path / "model.bin")


def test_a_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot list the folder .*: Permission denied"):
        find_clips(tmp_path)


def test_whole_clips_are_held_out():
    many = clips(*(f"clip {i}.mp4" for i in range(20)))
    train, names = split_parts(many, [10] * 20, "train", 0.2)
    held, same = split_parts(many, [10] * 20, "held-out", 0.2)
    assert names == same
    assert len(names) == len(held) == 4
    assert {p.clip for p in train} | {p.clip for p in held} == set(range(20))
    assert not {p.clip for p in train} & {p.clip for p in held}
    assert {many[p.clip].name for p in held} == set(names)
    assert all(p.rows == range(10) for p in (*train, *held))


def test_the_choice_depends_on_names_alone():
    many = clips(*(f"clip {i}.mp4" for i in range(20)))
    _, names = split_parts(many, [10] * 20, "train", 3)
    _, again = split_parts(many[::-1], [7] * 20, "held-out", 3)
    _, fewer = split_parts([c for c in many if c.name != "clip 1.mp4"], [1] * 19, "train", 3)
    assert set(names) == set(again)
    assert len(set(names) & set(fewer)) >= 2


def test_clips_are_held_out_by_name():
    three = clips("a.mp4", "day/b.mp4", "day/c.mp4")
    held, names = split_parts(three, [4, 5, 6], "held-out", ("day/*",))
    assert names == ("day/b.mp4", "day/c.mp4")
    assert [len(p.rows) for p in held] == [5, 6]
    with pytest.raises(InputError, match=r"no clip is called 'day/d.mp4'.* Did you mean 'day/"):
        split_parts(three, [4, 5, 6], "train", ("day/d.mp4",))


def test_a_single_clip_gives_its_end():
    one = clips("a.mp4")
    train, names = split_parts(one, [100], "train", 0.1)
    held, _ = split_parts(one, [100], "held-out", 0.1)
    assert (train[0].rows, held[0].rows) == (range(90), range(90, 100))
    assert names == ("a.mp4: last 10 of 100 frames",)
    assert split_parts(one, [100], "held-out", 7)[0][0].rows == range(93, 100)


def test_a_single_picture_is_trained_on():
    assert split_parts(clips("a.png"), [1], "train", 0.1) == (
        split_parts(clips("a.png"), [1], "train", 0)[0],
        (),
    )


@pytest.mark.parametrize("held_out", [0, 0.0])
def test_an_empty_part_is_refused(held_out: float):
    with pytest.raises(DataError, match="the held-out part is empty"):
        split_parts(clips("a", "b"), [1, 1], "held-out", held_out)
    with pytest.raises(DataError, match="the train part is empty"):
        split_parts(clips("a", "b"), [1, 1], "train", 2)


@pytest.mark.parametrize("held_out", [-1, 3, 1.0, -0.1, float("nan")])
def test_an_impossible_share_is_refused(held_out: float):
    with pytest.raises(InputError, match="cannot hold out"):
        split_parts(clips("a", "b"), [1, 1], "train", held_out)


def test_an_unknown_split_is_refused():
    with pytest.raises(InputError, match="use train or held-out"):
        split_parts(clips("a"), [1], "test", 0)  # type: ignore[arg-type]
