"""Every reader on a small set of files made in the format as it is distributed."""

from __future__ import annotations

import gzip
import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpcore.data.labelled import framed
from kpcore.data.public import LabelledImages, open_labelled
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


def test_clevrer(tmp_path: Path) -> None:
    import av

    path = tmp_path / "video_00000-01000/video_00003.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 48, 32
        for level in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 10 * level, np.uint8), "rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
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


def test_clevr_with_masks(tmp_path: Path) -> None:
    image = np.full((240, 320, 3), 100, np.uint8)
    image[60:120, 80:160] = (0, 0, 250)
    mask = np.zeros((11, 240, 320), np.uint8)
    mask[1, 60:120, 80:160] = 255
    mask[0] = 255 - mask[1]
    codes = np.zeros(11, np.uint8)
    lists = {"image": image, "mask": mask}
    for name, code in (("shape", 2), ("color", 3), ("size", 1), ("material", 2)):
        lists[name] = codes.copy()
        lists[name][1] = code
    floats = {"visibility": [1.0, 1.0, *[0.0] * 9], "x": [0.5] * 11, "pixel_coords": [0.0] * 33}
    entries = b"".join(
        field(1, field(1, name.encode()) + field(2, field(1, one_byte_each(values))))
        for name, values in lists.items()
    )
    for name, numbers in floats.items():
        body = field(2, field(1, struct.pack(f"<{len(numbers)}f", *numbers)))
        entries += field(1, field(1, name.encode()) + field(2, body))
    path = tmp_path / "clevr_with_masks_train.tfrecords"
    path.write_bytes(gzip.compress(record(field(1, entries)), 1))
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


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match="celeba"):
        open_labelled("celebra:/nowhere")
