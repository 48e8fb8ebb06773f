from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kpcore.api import Encoding, Image
from kpcore.data.labelled_scenes import SceneLabels
from kpcore.data.synthetic import SCENES
from kpcore.errors import InputError
from kpcore.evaluation.protocols import Subject
from kpcore.evaluation.protocols.landmarks import LandmarkOptions, framing_of, run
from kpcore.latents import Latents, Topology
from tests.toy_family import Toy, ToyConfig

COUNT = 40


class AllKnowing(Toy):
    """Its keypoints are the true landmarks, turned and scaled, with a knowing doubt."""

    def __init__(self, pictures: SceneLabels) -> None:
        super().__init__(ToyConfig())
        self._truth = iter([pictures.labels(i).landmarks for i in self._order(pictures)])

    @staticmethod
    def _order(pictures: SceneLabels) -> list[int]:
        return [*pictures.rows("test"), *pictures.rows("train")]

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        truth = torch.stack([torch.as_tensor(next(self._truth)) for _ in image]).float()
        turned = truth @ torch.tensor([[0.0, 0.5], [-0.5, 0.0]])
        doubt = torch.zeros_like(turned)
        doubt[:, 4:] = 3.0
        position = torch.where(doubt > 1.0, torch.randn_like(turned), turned)
        return Encoding(Latents(position, Topology.flat(8), position_log_var=doubt))


def subject(model, data: str) -> Subject:
    return Subject(model, Path("model.safetensors"), data)


def test_keypoints_that_know_landmarks_find_them_and_fixed_ones_do_not() -> None:
    side = max(Toy(ToyConfig()).capabilities.image_size)
    model = AllKnowing(SceneLabels("cartoon-faces", side, COUNT))
    report = run(subject(model, "cartoon-faces"), LandmarkOptions(pictures=COUNT, split=4))
    (table,) = report.tables
    error = {str(row[0]): row[2] for row in table.rows}
    assert isinstance(error["positions"], float)
    lowest, highest = error["4 of lowest variance"], error["4 of highest variance"]
    assert isinstance(lowest, float)
    assert isinstance(highest, float)
    assert lowest < highest
    middle, grid = error["one point in the middle"], error["a fixed grid of as many points"]
    assert isinstance(middle, float)
    assert isinstance(grid, float)
    assert error["positions"] < grid < middle
    named = [report.facts[f"error_of_{name}"] for name in ("middle", "fixed_grid")]
    assert named == [middle, grid], "several checkpoints are put in one table with the baselines"
    assert report.facts["error_with_log_variances"] == error["positions and log-variances"]
    assert "distance of the eyes" in table.note
    assert "centre" in table.note


def test_data_without_landmarks_are_told() -> None:
    with pytest.raises(InputError, match="no landmarks"):
        run(subject(Toy(ToyConfig()), "traffic"), LandmarkOptions(pictures=4))


def test_splits_of_scenes_share_no_picture() -> None:
    pictures = SceneLabels("cartoon-faces", 32, 3)
    first, second = pictures.rows("train"), pictures.rows("test")
    assert not set(first) & set(second)
    assert (pictures.picture(first[0]) != pictures.picture(second[0])).any()


@pytest.mark.parametrize("name", sorted(SCENES))
def test_all_scenes_are_labelled_pictures(name: str) -> None:
    pictures = SceneLabels(name, 48, 2)
    labels = pictures.labels(3)
    assert pictures.picture(3).shape == (48, 48, 3)
    assert labels.masks is not None
    assert len(labels.masks) == len(labels.objects)
    assert (labels.landmarks is not None) == bool(pictures.facts.landmark_names)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="pictures"):
        replace(LandmarkOptions(), pictures=1)


def test_pictures_are_framed_by_the_box_trained_on_but_scenes_are_shown_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    framing = {"framing": {"fit": "crop", "box": [16, 16, 112, 112]}}
    toy, checkpoint = Toy(ToyConfig()), Path("model.safetensors")
    files = framing_of(Subject(toy, checkpoint, "landmarks:faces", framing))
    assert files.box == (16, 16, 112, 112)
    scenes = Subject(toy, checkpoint, "cartoon-faces", framing)
    assert framing_of(scenes).box is None
    Path("cartoon-faces").mkdir()
    assert framing_of(scenes).box == (16, 16, 112, 112), "a folder of that name comes first"
