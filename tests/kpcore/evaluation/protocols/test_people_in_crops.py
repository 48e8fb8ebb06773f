"""Joints of Human3.6M crops from keypoints: left and right may be exchanged, halves of the test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from kpcore.api import Encoding, Image
from kpcore.data.public import open_labelled
from kpcore.data.synthetic.skeleton import PAIRS
from kpcore.data.synthetic.stick_figures import StickFigures
from kpcore.evaluation import protocols
from kpcore.evaluation.landmarks import swapped
from kpcore.latents import Latents, Topology
from tests.toy_family import Toy, ToyConfig

SIDE, FRAMES = 16, 12


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Acting figures laid out as crops of Human3.6M: three people learned from, one other."""
    for number, subject in enumerate(("S1", "S5", "S6", "S9")):
        folder = tmp_path / subject / "Walking-1"
        folder.mkdir(parents=True)
        joints = []
        for frame in range(FRAMES):
            # Videos of people seen from anywhere around: some from behind.
            video = 11 * number + frame
            grey = np.full((SIDE, SIDE, 3), 10 * frame, np.uint8)
            Pillow.fromarray(grey).save(folder / f"{frame:04d}.png")
            joints.append((StickFigures().landmarks(0, video)[0] + 1.0) * SIDE / 2.0)
        np.save(folder / "joints.npy", np.stack(joints))
    return tmp_path


class OneSided(Toy):
    """Knows the joints, but calls the one more to the left of the picture always "left"."""

    def __init__(self, crops: Path, splits: tuple[str, ...]) -> None:
        super().__init__(ToyConfig())
        people = open_labelled(f"human36m:{crops}")
        rows = [row for split in splits for row in people.rows(split)]
        joints = np.stack([people.labels(row).landmarks for row in rows])  # type: ignore[arg-type]
        turned = joints[:, 4, 0] > joints[:, 1, 0]
        seen = np.where(turned[:, None, None], swapped(joints, PAIRS), joints)
        self.turned = turned
        self._seen = iter(torch.from_numpy(seen).float())

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        position = torch.stack([next(self._seen) for _ in image])
        return Encoding(Latents(position, Topology.flat(17)))


def judged(model: OneSided, crops: Path, variant: str):
    protocol = protocols.get("landmarks")
    subject = protocols.Subject(model, Path("m.safetensors"), f"human36m:{crops}")
    return protocol.run(subject, protocol.options(variant=variant)).facts


def test_exchanged_sides_cost_nothing_where_they_may_be_exchanged(crops: Path):
    model = OneSided(crops, ("test", "train"))
    assert 0.2 < model.turned.mean() < 0.8, "figures are seen from both sides"
    told = judged(model, crops, "left-right")
    assert told["error"] == pytest.approx(0.0, abs=0.01)
    strict = judged(OneSided(crops, ("test", "train")), crops, "regression")
    assert isinstance(strict["error"], float)
    assert strict["error"] > 0.5


def test_halves_of_the_test_people(crops: Path):
    told = judged(OneSided(crops, ("test",)), crops, "halves")
    assert isinstance(told["rmse"], float)
    assert np.isfinite(told["rmse"])
