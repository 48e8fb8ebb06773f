"""The protocol "attributes" on models whose keypoints know a part of the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kpcore.api import Encoding, Image
from kpcore.data.labelled_scenes import SceneLabels
from kpcore.errors import InputError
from kpcore.evaluation import protocols
from kpcore.evaluation.protocols import Subject
from kpcore.latents import Latents, Topology
from tests.kpcore.data.public.test_readers import celeba  # noqa: F401
from tests.toy_family import Toy, ToyConfig

COUNT = 60
SIDE = 16


class Knows(Toy):
    """One keypoint stands right of the middle where faces smile; its feature is the brow."""

    def __init__(self, pictures: SceneLabels) -> None:
        super().__init__(ToyConfig())
        order = [*pictures.rows("test"), *pictures.rows("train")]
        self._truth = iter([pictures.labels(row).attributes for row in order])

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        told = [next(self._truth) for _ in image]
        position, feature = torch.zeros(len(told), 1, 2), torch.zeros(len(told), 1, 1)
        for row, said in enumerate(told):
            position[row, 0, 0] = 0.3 if said["Smiling"] == "yes" else -0.3
            feature[row, 0, 0] = 1.0 if said["Arched_Eyebrows"] == "yes" else -1.0
        return Encoding(Latents(position, Topology.flat(1), feature=feature))


def judged(model, data: str, **options):
    protocol = protocols.get("attributes")
    subject = Subject(model, Path("model.safetensors"), data)
    return protocol.run(subject, protocol.options(pictures=COUNT, **options))


def test_what_keypoints_know_is_told_and_the_rest_is_not():
    report = judged(Knows(SceneLabels("cartoon-faces", SIDE, COUNT)), "cartoon-faces")
    (table,) = report.tables
    rows = {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert set(rows) == {
        "Arched_Eyebrows", "Mouth_Slightly_Open", "Oval_Face", "Receding_Hairline", "Smiling",
        "mean",
    }  # fmt: skip
    assert rows["Smiling"]["positions"] == 100.0
    assert rows["Smiling"]["LMDIS, CelebA"] == 88.8
    brows = rows["Arched_Eyebrows"]
    assert brows["positions and features"] == 100.0
    assert brows["positions"] < 80.0
    assert rows["mean"]["LMDIS, CelebA"] == pytest.approx((79.4 + 81.3 + 73.2 + 92.1 + 88.8) / 5)
    assert report.facts["positions_percent"] == rows["mean"]["positions"]


def test_attributes_are_chosen_by_name():
    model = Knows(SceneLabels("cartoon-faces", SIDE, COUNT))
    (table,) = judged(model, "cartoon-faces", names="Pale_Skin,Smiling").tables
    assert [row[0] for row in table.rows] == ["Pale_Skin", "Smiling", "mean"]
    assert table.rows[0][-1] is None
    with pytest.raises(InputError, match="Did you mean 'Smiling'"):
        judged(Knows(SceneLabels("cartoon-faces", SIDE, COUNT)), "cartoon-faces", names="Smile")


def test_attributes_of_celeba_as_it_is_distributed(celeba):  # noqa: F811
    """Two training pictures that differ, and MAFL's test picture."""
    said = [
        "5", "Smiling Male",
        "000001.jpg  1 -1", "000002.jpg  1 -1", "000003.jpg -1 -1", "000004.jpg  1  1",
        "000005.jpg -1  1",
    ]  # fmt: skip
    (celeba / "Anno/list_attr_celeba.txt").write_text("\n".join(said))
    model = Toy(ToyConfig()).eval()
    (table,) = judged(model, f"celeba:{celeba}", test="mafl-test", names="Smiling").tables
    assert table.rows[0][0] == "Smiling"
    assert table.rows[0][-2:] == (1, 88.8)


def test_data_of_which_nothing_is_said_are_told():
    with pytest.raises(InputError, match="list_attr_celeba"):
        judged(Toy(ToyConfig()).eval(), "traffic")
    with pytest.raises(InputError, match="cost is 0"):
        judged(Toy(ToyConfig()).eval(), "cartoon-faces", cost=0.0)
