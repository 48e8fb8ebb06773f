from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore import files
from kpcore.data.export import save_latents, save_picture
from kpcore.data.image_file import read_image
from kpcore.errors import DataError, InputError
from kpcore.geometry.framing import FramingRule
from kpcore.latents import Latents, Topology

FRAMING = FramingRule().resolve((288, 352), (128, 128))


def some_latents(images: int | None = 2) -> Latents:
    lead = () if images is None else (images,)
    generator = torch.Generator().manual_seed(0)
    return Latents(
        position=torch.rand(*lead, 3, 2, generator=generator) * 2 - 1,
        topology=Topology((0, 0, 0), (-1, -1, -1), (4, 7, 9)),
        position_log_var=torch.randn(*lead, 3, 2, generator=generator),
        feature=torch.randn(*lead, 3, 5, generator=generator),
        presence=torch.rand(*lead, 3, generator=generator),
        background=torch.randn(*lead, 6, generator=generator),
    )


def test_a_picture(tmp_path: Path):
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    path = tmp_path / "new folder" / "Bild ü.png"
    save_picture(path, picture)
    assert (read_image(path).picture == picture).all()


def test_a_picture_in_the_source_frame(tmp_path: Path):
    original = np.full((288, 352, 3), 10, np.uint8)
    save_picture(tmp_path / "a.png", np.full((128, 128, 3), 200, np.uint8), FRAMING, original)
    saved = read_image(tmp_path / "a.png").picture
    assert saved.shape == original.shape
    assert (saved[:, :32] == 10).all()
    assert (saved[:, 32:320] == 200).all()
    assert (saved[:, 320:] == 10).all()


def test_latents_as_csv(tmp_path: Path):
    latents = some_latents()
    save_latents(tmp_path / "a.csv", latents, FRAMING, frames=[3, 8])
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("frame", "particle", "x", "y", "x_px", "y_px", "source_x_px", "source_y_px"),
        *("x_log_var", "y_log_var", "presence"),
        *(f"feature_{i}" for i in range(5)),
    ]
    assert [(row["frame"], row["particle"]) for row in rows] == [
        (frame, particle) for frame in "38" for particle in "479"
    ]
    assert latents.feature is not None
    for row, (x, y) in zip(rows, latents.position.flatten(0, 1).tolist(), strict=True):
        assert (float(row["x"]), float(row["y"])) == (x, y)
        assert float(row["x_px"]) == pytest.approx((x + 1) * 64 - 0.5)
        assert float(row["source_x_px"]) == pytest.approx(32 + (x + 1) * 144 - 0.5)
        assert float(row["source_y_px"]) == pytest.approx((y + 1) * 144 - 0.5)
    assert float(rows[4]["feature_2"]) == latents.feature[1, 1, 2].item()


def test_latents_as_npz(tmp_path: Path):
    latents = some_latents()
    save_latents(tmp_path / "a.npz", latents, FRAMING)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert arrays["frame"].tolist() == [0, 1]
        assert arrays["particle"].tolist() == [4, 7, 9]
        assert arrays["framing_box"].tolist() == [32, 0, 320, 288]
        assert arrays["source_size"].tolist() == [288, 352]
        assert np.array_equal(arrays["position"], latents.position.numpy())
        assert arrays["source_px"].shape == (2, 3, 2)
        for name in ("position_log_var", "feature", "presence", "background"):
            assert np.array_equal(arrays[name], getattr(latents, name).numpy())
        assert "prototype" not in arrays
        assert "allow_pickle" not in arrays


def test_one_image_without_a_batch(tmp_path: Path):
    save_latents(tmp_path / "a.csv", some_latents(None), FRAMING)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4


def test_other_endings_and_counts_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"should end in \.png"):
        save_picture(tmp_path / "a.jpg", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(InputError, match=r"should end in \.csv or \.npz"):
        save_latents(tmp_path / "a.txt", some_latents(), FRAMING)
    with pytest.raises(InputError, match="3 frame numbers do not fit latents of 2 images"):
        save_latents(tmp_path / "a.csv", some_latents(), FRAMING, [1, 2, 3])


@pytest.mark.parametrize(
    ("code", "where"),
    [(errno.ENOSPC, "fsync"), (errno.EROFS, "replace"), (errno.EACCES, "chmod")],
)
def test_a_disk_that_refuses_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, where: str
):
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    picture = np.zeros((2, 2, 3), np.uint8)
    for name, save in (
        ("a.png", lambda path: save_picture(path, picture)),
        ("a.csv", lambda path: save_latents(path, some_latents(), FRAMING)),
        ("a.npz", lambda path: save_latents(path, some_latents(), FRAMING)),
    ):
        path = tmp_path / name
        path.write_text("older work")
        with monkeypatch.context() as patch:
            patch.setattr(files.os, where, refuse)
            with pytest.raises(DataError, match=rf"cannot write .*{name}.*{os.strerror(code)}"):
                save(path)
        assert path.read_text() == "older work"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="choose a folder that can be written"):
        save_picture(tmp_path / "file" / "a.png", np.zeros((2, 2, 3), np.uint8))
