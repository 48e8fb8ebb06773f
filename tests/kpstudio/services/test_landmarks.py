"""Annotated landmarks: fitted to particles behind everything else, drawn with their error."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from kpcore import checkpoint
from kpcore.configuration import to_plain
from kpcore.evaluation.landmarks import by_prototype, fit
from kpcore.registry import get
from kpstudio.session.edits import MoveParticles
from kpstudio.session.landmarks import mean_error

if TYPE_CHECKING:
    from tests.kpstudio.services.conftest import Bench

COUNT = 30


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A folder of annotated pictures: a bright square, with its middle and a corner."""
    folder = tmp_path / "faces"
    (folder / "images").mkdir(parents=True)
    chance = np.random.default_rng(0)
    with (folder / "landmarks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "x_middle", "y_middle", "x_corner", "y_corner"])
        for index in range(COUNT):
            x, y = chance.integers(6, 26, 2)
            picture = chance.integers(0, 60, (32, 32, 3)).astype(np.uint8)
            picture[y - 4 : y + 4, x - 4 : x + 4] = 250
            Image.fromarray(picture).save(folder / "images" / f"{index:02d}.png")
            rows.writerow([f"{index:02d}.png", x, y, x - 4, y - 4])
    return folder


@pytest.fixture
def keynet(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = get("keynet").presets["tiny"].config
    path = tmp_path / "keynet.safetensors"
    checkpoint.save(
        path, get("keynet").build(config), checkpoint.Manifest("keynet", to_plain(config))
    )
    return path


def fit_in(bench: Bench, folder: Path) -> None:
    bench.session.update_view(landmarks=str(folder))
    bench.wait(lambda: bench.session.regressor is not None)


def test_a_folder_is_fitted_and_judged_on_what_is_open(
    bench: Bench, keynet: Path, faces: Path
) -> None:
    bench.open(keynet, faces / "images")
    said: list[str] = []
    bench.engine.busy_changed.connect(said.append)
    fit_in(bench, faces)
    regressor = bench.session.regressor
    assert regressor is not None
    assert regressor.names == ("middle", "corner")
    assert regressor.fitted == COUNT - COUNT // 10, "the last tenth is for the test"
    assert sorted(regressor.truth) == list(range(COUNT))
    assert any(text.startswith("Fitting landmarks") for text in said)
    model = checkpoint.load(keynet, "cpu")
    with (faces / "landmarks.csv").open() as file:
        rows = list(csv.DictReader(file))
    points, marks = [], []
    for row in rows[: COUNT - COUNT // 10]:
        picture = np.array(Image.open(faces / "images" / row["file"]))
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255.0
        with torch.inference_mode():
            points.append(model.encode(image).latents.position[0].double().numpy())
        places = [[float(row["x_" + n]), float(row["y_" + n])] for n in regressor.names]
        marks.append(np.array(places) / 16.0 - 1.0)
    expected = fit(np.stack(points), np.stack(marks)).weights
    assert np.abs(np.array(regressor.weights) - expected).max() < 1e-3
    latents = bench.session.latents
    assert latents is not None
    told = regressor.told(latents)
    flat = np.array(latents.rows("position")).reshape(-1)
    assert np.array(told).reshape(-1) == pytest.approx(flat @ np.array(regressor.weights))
    errors = regressor.errors(told, 0)
    truth = np.array(regressor.truth[0])
    wanted = 50.0 * np.linalg.norm(np.array(told) - truth, axis=1)
    assert errors == pytest.approx(wanted)
    assert mean_error(errors) == pytest.approx(wanted.mean())


def test_a_moved_particle_moves_what_it_tells(bench: Bench, keynet: Path, faces: Path) -> None:
    bench.open(keynet, faces / "images")
    fit_in(bench, faces)
    regressor, session = bench.session.regressor, bench.session
    before = regressor.told(session.latents)  # type: ignore[union-attr]
    session.commit(MoveParticles(0, (0,), ((0.9, 0.9),)))
    assert regressor.told(session.latents) != before  # type: ignore[union-attr]


def test_a_picture_that_is_not_annotated_has_no_error(
    bench: Bench, keynet: Path, faces: Path, make_picture: Callable[..., Path]
) -> None:
    bench.open(keynet, make_picture("stranger"))
    fit_in(bench, faces)
    regressor = bench.session.regressor
    told = regressor.told(bench.session.latents)  # type: ignore[union-attr]
    assert len(told) == 2
    assert regressor.errors(told, 0) == ()  # type: ignore[union-attr]
    assert mean_error(()) is None
    bench.session.update_view(landmarks="")
    assert bench.session.regressor is None


def test_a_folder_without_annotations_is_told(
    bench: Bench, keynet: Path, folder: Path, make_picture: Callable[..., Path]
) -> None:
    bench.open(keynet, make_picture("picture"))
    bench.session.update_view(landmarks=str(folder))
    bench.wait(lambda: bench.notices)
    assert "landmarks.csv" in bench.notices[-1].text
    assert bench.session.view.landmarks == ""


def test_what_kp_eval_fitted_is_drawn_too(
    bench: Bench, keynet: Path, faces: Path, tmp_path: Path
) -> None:
    from kpcore.evaluation.protocols import Subject
    from kpcore.evaluation.protocols.landmarks import LandmarkOptions, run
    from kpcore.evaluation.report import write

    model = checkpoint.load(keynet, "cpu")
    report = run(Subject(model, keynet, f"landmarks:{faces}"), LandmarkOptions())
    write(report, tmp_path / "report")
    assert "weights" not in (tmp_path / "report.md").read_text()
    bench.open(keynet, faces / "images")
    fit_in(bench, faces)
    own = bench.session.regressor
    bench.session.update_view(landmarks=str(tmp_path / "report.json"))
    bench.wait(lambda: bench.session.regressor not in (None, own))
    told = bench.session.regressor
    assert told is not None
    assert own is not None
    latents = bench.session.latents
    assert latents is not None
    assert np.array(told.told(latents)) == pytest.approx(np.array(own.told(latents)), abs=1e-3)
    assert told.truth == own.truth
    assert told.fitted == own.fitted
    (tmp_path / "other.json").write_text("{}")
    bench.session.update_view(landmarks=str(tmp_path / "other.json"))
    bench.wait(lambda: bench.notices)
    assert "kp eval --protocol landmarks" in bench.notices[-1].text


def test_a_saved_session_fits_them_again(
    make_bench: Callable[..., Bench], keynet: Path, faces: Path, tmp_path: Path
) -> None:
    from kpstudio.services.reopen import open_session, save_session

    bench = make_bench()
    bench.open(keynet, faces / "images")
    fit_in(bench, faces)
    save_session(bench.engine, bench.session, tmp_path / "s.kps")
    again = make_bench()
    open_session(again.engine, again.session, tmp_path / "s.kps")
    again.wait(lambda: again.session.regressor is not None)
    assert again.session.view.landmarks == str(faces)
    assert again.session.regressor.fitted == bench.session.regressor.fitted  # type: ignore[union-attr]


def test_keypoints_in_no_order_are_fitted_by_their_prototypes(
    bench: Bench, faces: Path, tmp_path: Path
) -> None:
    from kpcore.evaluation.protocols import Subject
    from kpcore.evaluation.protocols.landmarks import LandmarkOptions, run
    from kpcore.evaluation.report import write

    torch.manual_seed(0)
    family = get("tusk")
    config = family.presets["tiny"].config
    path = tmp_path / "tusk.safetensors"
    checkpoint.save(path, family.build(config), checkpoint.Manifest("tusk", to_plain(config)))
    bench.open(path, faces / "images")
    fit_in(bench, faces)
    own, session = bench.session.regressor, bench.session
    assert own is not None
    assert (own.prototypes, own.keypoints) == (config.prototypes, config.keypoints)
    report = run(
        Subject(checkpoint.load(path, "cpu"), path, f"landmarks:{faces}"), LandmarkOptions()
    )
    write(report, tmp_path / "report")
    session.update_view(landmarks=str(tmp_path / "report.json"))
    bench.wait(lambda: session.regressor not in (None, own))
    told = session.regressor
    latents = session.latents
    assert told is not None
    assert latents is not None
    before = told.told(latents)
    assert np.array(before) == pytest.approx(np.array(own.told(latents)), abs=1e-3)

    places, kinds = np.array(latents.rows("position")), latents.rows("prototype")
    few = slice(0, config.keypoints)
    ordered = by_prototype(places[None, few], np.array(kinds)[None, few], config.prototypes)
    assert np.array(before).reshape(-1) == pytest.approx(
        ordered.reshape(-1) @ np.array(told.weights)
    )
    assert len(before) == 2
    session.commit(MoveParticles(0, (0,), ((0.5, -0.5),)))
    assert session.latents is not None
    assert told.told(session.latents) != before
