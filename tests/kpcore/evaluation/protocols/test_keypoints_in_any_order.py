"""Keypoints with prototypes come in no order: what they are tells where they count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore.api import Encoding, Image
from kpcore.capabilities import Capabilities
from kpcore.data.labelled_scenes import SceneLabels
from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.data.synthetic.stick_figures import FRAMES, StickFigures
from kpcore.evaluation import protocols
from kpcore.evaluation.report import Report
from kpcore.latents import Latents, Topology
from tests.toy_family import Toy, ToyConfig

SIDE, COUNT = 16, 120


class AnyOrder(Toy):
    """Finds the given points of one picture after the other, each time in another order."""

    def __init__(self, points: Iterable[np.ndarray], features: Iterable[np.ndarray] = ()) -> None:
        super().__init__(ToyConfig())
        self._points = [torch.as_tensor(one).float() for one in points]
        self._features = [torch.as_tensor(one).float() for one in features]
        self._at = 0
        self._dice = torch.Generator().manual_seed(0)

    @property
    def capabilities(self) -> Capabilities:
        kinds = len(self._points[0])
        return replace(super().capabilities, particles=kinds, prototypes=kinds)

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        rows = range(self._at, self._at + len(image))
        self._at += len(image)
        order = [torch.randperm(len(self._points[row]), generator=self._dice) for row in rows]
        mixed = zip(rows, order, strict=True)
        feature = None
        if self._features:
            features = [self._features[row][o] for row, o in zip(rows, order, strict=True)]
            feature = torch.stack(features)
        position = torch.stack([self._points[row][o] for row, o in mixed])
        topology = Topology.flat(position.shape[1])
        latents = Latents(position, topology, feature=feature, prototype=torch.stack(order))
        return Encoding(latents)


def judged(protocol: str, model: Toy, data: str, **options: object) -> Report:
    chosen = protocols.get(protocol)
    subject = protocols.Subject(model.eval(), Path("any.safetensors"), data)
    return chosen.run(subject, chosen.options(**options))


def joints(seed: int, videos: int, frames: int) -> list[np.ndarray]:
    times = [FRAMES * frame // frames for frame in range(frames)]
    truths = (StickFigures().truth(seed, video, FRAMES) for video in range(videos))
    return [truth.joints[time] for truth in truths for time in times]


@pytest.mark.parametrize(("variant", "figure"), [("halves", "rmse"), ("left-right", "error")])
def test_landmarks_are_regressed_by_prototype_in_every_variant(variant: str, figure: str):
    pictures = SceneLabels("stick-figures", SIDE, COUNT)
    splits = ("test",) if variant == "halves" else ("test", "train")
    rows = [row for split in splits for row in pictures.rows(split)]
    model = AnyOrder([pictures.labels(row).landmarks for row in rows])  # type: ignore[misc]
    report = judged("landmarks", model, "stick-figures", variant=variant, pictures=COUNT)
    assert report.facts[figure] == pytest.approx(0.0, abs=0.01)
    assert "by prototype" in report.tables[0].note


@pytest.mark.parametrize("origin", ["centre", "corner"])
def test_keypoints_that_are_absent_say_nothing_whatever_the_origin(origin: str):
    pictures = SceneLabels("stick-figures", SIDE, COUNT)
    points = [pictures.labels(row).landmarks for row in pictures.rows("test")]
    model = AnyOrder(points)  # type: ignore[arg-type]
    kept = {"variant": "halves", "pictures": COUNT, "origin": origin}
    (row,) = judged("landmarks", model, "stick-figures", **kept).tables[0].rows
    assert row[1] == pytest.approx(0.0, abs=0.01), "without a bias too"


def test_poses_are_regressed_by_prototype():
    videos, frames = 22, 4
    seen = [joints(seed, videos, frames) for seed in (0, HELD_OUT_SEED)]
    model = AnyOrder([*seen[0], *seen[1]])
    report = judged("pose", model, "stick-figures", videos=videos, frames=frames)
    for figure in ("rmse_percent", "left_right_percent"):
        told = report.facts[figure]
        assert isinstance(told, dict)
        assert told["all keypoints"] == pytest.approx(0.0, abs=0.01)


def test_actions_are_told_by_prototype():
    clips, frames = 66, 8
    seen = [joints(seed, clips, frames) for seed in (0, HELD_OUT_SEED)]
    quick = {"clips": clips, "frames": frames, "steps": 60, "hidden": 24, "rate": 5e-3}
    told = judged("actions", AnyOrder([*seen[0], *seen[1]]), "stick-figures", **quick)
    percent = told.facts["percent"]
    assert isinstance(percent, dict)
    assert percent["all keypoints"] > 30.0


def test_attributes_are_told_by_prototype():
    """The first keypoint's place tells who smiles and its feature the brows; the other inverts."""
    pictures = SceneLabels("cartoon-faces", SIDE, COUNT)
    said = [pictures.labels(row).attributes for s in ("test", "train") for row in pictures.rows(s)]
    smile = [0.3 if one["Smiling"] == "yes" else -0.3 for one in said]
    brow = [1.0 if one["Arched_Eyebrows"] == "yes" else -1.0 for one in said]
    model = AnyOrder(
        [np.array([[one, 0.0], [-one, 0.0]]) for one in smile],
        [np.array([[one], [-one]]) for one in brow],
    )
    names = "Smiling,Arched_Eyebrows"
    report = judged("attributes", model, "cartoon-faces", pictures=COUNT, names=names)
    smiling, brows, _ = report.tables[0].rows
    assert smiling[1] == 100.0
    assert brows[2] == 100.0
