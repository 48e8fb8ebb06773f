"""Joints and actions of Human3.6M crops from keypoints: left and right may be exchanged, halves."""

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
from kpcore.errors import DataError, InputError
from kpcore.evaluation import protocols
from kpcore.evaluation.landmarks import HalvesFigures, swapped
from kpcore.evaluation.protocols.pose import pieces
from kpcore.evaluation.report import Report
from kpcore.latents import Latents, Topology
from tests.toy_family import Toy, ToyConfig

SIDE = 16
VIDEOS = {
    "S1/Walking-1": 12, "S5/Waving": 12, "S6/Walking 2": 12, "S9/Walking-1": 12, "S9/Waving-1": 6,
}  # fmt: skip
"""Frames of each."""


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Acting figures laid out as crops of Human3.6M: three people learned from, one other.

    Pictures of those who wave are red.
    """
    for number, (video, frames) in enumerate(VIDEOS.items()):
        folder = tmp_path / video
        folder.mkdir(parents=True)
        joints = []
        for frame in range(frames):
            # Videos of people seen from anywhere around: some from behind.
            video = 11 * number + frame
            picture = np.full((SIDE, SIDE, 3), 10 * frame, np.uint8)
            picture[..., 0] = 250 if "Waving" in folder.name else 0
            Pillow.fromarray(picture).save(folder / f"{frame:04d}.png")
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


def test_halves_of_the_test_people_share_no_video(crops: Path):
    model = OneSided(crops, ("test",))
    subject = protocols.Subject(model, Path("m.safetensors"), f"human36m:{crops}")
    protocol = protocols.get("landmarks")
    (table,) = protocol.run(subject, protocol.options(variant="halves")).tables
    (row,) = table.rows
    assert isinstance(row[0], float)
    assert np.isfinite(row[0])
    assert sorted(row[2:]) == [6, 12], "of all pictures, halves would have nine each"  # type: ignore[type-var]
    assert "as a whole" in table.note


class Reddish(Toy):
    """Its keypoints lie where the picture's mean red says."""

    def encode(self, image: Image, reference: Image | None = None) -> Encoding:
        position = (image[:, :1].mean((2, 3)) - 0.5)[:, :, None].expand(-1, 3, 2)
        return Encoding(Latents(position, Topology.flat(3)))


def people(protocol: str, model: Toy, data: str, **options: object) -> Report:
    chosen = protocols.get(protocol)
    subject = protocols.Subject(model.eval(), Path("m.safetensors"), data)
    return chosen.run(subject, chosen.options(**options))


def test_poses_of_filmed_people(crops: Path):
    model = OneSided(crops, ("train", "test"))
    report = people("pose", model, f"human36m:{crops}", videos=6, frames=6)
    assert report.facts["clips"] == 3, "two of the longer video, one of the shorter"
    assert report.facts["videos"] == 2
    told = report.facts["left_right_percent"]
    assert isinstance(told, dict)
    assert told["all keypoints"] == pytest.approx(0.0, abs=0.01)
    assert told["one point in the middle"] > 1.0


def test_clips_of_one_video_stay_together(crops: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[list[int]] = []

    def halves(points, joints, videos):
        seen.append(videos)
        return HalvesFigures(0.0, 0.0, 1, 1)

    monkeypatch.setattr("kpcore.evaluation.landmarks.halves", halves)
    people("pose", OneSided(crops, ("train", "test")), f"human36m:{crops}", videos=6, frames=6)
    assert seen[0] == [0] * 12 + [1] * 6


def test_actions_of_filmed_people_are_told(crops: Path):
    quick = {"clips": 12, "frames": 3, "steps": 40, "hidden": 8, "rate": 1e-2}
    report = people("actions", Reddish(ToyConfig()), f"human36m:{crops}", **quick)
    whole, each = report.tables
    assert report.facts["clips"] == 6, "the shorter video makes no more than two of three frames"
    assert [row[:2] for row in each.rows] == [("Walking", 4), ("Waving", 2)]
    assert whole.rows[0][:3] == ("all keypoints", 3, 100.0)
    assert report.facts["chance_percent"] == pytest.approx(100 * 4 / 6)


def test_videos_are_cut_into_clips_of_no_fewer_frames():
    assert pieces([[4, 5, 6, 7], [9]], 4, 2) == [(0, [4, 5]), (0, [6, 7]), (1, [9, 9])]
    assert pieces([list(range(10)), list(range(10, 20))], 2, 3) == [
        (0, [0, 4, 9]),
        (1, [10, 14, 19]),
    ]
    assert [film for film, _ in pieces([[row] for row in range(9)], 3, 1)] == [0, 4, 8]


@pytest.mark.parametrize("protocol", ["pose", "actions"])
def test_a_part_without_people_is_told(crops: Path, protocol: str):
    data, model = f"human36m:{crops}", Reddish(ToyConfig())
    with pytest.raises(DataError, match=r"test-s11 part of .* holds no video"):
        people(protocol, model, data, test="test-s11")
    with pytest.raises(InputError, match="no split 'tset'"):
        people(protocol, model, data, test="tset")
    with pytest.raises(InputError, match="human36m:FOLDER"):
        people(protocol, model, "nothing.mp4")
