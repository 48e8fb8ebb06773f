"""Every reader on a small set of files made in the format as it is distributed."""

from __future__ import annotations

import gzip
import json
import sqlite3
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from kpcore.api import Window
from kpcore.data.catalog import open_source
from kpcore.data.labelled import framed
from kpcore.data.public import PUBLIC, LabelledImages, open_labelled
from kpcore.data.synthetic import scene_names
from kpcore.errors import DataError, InputError


def picture(path: Path, size: tuple[int, int] = (178, 218), colour: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 10, 20)).save(path)


# -- faces ----------------------------------------------------------------------------------------
@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    names = [f"{i:06d}.jpg" for i in range(1, 6)]
    for number, name in enumerate(names):
        picture(tmp_path / "img_align_celeba" / name, colour=40 * number)
    (tmp_path / "Anno").mkdir()
    (tmp_path / "Eval").mkdir()
    points = "69  109  106  113   77  142   73  152  108  154"
    lines = ["5", "lefteye_x lefteye_y righteye_x ...", *(f"{n}  {points}" for n in names)]
    (tmp_path / "Anno/list_landmarks_align_celeba.txt").write_text("\n".join(lines))
    parts = [f"{name} {part}" for name, part in zip(names, (0, 0, 0, 1, 2), strict=True)]
    (tmp_path / "Eval/list_eval_partition.txt").write_text("\n".join(parts))
    said = ["5", "Smiling Male", *(f"{name}  1 -1" for name in names)]
    (tmp_path / "Anno/list_attr_celeba.txt").write_text("\n".join(said))
    (tmp_path / "training.txt").write_text(names[0])
    (tmp_path / "testing.txt").write_text(names[1])
    return tmp_path


def test_celeba(celeba: Path) -> None:
    faces = open_labelled(f"celeba:{celeba}")
    assert len(faces) == 5
    assert list(faces.rows("train")) == [0, 2], "MAFL's test pictures are left out"
    assert list(faces.rows("mafl-test")) == [1]
    labels = faces.labels(0)
    assert labels.landmarks is not None
    # Pixel 69 of 178 is centred 69.5 from the left edge.
    assert labels.landmarks[0] == pytest.approx([2 * 69.5 / 178 - 1, 2 * 109.5 / 218 - 1])
    assert labels.attributes == {"Smiling": "yes", "Male": "no"}
    assert faces.picture(0).shape == (218, 178, 3)
    with pytest.raises(InputError, match="mafl-train"):
        faces.rows("mafl_train")


def test_landmarks_follow_the_framing(celeba: Path) -> None:
    faces = open_labelled(f"celeba:{celeba}")
    image, labels = framed(faces, 0, (80, 80))
    assert image.shape == (80, 80, 3)
    assert labels.landmarks is not None
    # The middle 178 x 178: x stays as it is, y is stretched by 218 / 178.
    before = faces.labels(0).landmarks
    assert before is not None
    assert labels.landmarks[:, 0] == pytest.approx(before[:, 0])
    assert labels.landmarks[:, 1] == pytest.approx(before[:, 1] * 218 / 178)


def test_labelled_pictures_are_pictures_to_train_on(celeba: Path) -> None:
    source = LabelledImages(f"celeba:{celeba}", (32, 32))
    batch = source.images([1, 0])
    assert batch.shape == (2, 3, 32, 32)
    assert int(batch[0, 0].float().mean()) == pytest.approx(80, abs=2)


def test_aflw(tmp_path: Path) -> None:
    picture(tmp_path / "data/flickr/0/image1.jpg", (200, 100))
    base = sqlite3.connect(tmp_path / "data/aflw.sqlite")
    base.executescript(
        """
        CREATE TABLE FaceImages(image_id, db_id, file_id, filepath, bw, width, height);
        CREATE TABLE Faces(face_id, file_id, db_id);
        CREATE TABLE FaceRect(face_id, x, y, w, h, annot_type_id);
        CREATE TABLE FeatureCoords(face_id, feature_id, x, y, annot_type_id);
        INSERT INTO FaceImages VALUES (1, 'aflw', 'a', '0/image1.jpg', 0, 200, 100);
        INSERT INTO Faces VALUES (7, 'a', 'aflw');
        INSERT INTO FaceRect VALUES (7, 40, 20, 80, 60, 1);
        INSERT INTO FeatureCoords VALUES (7, 8, 59.5, 34.5, 1), (7, 11, 89.5, 34.5, 1);
        """
    )
    base.commit()
    base.close()
    faces = open_labelled(f"aflw:{tmp_path}")
    # Rectangle 40..120 x 20..80, enlarged to 30..130 x 5..80.
    assert faces.picture(0).shape == (75, 100, 3)
    landmarks = faces.labels(0).landmarks
    assert landmarks is not None
    assert landmarks[0] == pytest.approx([2 * 30 / 100 - 1, 2 * 30 / 75 - 1])
    assert np.isnan(landmarks[2:]).all(), "what is not seen is not annotated"


def test_a_folder_with_landmarks(tmp_path: Path) -> None:
    rows = ["file,subject,x_nose,y_nose,x_tail,y_tail"]
    for number in range(4):
        picture(tmp_path / f"images/{number}.png", (64, 64))
        rows.append(f"images/{number}.png,mouse{number},32,16,0,64")
    (tmp_path / "landmarks.csv").write_text("\n".join(rows))
    stills = open_labelled(f"landmarks:{tmp_path}")
    assert stills.facts.landmark_names == ("nose", "tail")
    assert list(stills.rows("test")) == [3]
    landmarks = stills.labels(0).landmarks
    assert landmarks is not None
    assert landmarks.tolist() == [[0.0, -0.5], [-1.0, 1.0]]


def test_sixty_eight_points_give_the_five(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (100, 100))
    header = ",".join(f"x{i},y{i}" for i in range(68))
    values = ",".join(f"{i},{2 * i if i < 50 else 0}" for i in range(68))
    (tmp_path / "landmarks.csv").write_text(f"file,subject,{header}\na.png,1,{values}\n")
    faces = open_labelled(f"landmarks:{tmp_path}")
    landmarks = faces.labels(0).landmarks
    assert landmarks is not None
    assert len(faces.facts.landmark_names) == len(landmarks) == 5
    assert landmarks[0, 0] == pytest.approx(2 * 38.5 / 100 - 1), "the mean of points 36 to 41"
    assert landmarks[2, 0] == pytest.approx(2 * 30 / 100 - 1)


# -- objects --------------------------------------------------------------------------------------
def test_clevr(tmp_path: Path) -> None:
    picture(tmp_path / "images/val/CLEVR_val_000000.png", (320, 240))
    cube = {"pixel_coords": [159.5, 59.5, 9.1], "shape": "cube", "color": "red", "size": "large"}
    few = {"image_filename": "CLEVR_val_000000.png", "objects": [cube]}
    many = {"image_filename": "CLEVR_val_000001.png", "objects": [cube] * 7}
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes/CLEVR_val_scenes.json").write_text(json.dumps({"scenes": [few, many]}))
    scenes = open_labelled(f"clevr6:{tmp_path}")
    assert len(scenes) == 1
    item = scenes.labels(0).objects[0]
    assert item.position == pytest.approx((0.0, -0.5))
    assert item.attributes["shape"] == "cube"
    assert scenes.picture(0).shape == (240, 320, 3)
    assert len(open_labelled(f"clevr:{tmp_path}")) == 2


def film(path: Path, frames: int, step: int = 5, first: int = 0) -> None:
    """A video of grey frames, each `step` brighter than the one before."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 48, 32
        for level in range(first, first + step * frames, step):
            grey = np.full((32, 48, 3), level, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        file.mux(stream.encode())


def test_clevrer(tmp_path: Path) -> None:
    path = tmp_path / "video_00000-01000/video_00003.mp4"
    path.parent.mkdir()
    film(path, 20, step=10)
    said = {"object_id": 0, "color": "blue", "shape": "sphere", "material": "metal"}
    tracks = [{"objects": [{"object_id": 0, "inside_camera_view": t >= 8}]} for t in range(20)]
    known = {"object_property": [said], "motion_trajectory": tracks}
    (tmp_path / "annotation_00003.json").write_text(json.dumps(known))
    clips = open_labelled(f"clevrer:{tmp_path}")
    assert len(clips) == 3
    assert list(clips.rows("train")) == [0, 1, 2]
    assert abs(int(clips.picture(1).mean()) - 80) < 6
    assert clips.labels(0).objects == ()
    assert clips.labels(1).objects[0].attributes["shape"] == "sphere"


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def example(**features: list[bytes] | list[float]) -> bytes:
    entries = b""
    for name, values in features.items():
        if isinstance(values[0], bytes):
            body = field(1, b"".join(field(1, v) for v in values))  # type: ignore[arg-type]
        else:
            body = field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
        entries += field(1, field(1, name.encode()) + field(2, body))
    return field(1, entries)


def tetromino() -> bytes:
    image = np.zeros((35, 35, 3), np.uint8)
    image[5:10, 10:30, 0] = 255
    mask = np.zeros((4, 35, 35), np.uint8)
    mask[1, 5:10, 10:30] = 255
    mask[0] = 255 - mask[1]
    return example(
        image=[bytes([v]) for v in image.ravel()],
        mask=[bytes([v]) for v in mask.ravel()],
        x=[0.0] * 4,
        y=[0.0] * 4,
        shape=[0.0, 7.0, 0.0, 0.0],
        color=[0.0, 0.0, 0.0, 1.0, 0.0, 0.0] + [0.0] * 6,
        visibility=[1.0, 1.0, 0.0, 0.0],
    )


def record(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + b"crc!" + data + b"crc!"


def test_tetrominoes(tmp_path: Path) -> None:
    path = tmp_path / "tetrominoes_train.tfrecords"
    path.write_bytes(gzip.compress(record(tetromino()) * 2))
    pictures = open_labelled(f"tetrominoes-records:{path}")
    assert len(pictures) == 2
    labels = pictures.labels(1)
    assert pictures.picture(1)[7, 20].tolist() == [255, 0, 0]
    assert labels.masks is not None
    assert labels.masks.shape == (1, 35, 35)
    assert labels.masks.sum() == 100
    assert labels.objects[0].position == pytest.approx((2 * 20 / 35 - 1, 2 * 7.5 / 35 - 1))
    assert labels.objects[0].attributes == {"shape": "7", "color": "1 0 0"}


def test_the_last_sixth_of_the_records_is_for_testing(tmp_path: Path) -> None:
    path = tmp_path / "tetrominoes_train.tfrecords"
    path.write_bytes(record(tetromino()) * 12)
    pictures = open_labelled(f"tetrominoes-records:{path}")
    assert list(pictures.rows("train")) == list(range(10))
    assert list(pictures.rows("test")) == [10, 11]
    held_out = LabelledImages(f"tetrominoes-records:{path}", (35, 35), split="held-out")
    assert len(held_out) == 2


def one_byte_each(values: np.ndarray) -> bytes:
    """A list with one string for every value, as the published pictures have it."""
    flat = values.astype(np.uint8).ravel()
    head = np.full((2, len(flat)), [[0x0A], [0x01]], np.uint8)
    return np.concatenate([head, flat[None]]).T.tobytes()


def clevr_scene(objects: int = 1) -> bytes:
    """A green ball of 80 x 60 pixels; further objects show next to nothing."""
    image = np.full((240, 320, 3), 100, np.uint8)
    image[60:120, 80:160] = (0, 0, 250)
    mask = np.zeros((11, 240, 320), np.uint8)
    mask[1, 60:120, 80:160] = 255
    mask[np.arange(2, objects + 1), 0, np.arange(2, objects + 1)] = 255
    mask[0] = 255 - mask[1:].max(0)
    codes = np.zeros(11, np.uint8)
    lists = {"image": image, "mask": mask}
    for name, code in (("shape", 2), ("color", 3), ("size", 1), ("material", 2)):
        lists[name] = codes.copy()
        lists[name][1] = code
    seen = [float(i <= objects) for i in range(11)]
    floats = {"visibility": seen, "x": [0.5] * 11, "pixel_coords": [0.0] * 33}
    entries = b"".join(
        field(1, field(1, name.encode()) + field(2, field(1, one_byte_each(values))))
        for name, values in lists.items()
    )
    for name, numbers in floats.items():
        body = field(2, field(1, struct.pack(f"<{len(numbers)}f", *numbers)))
        entries += field(1, field(1, name.encode()) + field(2, body))
    return record(field(1, entries))


def test_clevr_with_masks(tmp_path: Path) -> None:
    path = tmp_path / "clevr_with_masks_train.tfrecords"
    path.write_bytes(gzip.compress(clevr_scene(), 1))
    pictures = open_labelled(f"clevr-records:{tmp_path}")
    assert pictures.picture(0)[90, 120].tolist() == [0, 0, 250]
    labels = pictures.labels(0)
    assert labels.masks is not None
    assert labels.masks.shape == (1, 240, 320)
    assert labels.masks.sum() == 60 * 80
    (item,) = labels.objects
    assert item.position == pytest.approx((2 * 120 / 320 - 1, 2 * 90 / 240 - 1))
    assert item.attributes == {
        "shape": "sphere", "color": "green", "size": "large", "material": "metal"
    }  # fmt: skip


def test_clevr6_leaves_out_the_scenes_with_more_than_six_objects(tmp_path: Path) -> None:
    path = tmp_path / "clevr_with_masks_train.tfrecords"
    path.write_bytes(gzip.compress(b"".join(clevr_scene(n) for n in (7, 6, 10, 2)), 1))
    for name, counts in (("clevr-records", [7, 6, 10, 2]), ("clevr6-records", [6, 2])):
        pictures = open_labelled(f"{name}:{path}")
        assert [len(pictures.labels(i).objects) for i in range(len(pictures))] == counts


def test_masks_follow_the_framing(tmp_path: Path) -> None:
    path = tmp_path / "tetrominoes_train.tfrecords"
    path.write_bytes(gzip.compress(record(tetromino())))
    _, labels = framed(open_labelled(f"tetrominoes-records:{path}"), 0, (70, 70))
    assert labels.masks is not None
    assert labels.masks[0, 10:20, 20:60].all()
    assert labels.masks.sum() == 400


@pytest.mark.parametrize("cut", [5, 200, -2])
def test_a_cut_record_file_is_told(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.tfrecords"
    path.write_bytes(record(tetromino())[:cut])
    with pytest.raises(DataError, match=r"cut\.tfrecords"):
        open_labelled(f"tetrominoes-records:{path}")


def test_another_data_set_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.tfrecords"
    path.write_bytes(record(tetromino()))
    with pytest.raises(DataError, match="CLEVR with masks"):
        open_labelled(f"clevr-records:{path}")


# -- people ---------------------------------------------------------------------------------------
def test_human36m(tmp_path: Path) -> None:
    for subject in ("S1", "S9", "S11"):
        folder = tmp_path / subject / "Walking-1"
        for number in range(2):
            picture(folder / f"{number:04d}.jpg", (128, 128))
        np.save(folder / "joints.npy", np.full((2, 17, 2), 64.0))
    people = open_labelled(f"human36m:{tmp_path}")
    assert len(people.rows("train")) == 2
    assert len(people.rows("test")) == 4
    assert len(people.rows("test-s11")) == 2
    labels = people.labels(0)
    assert labels.landmarks is not None
    assert np.abs(labels.landmarks).max() == 0.0
    assert labels.attributes == {"subject": "S1", "action": "Walking"}
    np.save(tmp_path / "S1/Walking-1/joints.npy", np.zeros((3, 17, 2)))
    with pytest.raises(DataError, match=r"joints\.npy"):
        open_labelled(f"human36m:{tmp_path}")


def crops(folder: Path) -> str:
    """Four clips; frame t of clip c has colour 50 c + 3 t, and file names need natural order."""
    for number, (action, frames) in enumerate(
        (("S1/Walking", 12), ("S1/Walking-1", 4), ("S5/Eating", 11), ("S9/Eating", 5))
    ):
        for time in range(frames):
            picture(folder / action / f"{time}.png", (16, 16), 50 * number + 3 * time)
        np.save(folder / action / "joints.npy", np.full((frames, 17, 2), 8.0))
    return f"human36m:{folder}"


def red(pictures: torch.Tensor) -> list[int]:
    return pictures.flatten(0, -4)[:, 0, 4, 4].tolist()


def test_frames_of_crops_are_windows_of_one_clip_in_order(tmp_path: Path) -> None:
    source = open_source(crops(tmp_path), (8, 8), window=Window(frames=3, stride=2))
    assert len(source) == 8 + 7, "the clip of 4 frames is too short for 5; S9 is for testing"
    found = source.windows(range(15))
    assert found.shape == (15, 3, 3, 8, 8)
    starts = [3 * t for t in range(8)] + [100 + 3 * t for t in range(7)]
    assert red(found) == [start + 6 * t for start in starts for t in range(3)]
    assert torch.equal(source.images([9]), found[9:10, 0])
    held_out = open_source(f"human36m:{tmp_path}", (8, 8), split="held-out", stride=2)
    assert red(held_out.images(range(len(held_out)))) == [150, 156, 162]


def test_references_to_crops_are_frames_of_the_same_clip_nearby(tmp_path: Path) -> None:
    source = open_source(crops(tmp_path), (8, 8), window=Window(reference_within=2))
    everything = range(len(source))
    assert len(everything) == 27
    here, gaps = red(source.images(everything)), set[int]()
    for step in range(8):
        references = source.references(everything, (0, step))
        assert references is not None
        gaps |= {b - a for a, b in zip(here, red(references), strict=True)}
    assert gaps == {-6, -3, 3, 6}


def test_clips_that_are_too_short_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"20 successive frames.*longest clip of the train.* 12"):
        open_source(crops(tmp_path), (8, 8), window=Window(frames=20))
    with pytest.raises(InputError, match="stride is 0"):
        open_source(f"human36m:{tmp_path}", (8, 8), stride=0)


def test_videos_of_clevrer_are_clips(tmp_path: Path) -> None:
    for number, frames in ((2, 33), (10, 17)):
        film(tmp_path / f"video_{number:05d}.mp4", frames, first=100 * (number > 2))
    source = open_source(
        f"clevrer:{tmp_path}", (32, 32), window=Window(frames=2, reference_within=1)
    )
    assert len(source) == 4 + 2
    want = [0, 40, 40, 80, 80, 120, 120, 160, 100, 140, 140, 180]
    assert np.abs(np.subtract(red(source.windows(range(6))), want)).max() <= 6
    references = source.references([5], (0, 0))
    assert references is not None
    assert min(abs(red(references)[0] - level) for level in (100, 180)) <= 6


def test_clevrer_is_opened_without_reading_its_videos_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "video_00000.mp4", 20)
    monkeypatch.setattr("kpcore.data.video.read_index", None)
    assert len(open_labelled(f"clevrer:{tmp_path}")) == 3


def test_a_video_of_clevrer_that_claims_more_than_it_has_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "video_00000.mp4", 20)
    monkeypatch.setattr("kpcore.data.public.clevr.claimed_frames", lambda path: 40)
    clips = open_labelled(f"clevrer:{tmp_path}")
    assert len(clips) == 5
    with pytest.raises(DataError, match=r"video_00000\.mp4' ends after 20 frames"):
        clips.picture(4)


def test_single_pictures_make_no_windows_of_several_frames(celeba: Path) -> None:
    spec = f"celeba:{celeba}"
    with pytest.raises(DataError, match=r"3.*flow.*single pictures; give") as told:
        open_source(spec, (32, 32), window=Window(frames=3, stride=5))
    assert "\n" not in str(told.value)
    source = open_source(spec, (32, 32), window=Window(reference_within=250))
    assert source.references([0, 1], (0, 0)) is None
    assert source.windows([1, 0]).shape == (2, 1, 3, 32, 32)
    with pytest.raises(InputError, match="no 2"):
        source.images([2])


# -- what is wrong --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name",
    ["celeba", "aflw", "landmarks", "clevr", "clevrer", "tetrominoes-records", "human36m"],
)
def test_an_empty_folder_is_told_in_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        open_labelled(f"{name}:{tmp_path}")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_suggests_the_nearest_and_lists_all() -> None:
    for opened in (open_labelled, lambda spec: open_source(spec, (8, 8))):
        with pytest.raises(DataError, match=r"NAME:FOLDER.*Did you mean 'celeba'\?$") as told:
            opened("celebra:/nowhere")
        words = str(told.value).replace("(", " ").replace(",", " ").replace(".", " ").split()
        assert {*PUBLIC, *scene_names()} <= {*words}
        with pytest.raises(DataError, match="'celeba' names no labelled data; give celeba:FOLDER"):
            opened("celeba")
