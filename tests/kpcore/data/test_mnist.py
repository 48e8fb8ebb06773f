from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from kpcore import checkpoint
from kpcore.cli import main
from kpcore.data.catalog import open_source
from kpcore.data.mnist import drawn_digits, read_digits, read_idx
from kpcore.data.synthetic import are_scenes, find_scenes
from kpcore.data.synthetic.mnist_single import MnistSingle
from kpcore.data.synthetic.multi_mnist import DIGIT
from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.errors import DataError


def mnist(folder: Path, count: int = 60) -> Path:
    """MNIST's two training files with bright blocks for digits."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 4:24, 6:22] = 255
    head = struct.pack(">IIII", 2051, count, 28, 28)
    blob = gzip.compress(head + images.tobytes())
    (folder / "train-images-idx3-ubyte.gz").write_bytes(blob)
    labels = (np.arange(count) % 10).astype(np.uint8)
    head = struct.pack(">II", 2049, count)
    (folder / "train-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    return folder


def test_idx_files_gzipped_or_not(tmp_path: Path) -> None:
    digits = read_digits(str(mnist(tmp_path)))
    assert digits.images.shape == (60, 28, 28)
    assert digits.labels.tolist()[:11] == [*range(10), 0]


@pytest.mark.parametrize(
    ("blob", "word"),
    [(b"", "not an IDX"), (b"\0\0\x08\x03", "holds"), (b"PK\x03\x04zip", "not an IDX")],
)
def test_other_files_are_told(tmp_path: Path, blob: bytes, word: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(blob)
    with pytest.raises(DataError, match=word):
        read_idx(path)


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        find_scenes(f"multi-mnist-1k:{tmp_path}")


def test_drawn_digits_differ_by_class_and_by_hand() -> None:
    digits = drawn_digits()
    means = np.stack([digits.images[digits.labels == d].mean(0) for d in range(10)])
    apart = np.abs(means[:, None] - means[None]).mean((2, 3)) + 99.0 * np.eye(10)
    assert apart.min() > 5.0
    assert (digits.images[0] != digits.images[10]).any()


@pytest.mark.parametrize("name", ["mnist", "mnist-hard", "multi-mnist-1k", "multi-mnist-7"])
def test_digit_scenes_with_their_files_and_without(tmp_path: Path, name: str) -> None:
    for spec in (name, f"{name}:{mnist(tmp_path)}"):
        assert are_scenes(spec)
        scene = find_scenes(spec).sample(0, 3, 64)
        assert len(scene.attributes) == len(scene.mask) == len(scene.position)
        assert open_source(spec, (64, 64)).images([3]).shape == (1, 3, 64, 64)


def test_multi_mnist_follows_the_paper() -> None:
    counts = set()
    for index in range(40):
        scene = find_scenes("multi-mnist-1k").sample(0, index, 64)
        counts.add(len(scene.mask))
        assert set(np.unique(scene.image)) <= {0.0, 1.0}
        assert not (scene.mask.sum(0) > 1).any()
        for mask in scene.mask:
            rows, columns = np.nonzero(mask)
            assert max(np.ptp(rows), np.ptp(columns)) < DIGIT
    assert counts == {0, 1, 2, 3}
    assert len(find_scenes("multi-mnist-7").sample(0, 0, 64).mask) == 7


def test_a_digit_as_it_is(tmp_path: Path) -> None:
    digits = read_digits(str(mnist(tmp_path)))
    scenes = find_scenes(f"mnist:{tmp_path}")
    scene = scenes.sample(0, 3, 28)
    assert (scene.image * 255.0 == digits.images[0]).all()
    assert scene.mask.sum() == 20 * 16
    assert scene.position.tolist() == [[0.0, 0.0]]
    large = scenes.sample(0, 3, 56)
    assert large.attributes == scene.attributes
    assert large.mask.sum() == pytest.approx(4 * 20 * 16, rel=0.1)
    labels = {name for i in range(60) for name in scenes.sample(0, i, 28).attributes[0].values()}
    assert labels == {str(digit) for digit in range(10)}


def test_a_held_out_digit_is_one_that_training_never_sees() -> None:
    grey = np.broadcast_to(np.arange(60, dtype=np.uint8)[:, None, None], (60, 28, 28))
    scenes = MnistSingle(grey, np.arange(60, dtype=np.uint8))

    def shown(seed: int) -> set[str]:
        return {scenes.sample(seed, i, 28).attributes[0]["digit"] for i in range(300)}

    assert shown(0) == {str(row) for row in range(50)}
    assert shown(HELD_OUT_SEED) == {str(row) for row in range(50, 60)}


def test_a_landmark_model_takes_a_step_on_digits(tmp_path: Path) -> None:
    words = ["train", "lmdis", "--preset", "mnist", "--data", f"mnist:{mnist(tmp_path)}"]
    words += ["--steps", "1", "--batch", "2", "--set", "width=2", "--device", "cpu"]
    assert main([*words, "--threads", "1", "--out", str(tmp_path / "run")]) == 0
    assert checkpoint.read_manifest(tmp_path / "run/model.safetensors").config["image_size"] == 28


def test_scenes_that_need_no_files_refuse_a_folder() -> None:
    with pytest.raises(DataError, match="need no files"):
        find_scenes("traffic:somewhere")
