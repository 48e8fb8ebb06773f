"""Figures of people: true joints tell everything, a part of them less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kpcore.data.synthetic.scene import HELD_OUT_SEED
from kpcore.data.synthetic.stick_figures import FRAMES, StickFigures
from kpcore.errors import InputError
from kpcore.evaluation import pose, protocols
from kpcore.models.keypoint_pyramids import PRESETS
from kpcore.models.keypoint_pyramids.model import KeypointPyramids


def true(seed: int, videos: int, frames: int) -> pose.Watched:
    """What a model would see that finds the joints; the last five are a level of their own."""
    truths = [StickFigures().truth(seed, video, FRAMES) for video in range(videos)]
    joints = np.stack([truth.joints[:: FRAMES // frames][:frames] for truth in truths])
    action = torch.tensor([truth.action for truth in truths])
    return pose.Watched(torch.from_numpy(joints), joints, action, (0,) * 12 + (1,) * 5)


def test_true_joints_are_regressed_exactly_and_levels_are_told_apart():
    both = pose.Both(true(0, 22, 6), true(HELD_OUT_SEED, 22, 6))
    all_of_them = pose.measure(both)
    few = pose.measure(both, level=1)
    assert all_of_them.rmse == pytest.approx(0.0, abs=1e-3)
    assert all_of_them.keypoints == 17
    assert few.keypoints == 5
    assert few.rmse > 1.0
    middle = pose.measure(pose.in_the_middle(both))
    assert middle.keypoints == 1
    assert middle.rmse > few.rmse
    assert middle.rmse_no_bias > middle.rmse, "only the bias tells the mean pose"


def test_a_model_is_watched_with_its_levels_and_the_truth_of_the_same_frames():
    model = KeypointPyramids(PRESETS["tiny"].config).eval()
    watched = pose.watch(model, HELD_OUT_SEED, 2, frames=3)
    assert watched.points.shape == (2, 3, 6, 2)
    assert watched.level == (0, 0, 1, 1, 1, 1)
    truth = StickFigures().truth(HELD_OUT_SEED, 1, FRAMES).joints
    assert np.array_equal(watched.joints[1, 2], truth[2 * FRAMES // 3])
    image = StickFigures().frame(HELD_OUT_SEED, 1, 32, 2 * FRAMES // 3).image
    with torch.no_grad():
        again = model.encode(torch.from_numpy(image)[None]).latents.position[0]
    assert torch.allclose(watched.points[1, 2], again, atol=1e-5)


def test_the_protocol_reports_every_level_beside_a_point_that_never_moves():
    protocol = protocols.get("pose")
    model = KeypointPyramids(PRESETS["tiny"].config).eval()
    subject = protocols.Subject(model, Path("p.safetensors"), "stick-figures")
    report = protocol.run(subject, protocol.options(videos=11, frames=3))
    assert [row[0] for row in report.tables[0].rows] == [
        "level 1",
        "level 2",
        "all keypoints",
        "one point in the middle",
    ]
    errors = report.facts["rmse_percent"]
    assert isinstance(errors, dict)
    assert list(errors.values()) == [row[2] for row in report.tables[0].rows]
    with pytest.raises(InputError, match="stick-figures"):
        protocol.run(replace(subject, data="traffic"), protocol.options())
